"""A namespace of a benchmark's own on the cluster that KUBECONFIG names, and the store in it."""

import argparse
import base64
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.store import Store, StoreConnection
from tests.support.namespaces import connect, own_namespace

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

_CONNECT_SECONDS = 5
_STORE = "object-store"  # the store's Service; its connection is in the Secret of that name


@dataclass(frozen=True)
class Cluster:
    """A cluster, the benchmark's namespace in it, and the store that both sides use.

    Attributes:
        variables: what Airflow's environment needs for stages to run there.
    """

    core: "CoreV1Api"
    namespace: str
    store: Store
    variables: dict[str, str]

    def events(self, name: str = "", version: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """Watch the pods, or one of them: each event's type and pod, as it arrives."""
        response = self.core.list_namespaced_pod(
            self.namespace,
            field_selector=f"metadata.name={name}" if name else "",
            resource_version=version,
            watch=True,
            _preload_content=False,
            _request_timeout=(_CONNECT_SECONDS, None),
        )
        rest = b""
        for chunk in response.stream(amt=None, decode_content=False):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                yield event["type"], event["object"]

    def pods(self) -> list[str]:
        """The names of the pods that are there."""
        return [pod.metadata.name for pod in self.core.list_namespaced_pod(self.namespace).items]


@contextmanager
def opened() -> Iterator[Cluster]:
    """Make a namespace that admits restricted pods only; it goes with all that is in it."""
    core = connect()
    if core is None:
        needs = "a Kubernetes cluster with podline's images and store"
        raise SystemExit(f"This needs {needs}: set KUBECONFIG to the file that names it.")
    connection = _store(core)
    with own_namespace(core, "podline-bench") as name:
        variables = connection.to_env() | {
            "AIRFLOW__PODLINE__BACKEND": "kubernetes",
            "AIRFLOW__PODLINE__NAMESPACE": name,
        }
        yield Cluster(core, name, Store(connection), variables)


def main(measure: Callable[[int, Path, Cluster], None], doc: str | None, n: int, what: str) -> None:
    """The command of a benchmark that measures in the cluster.

    Args:
        measure: gets how often, an empty folder and the cluster.
        doc: what the benchmark measures.
        n: how often, if nothing else is said.
        what: is done so often.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("-n", type=int, default=n, help=f"{what} ({n})")
    given = parser.parse_args()
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name, opened() as there:
        measure(given.n, Path(name), there)


def _store(core: "CoreV1Api") -> StoreConnection:
    """The connection of the cluster's store, by its service's address.

    It is the same for pods and for this machine, and no name is looked up on the clock.
    """
    from kubernetes.client.exceptions import ApiException

    home = settings.namespace()
    try:
        secret = core.read_namespaced_secret(f"{_STORE}-connection", home)
        service = core.read_namespaced_service(_STORE, home)
    except ApiException as error:
        raise SystemExit(f"The cluster's namespace {home!r} has no store: {error.reason}") from None
    for key, value in secret.data.items():
        os.environ[key] = base64.b64decode(value).decode()
    address = f"http://{service.spec.cluster_ip}:{service.spec.ports[0].port}"
    connection = replace(StoreConnection.from_env(settings.store_conn_id()), endpoint_url=address)
    os.environ.update(connection.to_env())  # the service's name is none here
    return connection


class PodTimes(threading.Thread):
    """Notes when each pod was first seen: created, bound to a node, running, ended, gone.

    Attributes:
        seen: the times (seconds since the epoch) by the pod's name and what it was.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self.seen: dict[str, dict[str, float]] = {}

    def run(self) -> None:
        """Watch until the process ends."""
        for kind, pod in self._cluster.events():
            now = time.time()
            times = self.seen.setdefault(pod["metadata"]["name"], {})
            for what in _states(kind, pod):
                times.setdefault(what, now)


def _states(kind: str, pod: dict[str, Any]) -> Iterator[str]:
    """What a pod has been so far."""
    yield "created"
    if pod["spec"].get("nodeName"):
        yield "bound"
    for status in pod["status"].get("containerStatuses") or ():
        yield from {"running", "terminated"} & status["state"].keys()
    if kind == "DELETED":
        yield "gone"


def most_at_once(seen: dict[str, dict[str, float]]) -> int:
    """The most containers that ran at the same time."""
    steps = [(times["running"], 1) for times in seen.values() if "running" in times]
    steps += [(times["terminated"], -1) for times in seen.values() if "terminated" in times]
    most = running = 0
    for _, step in sorted(steps):
        running += step
        most = max(most, running)
    return most
