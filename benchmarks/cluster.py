"""A namespace of a benchmark's own on the cluster that KUBECONFIG names, and the store in it."""

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import asked
from podline import settings
from podline.operators.kubernetes.pods import CONNECT_SECONDS, lines
from podline.store import Store, StoreConnectionError, in_cluster
from tests.support.namespaces import connect, own_namespace

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api


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
            _request_timeout=(CONNECT_SECONDS, None),
        )
        for line in lines(response.stream(amt=None, decode_content=False)):
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
        raise SystemExit(
            f"This needs {needs}. fix: set KUBECONFIG to the file that names it, then run "
            "`make images` and `make cluster-store`"
        )
    try:  # by the service's address: on the clock no name is looked up
        connection = in_cluster.connection(settings.namespace())
    except StoreConnectionError as error:
        raise SystemExit(str(error)) from None
    os.environ.update(connection.to_env())
    with own_namespace(core, "podline-bench") as name:
        variables = connection.to_env() | {
            "AIRFLOW__PODLINE__BACKEND": "kubernetes",
            "AIRFLOW__PODLINE__NAMESPACE": name,
            "AIRFLOW__PODLINE__AHEAD": "off",  # but where a run says otherwise
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
    times = asked(doc, n, what)
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name, opened() as there:
        measure(times, Path(name), there)


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
