"""What a pod's states mean on its way from creation to end. Knows no cluster and reads no clock."""

import math
from collections.abc import Callable

from podline.exceptions import StageError
from podline.latency.observations import Moments
from podline.operators.kubernetes import pod_status
from podline.operators.kubernetes.pod_status import Finding, Pod

SILENCE = 600.0  # seconds for which the API server may be away
UNBEGUN = 5.0  # seconds after which it is said that nobody has begun with a pod
_AGAIN = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds until a stream is opened again


class Progress:
    """How far a pod has come.

    Args:
        name: the pod's.
        startup_seconds: within which its container must run.
        say: takes what the cluster does with the pod, in sentences.
        moments: takes when it was bound to a node and its container running, where it was seen
            before that as well: else it happened some time ago.

    Attributes:
        started: its container runs, or ran.
        said: what was last wrong with the pod.
        quiet_until: when it is to be said that nobody has begun with the pod (epoch).
    """

    def __init__(
        self,
        name: str,
        startup_seconds: float,
        say: Callable[[str], object],
        moments: Moments | None = None,
    ) -> None:
        self.name, self.startup_seconds, self._say = name, startup_seconds, say
        self.moments = moments or Moments()
        self.started = False
        self.said: Finding | None = None
        self.quiet_until, self._unbegun = math.inf, ""
        self._was_unbound = self._was_idle = False

    def see(self, pod: Pod, now: float) -> None:
        """Take a state of the pod, at a time of day (epoch); say what is wrong with it, once.

        Raises:
            StageError: it can never start.
        """
        bound, running = bool(pod["spec"].get("nodeName")), pod_status.is_running(pod)
        self.started = self.started or running
        if bound and self._was_unbound:
            self.moments.bound = self.moments.bound or now
        if running and self._was_idle:
            self.moments.running = self.moments.running or now
        self._was_unbound |= not bound
        self._was_idle |= not running
        found = pod_status.finding(pod)
        if found is not None and found.final and not running:
            raise StageError(found.sentence)
        if found is not None and found != self.said:
            self._say(found.sentence)
        self.said = found
        if (unbegun := pod_status.unbegun(pod)) != self._unbegun:
            self.quiet_until, self._unbegun = now + UNBEGUN if unbegun else math.inf, unbegun

    def say_unbegun(self) -> None:
        """Say who has not begun with the pod."""
        self.quiet_until = math.inf
        self._say(f"{self._unbegun} for {UNBEGUN:g} s; it is waited for")

    def gone(self) -> StageError:
        """The pod was deleted."""
        why = f": {self.said.sentence}" if self.said else " by somebody else"
        return StageError(f"the pod {self.name} was deleted before its stage had ended{why}")

    def late(self) -> StageError:
        """The time to start is over."""
        said = self.said.sentence if self.said else self._unbegun
        why = f": {said}" if said else ""
        return StageError(
            f"the pod {self.name} did not start within {self.startup_seconds:g} s{why}. fix: see "
            "to that, or raise [podline] startup_timeout"
        )


class Reconnection:
    """When a stream that breaks is opened again, and when no more."""

    def __init__(self) -> None:
        self._times = 0
        self._since = 0.0

    def broke(self, now: float) -> bool:
        """Note that the stream broke, or could not be opened; whether that is new."""
        if new := self._times == 0:
            self._since = now
        self._times += 1
        return new

    def worked(self) -> None:
        """Note that something came."""
        self._times = 0

    def is_over(self, now: float) -> bool:
        """Whether nothing came for too long."""
        return self._times > 0 and now - self._since > SILENCE

    @property
    def wait(self) -> float:
        """Seconds until the stream is to be opened again."""
        return _AGAIN[min(self._times, len(_AGAIN) - 1)]
