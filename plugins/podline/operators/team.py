"""What the stages of a team's notebooks have in place of the settings.

A team's DAG file says it, once for a folder of notebooks::

    VISION = Team("vision", service_account="stages", pool="vision", tags=("vision",))
    for dag in notebook_dags(Path(__file__).with_name("notebooks"), team=VISION):
        globals()[dag.dag_id] = dag
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podline import settings
from podline.operators.resources import Resources
from podline.store import keys


@dataclass(frozen=True)
class Team:
    """Where a team's stages run, and what they get.

    Attributes:
        name: begins, with a dot behind it, the ids of its DAGs and the names of its models; its
            pods have the team's own key to the store, which reaches no others. Empty: its stages
            share the store with all.
        namespace: of their pods; empty: that of the team's name, or the setting's. Where the store
            is, a team with a name runs nothing: the whole key is there.
        service_account: of their pods; empty: the setting's.
        requests, limits: what a pod asks for and may use, as quantities of Kubernetes by resource,
            over the settings' and below its tags'. Where only a limit is said, the pod asks for as
            much.
        node_selector: labels that a pod's node must have; none: the setting's.
        pool: Airflow's, for notebooks that name none.
        tags: of their DAGs.
    """

    name: str = ""
    namespace: str = ""
    service_account: str = ""
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pool: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        keys.team_prefix(self.name)  # or its DAG file says at once what is wrong

    @property
    def prefix(self) -> str:
        """What the ids of its DAGs begin with."""
        return keys.team_prefix(self.name)

    def of_stages(self) -> dict[str, Any]:
        """The operator's parameters that it gives its stages."""
        given: dict[str, Any] = {
            "team": self.name,
            "namespace": self.namespace or self.name,
            "service_account_name": self.service_account,
            "node_selector": dict(self.node_selector),
        }
        if self.requests or self.limits:
            from kubernetes.client import V1ResourceRequirements

            own = Resources(self.requests, self.limits)
            all_in_all = own.over(Resources(settings.requests(), settings.limits()))
            given["container_resources"] = V1ResourceRequirements(**all_in_all._asdict())
        return {name: value for name, value in given.items() if value}


ALL = Team()  # whose settings are podline's own
