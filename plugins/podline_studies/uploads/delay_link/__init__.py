"""Links with a latency, a rate and losses of their own, the same for every store."""

from dataclasses import dataclass

from podline.contract import Json
from podline.exceptions import PodlineError

_MOST = {"rtt": 10, "rate": 1e11, "loss": 0.9, "jitter": 10, "queue": 100}


class LinkError(PodlineError):
    """A link cannot be made here, or is not what it was said to be."""


@dataclass(frozen=True)
class LinkSpec(Json):
    """What a link is to be like, the same in both directions.

    Attributes:
        rtt: round trip, in seconds.
        rate: bits a second; 0: as fast as the machine is.
        loss: share of segments that are lost, from 0 to 1.
        jitter: how much longer a way may take, in seconds, evenly drawn; order is kept.
        queue: bandwidth-delay products that wait in front of the link.
    """

    rtt: float = 0.0
    rate: float = 0.0
    loss: float = 0.0
    jitter: float = 0.0
    queue: float = 1.0

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise LinkError(f"{name} = {value!r} of a link: give 0 to {most:g}")

    @property
    def queue_bytes(self) -> float:
        """Bytes that wait in front of the link: 64 KiB at least."""
        return max(self.queue * self.rate / 8 * self.rtt, 65536.0) if self.rate else float("inf")
