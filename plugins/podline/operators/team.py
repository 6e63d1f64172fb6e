"""What the stages of a team's notebooks have in place of the settings.

A team's DAG file says it, once for a folder of notebooks::

    VISION = Team(namespace="vision", service_account="stages", pool="vision", tags=("vision",))
    for dag in notebook_dags(Path(__file__).with_name("notebooks"), team=VISION):
        globals()[dag.dag_id] = dag
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podline import settings


@dataclass(frozen=True)
class Team:
    """Where a team's stages run, and what they get.

    Attributes:
        namespace: of their pods; empty: the setting's.
        service_account: of their pods; empty: the setting's.
        requests, limits: what a pod asks for and may use, as quantities of Kubernetes by resource,
            over the settings' and below its tags'.
        node_selector: labels that a pod's node must have; none: the setting's.
        pool: Airflow's, for notebooks that name none.
        tags: of their DAGs.
    """

    namespace: str = ""
    service_account: str = ""
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pool: str = ""
    tags: tuple[str, ...] = ()

    def of_pods(self) -> dict[str, Any]:
        """The parameters of KubernetesPodOperator that it gives its stages."""
        given: dict[str, Any] = {
            "namespace": self.namespace,
            "service_account_name": self.service_account,
            "node_selector": dict(self.node_selector),
        }
        if self.requests or self.limits:
            from kubernetes.client import V1ResourceRequirements

            given["container_resources"] = V1ResourceRequirements(
                requests={**settings.requests(), **self.requests},
                limits={**settings.limits(), **self.limits},
            )
        return {name: value for name, value in given.items() if value}


ALL = Team()  # whose settings are podline's own
