"""Airflow on this machine with KubernetesExecutor: each task in a pod of the benchmark's namespace.

The scheduler and the API server run here, as for LocalExecutor: the two differ in the tasks' pods
alone. Those are of the image of Airflow, as helm-values/airflow-plain.yaml has them; the
notebooks come to them by a ConfigMap.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cluster import Cluster
from tests.support.airflow_server import free_port
from tests.support.image_pods import manifests
from tests.support.namespaces import Relay

ACCOUNT = "airflow-worker"
_NOTEBOOKS = "notebooks"


@contextmanager
def kubernetes(there: Cluster, folder: Path) -> Iterator[dict[str, str]]:
    """What Airflow's environment has for its tasks to be pods.

    Args:
        there: the benchmark's cluster.
        folder: the notebooks.
    """
    port = free_port()
    relay = Relay(there.core, f"http://127.0.0.1:{port}")
    template = folder / "pod_template.yaml"
    template.write_text(yaml.safe_dump(_template(there, f"{relay.url}/execution/")))
    _allow(there)
    notebooks = {path.name: path.read_text() for path in folder.glob("*.ipynb")}
    there.core.create_namespaced_config_map(
        there.namespace, {"metadata": {"name": _NOTEBOOKS}, "data": notebooks}
    )
    try:
        yield {
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__EXECUTOR": "KubernetesExecutor",
            "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE": there.namespace,
            "AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE": str(template),
            "AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER": "False",
            "AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE": os.environ["KUBECONFIG"],
            "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_PODS_CREATION_BATCH_SIZE": "16",
        }
    finally:
        relay.cut()


def _template(there: Cluster, api: str) -> dict[str, Any]:
    """A task's pod.

    Args:
        there: the benchmark's cluster.
        api: the address of Airflow's API for tasks, as pods see it.
    """
    pod: dict[str, Any] = next(
        yaml.safe_load(found["data"]["pod_template.yaml"])
        for found in manifests("airflow-plain.yaml")
        if "pod_template.yaml" in found.get("data", {})
    )
    variables = {
        **there.variables,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": "/opt/notebooks",
    }
    (container,) = pod["spec"]["containers"]
    del container["envFrom"]
    container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    container["volumeMounts"] = [{"name": _NOTEBOOKS, "mountPath": "/opt/notebooks"}]
    pod["spec"]["volumes"] = [{"name": _NOTEBOOKS, "configMap": {"name": _NOTEBOOKS}}]
    return pod


def _allow(there: Cluster) -> None:
    """Let tasks make the stages' pods."""
    from kubernetes import utils

    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    items = [account, *manifests("airflow-rbac.yaml")]
    for subject in items[-1]["subjects"]:
        subject["namespace"] = there.namespace
    utils.create_from_dict(
        there.core.api_client, {"kind": "List", "items": items}, namespace=there.namespace
    )
