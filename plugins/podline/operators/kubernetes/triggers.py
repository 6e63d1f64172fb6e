"""The trigger of a deferred stage: waits for the end of its pod without polling it."""

import inspect
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.triggers.base import BaseTrigger, TriggerEvent

from podline.airflow_compat import Cluster
from podline.exceptions import StageError
from podline.latency.observations import PodFacts, PodTimes
from podline.operators.kubernetes import pod_status
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.startup import Progress
from podline.operators.log_lines import stored_in
from podline.secrecy import redacted
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from podline.operators.kubernetes.informer import Place, PodInformer

_PHASE_SECONDS = 10.0  # from the container's end until its pod must say how it ended


class Outcome(TypedDict, total=False):
    """What came of a pod, one of: its result's hash and when that was stored, its end, an error."""

    stored: list[Any]
    ended: Pod  # its outline
    error: str


class PodEnd(Outcome):
    """The event of a stage's trigger, as JSON.

    Attributes:
        pod, namespace, stage, prefix: the trigger's.
        started: whether the container ever ran.
        moments: those that are known of `podline.latency.observations.Moments`.
        status, facts: of the pod, as fields of `PodTimes` and `PodFacts`.
    """

    pod: str
    namespace: str
    stage: str
    prefix: str
    started: bool
    moments: dict[str, float]
    status: dict[str, float | None]
    facts: dict[str, str]


class StageTrigger(BaseTrigger):
    """Ends with the pod of a stage, with a `PodEnd`.

    Args:
        pod, namespace: which pod.
        stage: the stage's name.
        prefix: the folder of the try in the store; it ends with the nonce.
        cluster: how the cluster is reached, as fields of `podline.airflow_compat.Cluster`.
        startup_seconds: within which the container must run; `created`: since when (epoch).
        until: when the task's timeout is over (epoch).
        ahead: pods that were made for the stages that follow.
    """

    def __init__(
        self,
        *,
        pod: str,
        namespace: str,
        stage: str,
        prefix: str,
        cluster: dict[str, Any],
        startup_seconds: float,
        created: float,
        until: float | None = None,
        ahead: Sequence[str] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pod, self.namespace, self.stage, self.prefix = pod, namespace, stage, prefix
        self.cluster, self.startup_seconds = cluster, startup_seconds
        self.created, self.until, self.ahead = created, until, [*ahead]
        self.over = False
        self.status, self.facts = PodTimes(), PodFacts()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What another triggerer makes it from."""
        names = inspect.signature(type(self)).parameters
        given = {name: getattr(self, name) for name in names}
        return f"{type(self).__module__}.{type(self).__qualname__}", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the end."""
        progress = Progress(self.pod, self.startup_seconds, self.log.warning)
        progress.moments.triggered = time.time()
        async with self._informer() as informer:
            try:
                with informer.place(self.pod) as place:
                    outcome = await self._outcome(informer, place, progress)
            except StageError as error:
                outcome = {"error": str(error)}
        self.over = True
        progress.moments.heard = time.time()
        # Airflow keeps events as they are.
        event = json.loads(redacted(json.dumps(self._event(progress, outcome))))
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    def _event(self, progress: Progress, outcome: Outcome) -> PodEnd:
        return {
            "pod": self.pod,
            "namespace": self.namespace,
            "stage": self.stage,
            "prefix": self.prefix,
            "started": progress.started,
            "moments": progress.moments.known(),
            "status": asdict(self.status),
            "facts": asdict(self.facts),
            **outcome,
        }

    async def on_kill(self) -> None:
        """Delete the pods: the task was marked or cleared; a triggerer that stops calls nothing."""
        if self.over:
            return
        async with self._informer() as informer:
            for pod in (self.pod, *self.ahead):
                try:
                    await informer.delete(pod)
                except StageError as error:
                    self.log.warning("%s", pod_status.left_behind(pod, str(error)))

    def _informer(self) -> "AbstractAsyncContextManager[PodInformer]":
        # It needs the Kubernetes modules, which no triggerer without such a trigger should load.
        from podline.operators.kubernetes.informer import shared_informer

        return shared_informer(Cluster(**self.cluster), self.namespace)

    async def _outcome(
        self, informer: "PodInformer", place: "Place", progress: Progress
    ) -> Outcome:
        said, ended = "", None
        while True:
            limit, otherwise = self._limit(progress, ended)
            if not await place.wait(min(limit, progress.quiet_until) - time.time()):
                if time.time() < progress.quiet_until:
                    return otherwise
                progress.say_unbegun()
                continue
            if informer.trouble and informer.trouble != said:
                self.log.warning("%s", informer.trouble)
            said = informer.trouble
            if place.seen is None:
                continue
            pod, gone = place.seen
            if outcome := self.outcome(progress, pod, gone):
                return outcome
            if pod is not None and pod_status.lacks_room(pod):
                await self._make_room(informer)
            if ended is None and pod is not None and pod_status.ended(pod):
                ended = (time.time(), pod)

    async def _make_room(self, informer: "PodInformer") -> None:
        """Delete the pods that wait for their turn: this one is due, and has no room."""
        try:
            for name in await informer.delete_waiting():
                self.log.info("deleted the pod %s, which waited for its turn, to make room", name)
        except StageError as error:  # it waits for room as any other
            self.log.info("the pods that wait for their turn cannot be deleted: %s", error)

    def outcome(self, progress: Progress, pod: Pod | None, gone: bool) -> Outcome | None:
        """What a state of the pod means for the event; None: nothing yet.

        Args:
            progress: how far it had come.
            pod: its outline; None: it was gone from the start.
            gone: whether it was deleted.

        Raises:
            StageError: the pod is gone, or can never start.
        """
        if pod is not None:
            progress.see(pod, time.time())
            self.status, self.facts = pod_status.times(pod), pod_status.facts(pod)
            how = pod_status.ended(pod)
            if how and (stored := stored_in(how.message, TryKey.at(self.prefix).nonce)):
                return {"stored": list(stored)}
            if pod_status.has_ended(pod):
                return {"ended": pod}
        if gone:
            raise progress.gone()
        return None

    def _limit(self, progress: Progress, ended: tuple[float, Pod] | None) -> tuple[float, Outcome]:
        """Until when there must be news, and what the outcome is otherwise."""
        limits: list[tuple[float, Outcome]] = [(math.inf, {})]
        if not progress.started:
            limits.append((self.created + self.startup_seconds, {"error": str(progress.late())}))
        if ended is not None:
            limits.append((ended[0] + _PHASE_SECONDS, {"ended": ended[1]}))
        if self.until is not None:
            why = f"the timeout of the stage {self.stage!r} passed before it had ended"
            limits.append((self.until, {"error": why}))
        return min(limits, key=itemgetter(0))
