"""How a task gets a pod that was made ahead, and the pod the task.

The task claims the pod by a change that fails where anybody has changed it since, so that one task
gets it, once. It then puts what is to be done into the store, where the pod looks for it. Where the
pod does not take it in time, whoever puts `keys.taken_key` first decides.
"""

import json
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podline.contract import AHEAD_MARK, AHEAD_VARIABLE, BEGUN, READY, TAKEN, Ahead, StageTask
from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import failures, status_of
from podline.operators.log_lines import Stored, Transcript
from podline.store import keys

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

    from podline.store import Store

_TAKES = 1.0  # seconds in which a pod that is ready takes its task, and one that runs has begun


def find(client: "CoreV1Api", namespace: str, name: str) -> Pod | None:
    """The pod that was made ahead for a task, whatever became of it; None: there is none.

    Args:
        client: of the cluster.
        namespace: the pod's.
        name: the pod's.
    """
    try:
        return pods.read_pod(client, {"metadata": {"name": name, "namespace": namespace}})
    except failures():
        return None


def claim(client: "CoreV1Api", pod: Pod, fresh: Pod, digest: str) -> Pod | None:
    """Claim a pod for a task, or delete it where it is of no use.

    Args:
        client: of the cluster.
        pod: as it was read.
        fresh: the pod that the task would make, whose marks it gets.
        digest: of what the pod must be, `ahead.digest_of`.

    Returns:
        The pod as it is then; None: somebody else has it, or it is of no use.
    """
    while not (pods.is_claimed(pod) or pods.is_over(pod)):
        try:
            if not _is_of_use(pod, digest):
                pods.delete_unchanged(client, pod)
                return None
            return pods.change_pod(client, pod, _marks(pod, fresh))
        except failures() as error:
            if status_of(error) != 409:
                return None
        again = find(client, pod["metadata"]["namespace"], pod_status.name_of(pod))
        if again is None or again["metadata"]["uid"] != pod["metadata"]["uid"]:
            return None
        pod = again
    return None


def _is_of_use(pod: Pod, digest: str) -> bool:
    """Whether it is what the task would make, and is at least as far as a fresh one would be."""
    same = pod["metadata"]["annotations"].get(pods.SPEC) == digest
    over = pod_status.has_ended(pod) or pod_status.ended(pod) is not None
    return same and not over and pod_status.finding(pod) is None


def _marks(pod: Pod, fresh: Pod) -> Pod:
    about = fresh["metadata"]
    labels = {**about["labels"], pods.AHEAD_LABEL: None}
    change: dict[str, Any] = {"metadata": {"labels": labels, "annotations": about["annotations"]}}
    if limit := fresh["spec"].get("activeDeadlineSeconds"):
        # It counts from the pod's start.
        started = pod_status.times(pod).bound
        passed = time.time() - started if started else 0.0
        change["spec"] = {"activeDeadlineSeconds": math.ceil(limit + max(passed, 0.0))}
    return change


class Handover:
    """Gives a claimed pod its task, and sees to it that one of two happens.

    Args:
        store: where the pod looks for it.
        pod: as it was claimed.
        task: what it is to do.

    Attributes:
        taken: when the pod had said that it has the task (epoch).
        refused: it will never do the task: another pod may.
    """

    def __init__(self, store: "Store", pod: Pod, task: StageTask) -> None:
        self.store, self.task = store, task
        self.taken: float | None = None
        self.refused = False
        self._about = about_of(pod)
        self._heard = {word: threading.Event() for word in (BEGUN, READY, TAKEN)}
        self._over = threading.Event()
        running = pod_status.times(pod).running
        self._runs = running is not None and time.time() - running > _TAKES

    def give(self) -> None:
        """Put the task where the pod looks for it; it may be there.

        Raises:
            StoreError: the store does not take it.
        """
        key = keys.go_key(self._about.run, self._about.token)
        self.store.put_same(key, self._about.sealed(self.task))

    def hear(self, word: str) -> None:
        """Take a word of the pod's."""
        if word == TAKEN and self.taken is None:
            self.taken = time.time()
        self._heard[word].set()

    def watch(self, end: Callable[[], object]) -> None:
        """Have `end` called if the pod does not take the task in time, which it then never does."""
        threading.Thread(target=self._watch, args=(end,), daemon=True).start()

    def _watch(self, end: Callable[[], object]) -> None:
        # While it starts and imports it is ahead of a fresh one.
        self._heard[BEGUN].wait(_TAKES if self._runs else None)
        if self._heard[BEGUN].is_set():
            self._heard[READY].wait()
            self._heard[TAKEN].wait(_TAKES)
        if not self._heard[TAKEN].is_set() and not self._over.is_set() and self.refuse():
            end()

    def refuse(self) -> bool:
        """Decide that the pod does not do the task; False: it has begun with it."""
        self._over.set()
        if self.taken is None and not self.refused:
            key = keys.taken_key(self._about.run, self._about.token)
            self.refused = self.store.put_if_absent(key, b"nobody")
        return self.refused


class UntilTaken(Transcript):
    """What a pod says until it has its task, which nobody reads."""

    def hear(self, line: str) -> Stored | None:
        """Take a line; something, once the pod has its task."""
        stored = super().hear(line)
        return stored or (Stored("", 0.0) if line == f"{AHEAD_MARK} {TAKEN}" else None)


def about_of(pod: Pod) -> Ahead:
    """What a pod was given that was made ahead.

    Raises:
        ValueError: it was not made ahead.
    """
    for container in pod["spec"]["containers"]:
        for variable in container.get("env") or ():
            if variable["name"] == AHEAD_VARIABLE:
                return Ahead(**json.loads(variable["value"]))
    raise ValueError(f"{pod_status.name_of(pod)} was not made ahead")
