"""Pods that are made ahead: while a stage runs, those of the stages that follow it.

Each has a name that its stage has alone in its run, so that two who would make it make one. It is
of no try until a task claims it (`handover`): as long as nobody has, who made it and whoever needs
its room may delete it.
"""

import functools
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from podline.contract import AHEAD_VARIABLE, TASK_VARIABLE, Ahead, StagePlan
from podline.exceptions import PodlineError
from podline.latency.observations import Observed
from podline.latency.stage_profile import Profiles
from podline.operators import run_version
from podline.operators.kubernetes import cpu_share, pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import explain, failures, status_of
from podline.operators.successors import LONGEST_WAIT, NextStage
from podline.store import keys
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

_ENDING = 5.0  # seconds in which an earlier pod of the same name is gone, if it is being deleted
_AGAIN = 0.3
_EARLY = 0.2  # seconds; a pod that is ready too late costs more than one that waits
_LONGEST_MAKING = 10.0  # seconds
_FORBIDDEN = 403

Say = Callable[[str], object]


class Parts(NamedTuple):
    """What pods are made of.

    Attributes:
        secret: name of the Secret with the store's connection.
        pack: makes a plan's JSON short enough for a variable.
        profile: what earlier runs tell of a stage, by its name.
    """

    secret: str
    pack: Callable[[str], str]
    profile: Profiles


class AheadPods:
    """The pods that one try makes ahead.

    Args:
        client: of the cluster.
        namespace: of the pods.
        maker: the folder of the try.
        seen: when the try had its pod; takes the names of these.
        say: takes why there is none.
    """

    def __init__(
        self, client: "CoreV1Api", namespace: str, maker: str, seen: Observed, say: Say
    ) -> None:
        self.client, self.namespace, self.maker, self.say = client, namespace, maker, say
        self.seen = seen
        self._over, self._done = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._lessens: bool | None = None  # not known yet

    def make(self, stages: Sequence[NextStage], parts: Parts, at_once: bool) -> None:
        """Make the pods of stages, each when it is time to.

        Args:
            stages: the nearest first.
            parts: what they are made of.
            at_once: do not wait for that.
        """
        trouble: tuple[type[BaseException], ...] = (PodlineError, *failures())
        own = TryKey.at(self.maker).task_id
        try:
            profiles = functools.cache(parts.profile)
            times = [0.0 if at_once else seconds_until(own, stage, profiles) for stage in stages]
            for seconds, stage in sorted(zip(times, stages, strict=True), key=itemgetter(0)):
                passed = time.time() - (self.seen.moments.created or 0.0)
                if self._over.wait(max(seconds - passed, 0.0)):
                    return
                self._make(stage, parts, profiles(stage.plan.stage).libraries)
        except trouble as error:
            self.say(f"no pod is made ahead: {explain(error)}")
        finally:
            self._done.set()

    def _make(self, stage: NextStage, parts: Parts, libraries: tuple[str, ...]) -> None:
        with self._lock:
            if self._over.is_set():
                return
            name = name_in_run(stage.wanted.context)
            body = self._body(stage, name, parts, libraries)
            self.seen.made_ahead += (name,)
            try:
                self._create(cpu_share.lessened(body) if self._may_lessen() else body)
            except failures() as error:
                if status_of(error) != _FORBIDDEN or not self._lessens:
                    raise
                self._create(body)  # so little may not be asked for here

    def _may_lessen(self) -> bool:
        if self._lessens is None:
            self._lessens = cpu_share.can_change(self.client, self.namespace)
        return self._lessens

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

    def _body(self, stage: NextStage, name: str, parts: Parts, libraries: tuple[str, ...]) -> Pod:
        from podline.operators.kubernetes import manifest

        ti: Any = stage.wanted.context["ti"]
        run = keys.run_of(self.maker)
        plan = parts.pack(stage.plan.to_json())
        about = Ahead(plan, secrets.token_hex(16), run, LONGEST_WAIT, libraries)
        notes = {
            pods.MAKER: self.maker,
            pods.FOR: TryKey(ti.dag_id, ti.run_id, ti.task_id, -1, 0, "-").prefix,
            pods.MADE: str(time.time()),
        }
        identity = manifest.Identity(name, notes, {pods.AHEAD_LABEL: "waits"})
        variables = {AHEAD_VARIABLE: about.to_json()}
        made = manifest.pod_of(stage.wanted, identity, variables, parts.secret)
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


def seconds_until(own: str, stage: NextStage, profiles: Profiles) -> float:
    """When a stage's pod is to be made, so that it is ready when it is due, and not long before.

    Args:
        own: the stage that runs.
        stage: one that follows.
        profiles: what earlier runs tell.

    Returns:
        Seconds after the pod of the stage that runs was made; 0 where too little is known.
    """
    parameters = stage.plan.parameters
    before = [profiles(name).seconds(parameters) for name in (own, *stage.behind)]
    ready = profiles(stage.plan.stage).ready(parameters)
    known = [seconds for seconds in before if seconds is not None]
    if ready is None or len(known) < len(before):
        return 0.0
    return max(0.0, sum(known) - ready - _EARLY)


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
