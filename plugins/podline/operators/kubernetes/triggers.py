"""The trigger of a deferred stage: waits for the end of its pod without polling it."""

import math
import time
from collections.abc import AsyncIterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from podline.airflow_compat import Cluster
from podline.exceptions import StageError
from podline.operators.kubernetes import pod_status
from podline.operators.kubernetes.startup import Progress
from podline.operators.log_lines import stored_in
from podline.store.keys import nonce_of

if TYPE_CHECKING:
    from podline.operators.kubernetes.informer import Place, PodWatch
    from podline.operators.kubernetes.pod_status import Pod

_PHASE_SECONDS = 10.0  # from the container's end until its pod must say how it ended


class StageTrigger(BaseTrigger):
    """Ends with the pod of a stage.

    Its event repeats `pod`, `namespace`, `stage` and `prefix`, says whether the container ever
    `started`, when what happened (`marks`, `status`) to which pod (`facts`; see
    `podline.latency.observations`), and has one of: the result that was `stored`, the `ended` pod's
    outline, an `error`.

    Args:
        pod, namespace: which pod.
        stage: the stage's name.
        prefix: the folder of the try in the store; it ends with the nonce.
        cluster: how the cluster is reached, as fields of
            `podline.airflow_compat.Cluster`.
        startup_seconds: within which the container must run; `created`: since when (epoch).
        until: when the task's timeout is over (epoch).
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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pod, self.namespace, self.stage, self.prefix = pod, namespace, stage, prefix
        self.cluster, self.startup_seconds = cluster, startup_seconds
        self.created, self.until = created, until
        self.over = False
        self.status: dict[str, float] = {}
        self.facts: dict[str, str] = {}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What another triggerer makes it from."""
        names = ("pod", "namespace", "stage", "prefix", "cluster", "startup_seconds", "created")
        given = {name: getattr(self, name) for name in (*names, "until")}
        return f"{type(self).__module__}.{type(self).__qualname__}", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the end."""
        progress = Progress(self.pod, self.startup_seconds, self.log.warning)
        progress.marks["triggered"] = time.time()
        async with self._watch() as watch:
            try:
                with watch.place(self.pod) as place:
                    outcome = await self._outcome(watch, place, progress)
            except StageError as error:
                outcome = {"error": str(error)}
        self.over = True
        same = {name: getattr(self, name) for name in ("pod", "namespace", "stage", "prefix")}
        progress.marks["heard"] = time.time()
        seen = {"marks": progress.marks, "status": self.status, "facts": self.facts}
        payload = {**same, "started": progress.started, **seen, **outcome}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Delete the pod: its task was marked or cleared; a triggerer that stops calls nothing."""
        if self.over:
            return
        async with self._watch() as watch:
            try:
                await watch.delete(self.pod)
            except StageError as error:
                self.log.warning("%s", pod_status.left_behind(self.pod, str(error)))

    def _watch(self) -> Any:
        # It needs the Kubernetes modules, which no triggerer without such a trigger should load.
        from podline.operators.kubernetes.informer import shared_watch

        return shared_watch(Cluster(**self.cluster), self.namespace)

    async def _outcome(
        self, watch: "PodWatch", place: "Place", progress: Progress
    ) -> dict[str, Any]:
        said, ended = "", None
        while True:
            limit, otherwise = self._limit(progress, ended)
            if not await place.wait(limit - time.time()):
                return otherwise
            if watch.trouble and watch.trouble != said:
                self.log.warning("%s", watch.trouble)
            said = watch.trouble
            if place.seen is None:
                continue
            pod, gone = place.seen
            if outcome := self.outcome(progress, pod, gone):
                return outcome
            if ended is None and pod is not None and pod_status.ended(pod):
                ended = (time.time(), pod)

    def outcome(self, progress: Progress, pod: "Pod | None", gone: bool) -> dict[str, Any] | None:
        """What a state of the pod means for the event; None: nothing yet.

        Raises:
            StageError: the pod is gone, or can never start.
        """
        if pod is not None:
            progress.see(pod, time.time())
            self.status, self.facts = pod_status.times(pod), pod_status.facts(pod)
            how = pod_status.ended(pod)
            if how and (stored := stored_in(how.message, nonce_of(self.prefix))):
                return {"stored": list(stored)}
            if pod_status.has_ended(pod):
                return {"ended": pod}
        if gone:
            raise progress.gone()
        return None

    def _limit(
        self, progress: Progress, ended: "tuple[float, Pod] | None"
    ) -> tuple[float, dict[str, Any]]:
        """Until when there must be news, and what the outcome is otherwise."""
        limits: list[tuple[float, dict[str, Any]]] = [(math.inf, {})]
        if not progress.started:
            limits.append((self.created + self.startup_seconds, {"error": str(progress.late())}))
        if ended is not None:
            limits.append((ended[0] + _PHASE_SECONDS, {"ended": ended[1]}))
        if self.until is not None:
            why = f"the timeout of the stage {self.stage!r} passed before it had ended"
            limits.append((self.until, {"error": why}))
        return min(limits, key=itemgetter(0))
