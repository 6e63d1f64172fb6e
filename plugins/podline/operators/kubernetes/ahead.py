"""Pods that are made ahead: while a stage runs, those of the stages that follow it.

Each has a name that its stage has alone in its run, so that two who would make it make one. It is
of no try until a task claims it (`handover`): as long as nobody has, who made it and whoever needs
its room may delete it.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from podline.contract import AHEAD_VARIABLE, TASK_VARIABLE, Ahead, StagePlan
from podline.exceptions import PodlineError
from podline.latency.observations import Observed
from podline.operators import run_version
from podline.operators.following import NextStage
from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import explain, failures, status_of
from podline.store import keys
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

LONGEST_WAIT = 600.0  # seconds after which a pod that waits ends by itself
_ENDING = 5.0  # seconds in which an earlier pod of the same name is gone, if it is being deleted
_AGAIN = 0.3
_LONGEST_MAKING = 10.0  # seconds

Say = Callable[[str], object]


class AheadPods:
    """The pods that one try makes ahead.

    Args:
        client: of the cluster.
        namespace: of the pods.
        maker: the folder of the try.
        seen: takes the pods' names.
        say: takes why there is none.
    """

    def __init__(
        self, client: "CoreV1Api", namespace: str, maker: str, seen: Observed, say: Say
    ) -> None:
        self.client, self.namespace, self.maker, self.say = client, namespace, maker, say
        self.seen = seen
        self._over, self._done = threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def make(self, stages: Iterable[NextStage], secret: str, pack: Callable[[str], str]) -> None:
        """Make the pods of stages.

        Args:
            stages: the nearest first.
            secret: name of the Secret with the store's connection.
            pack: makes a plan's JSON short enough for a variable.
        """
        trouble: tuple[type[BaseException], ...] = (PodlineError, *failures())
        try:
            for stage in stages:
                with self._lock:
                    if self._over.is_set():
                        return
                    name = name_in_run(stage.wanted.context)
                    body = self._body(stage, name, secret, pack(stage.plan.to_json()))
                    self.seen.made_ahead += (name,)
                    self._create(body)
        except trouble as error:
            self.say(f"no pod is made ahead for {stage.plan.stage!r}: {explain(error)}")
        finally:
            self._done.set()

    def wait(self) -> None:
        """Wait until they are made."""
        self._done.wait(_LONGEST_MAKING)

    def end(self) -> None:
        """Make no more of them."""
        self._over.set()

    def delete(self) -> None:
        """Make no more of them, and delete those that nobody has claimed."""
        self.end()
        with self._lock:
            for name in self.seen.made_ahead:
                with suppress(*failures()):  # it ends by itself
                    delete_unclaimed(self.client, self.namespace, name)

    def _body(self, stage: NextStage, name: str, secret: str, plan: str) -> Pod:
        from podline.operators.kubernetes import manifest

        ti: Any = stage.wanted.context["ti"]
        run = keys.run_of(self.maker)
        about = Ahead(plan, secrets.token_hex(16), run, LONGEST_WAIT)
        notes = {
            pods.MAKER: self.maker,
            pods.FOR: TryKey(ti.dag_id, ti.run_id, ti.task_id, -1, 0, "-").prefix,
            pods.MADE: str(time.time()),
        }
        identity = manifest.Identity(name, notes, {pods.AHEAD_LABEL: "waits"})
        variables = {AHEAD_VARIABLE: about.to_json()}
        made = manifest.pod_of(stage.wanted, identity, variables, secret)
        body: Pod = self.client.api_client.sanitize_for_serialization(made)
        # Its time begins with its task.
        body["spec"].pop("activeDeadlineSeconds", None)
        body["metadata"]["annotations"][pods.SPEC] = digest_of(body, stage.plan)
        return body

    def _create(self, body: Pod) -> None:
        until = time.monotonic() + _ENDING
        while True:
            try:
                pods.create_pod(self.client, body)
                return
            except failures() as error:
                if status_of(error) != 409:
                    raise
            # It is there, or an earlier one is still being deleted.
            if time.monotonic() > until or not self._is_ending(body) or self._over.is_set():
                return
            time.sleep(_AGAIN)

    def _is_ending(self, body: Pod) -> bool:
        try:
            return "deletionTimestamp" in pods.read_pod(self.client, body)["metadata"]
        except failures() as error:
            if status_of(error) != 404:
                raise
            return True


def name_in_run(context: Any) -> str:
    """The name of the pod that is made ahead for a task, the same whoever makes it.

    Args:
        context: Airflow's, of the task.
    """
    from podline.operators.kubernetes import manifest

    ti = context["ti"]
    where = TryKey(ti.dag_id, ti.run_id, ti.task_id, -1, 0, "-").prefix
    word = hashlib.sha256(f"{where} {run_version.beginning(context)}".encode()).hexdigest()[:12]
    return manifest.name_of(where, f"ahead-{word}")


def digest_of(body: Pod, plan: StagePlan) -> str:
    """The hash of what a pod is and will do, whether it was made ahead or not.

    Args:
        body: its JSON.
        plan: of its stage.
    """
    spec = {k: v for k, v in body["spec"].items() if k != "activeDeadlineSeconds"}
    spec["containers"] = [
        {**c, "env": [v for v in c.get("env") or () if v["name"] not in _TASKS]}
        for c in spec["containers"]
    ]
    return hashlib.sha256(pods.as_text([spec, plan.digest]).encode()).hexdigest()


_TASKS = (TASK_VARIABLE, AHEAD_VARIABLE)


def delete_unclaimed(client: "CoreV1Api", namespace: str, name: str) -> None:
    """Delete a pod that was made ahead, unless a task has claimed it.

    Args:
        client: of the cluster.
        namespace: the pod's.
        name: the pod's.

    Raises:
        ApiException: it may not be read or deleted.
    """
    about: Pod = {"metadata": {"name": name, "namespace": namespace}}
    while True:
        try:
            pod = pods.read_pod(client, about)
        except failures() as error:
            if status_of(error) != 404:
                raise
            return
        if pods.is_claimed(pod) or pods.is_over(pod) or pods.delete_unchanged(client, pod):
            return


def make_room(client: "CoreV1Api", namespace: str) -> list[str]:
    """Delete the pods that wait for a task, of any run: one that is due has no room.

    Args:
        client: of the cluster.
        namespace: where to look.

    Returns:
        The names of those that were deleted.

    Raises:
        ApiException: they may not be listed or deleted.
    """
    found = pods.list_waiting(client, namespace)
    return [pod_status.name_of(pod) for pod in found if pods.delete_unchanged(client, pod)]
