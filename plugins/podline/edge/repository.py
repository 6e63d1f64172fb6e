"""The models that a server serves: each has one version, which a swap replaces in one step."""

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from podline.edge.version import LoadedVersion

_SWAPS = 50  # of a model that are remembered


@dataclass
class Swap:
    """How a version came to serve; each step in seconds.

    Attributes:
        version: its number; `before`: the one that served till then, 0: none.
        why: ``start``, ``alias`` or ``load``.
        published, noticed, swapped, first_prediction: when (epoch); 0: not yet.
        fetch, verify, load, warm_up, swap: how long.
    """

    version: int
    before: int
    why: str
    published: float
    noticed: float
    fetch: float = 0.0
    verify: float = 0.0
    load: float = 0.0
    warm_up: float = 0.0
    swap: float = 0.0
    swapped: float = 0.0
    first_prediction: float = 0.0


@dataclass(frozen=True)
class Trouble:
    """Why a version is not taken up: the one before stays.

    Attributes:
        version: its number; 0: which one it would be is not known.
        reason: what is wrong.
        since: when it was first so (epoch); `tries`: how often it was tried by now.
    """

    version: int
    reason: str
    since: float
    tries: int


@dataclass
class ServedModel:
    """A model, and what serves of it.

    A request reads `current` once and ends on that version; the old one is freed with its last
    request.

    Attributes:
        name: the model's.
        alias: which version of it is followed.
        current: the version that answers; None: none.
        pinned: the version that was asked for in place of the alias's; 0: the alias is followed.
        unloaded: whether it was asked to serve nothing.
        trouble: why another version is not taken up; None: nothing is wrong.
        swaps: the last ones, the newest last.
    """

    name: str
    alias: str
    current: LoadedVersion | None = None
    pinned: int = 0
    unloaded: bool = False
    trouble: Trouble | None = None
    swaps: deque[Swap] = field(default_factory=lambda: deque(maxlen=_SWAPS))

    @property
    def state(self) -> str:
        """In the protocol's words."""
        return "READY" if self.current else "UNAVAILABLE"

    @property
    def reason(self) -> str:
        """Why it is not as it should be; empty: it is."""
        if self.trouble:
            return self.trouble.reason
        return "it was unloaded" if self.unloaded else ""

    def take_up(self, version: LoadedVersion, swap: Swap) -> None:
        """Have a version answer from now on."""
        began = time.perf_counter()
        self.current = version
        swap.swap = time.perf_counter() - began
        swap.swapped = time.time()
        self.swaps.append(swap)

    def status(self) -> dict[str, Any]:
        """What is to be said of it to whoever looks after a fleet."""
        current = self.current
        if current and self.swaps:  # whoever answered first has noted when
            self.swaps[-1].first_prediction = current.first_answer
        return {
            "name": self.name,
            "alias": self.alias,
            "version": current.number if current else None,
            "form": current.form.name if current else None,
            "pinned": self.pinned or None,
            "state": self.state,
            "reason": self.reason,
            "trouble": asdict(self.trouble) if self.trouble else None,
            "requests": current.requests if current else 0,
            "errors": current.errors if current else 0,
            "p50": current.quantile(0.5) if current else None,
            "p99": current.quantile(0.99) if current else None,
            "swaps": [asdict(swap) for swap in self.swaps],
        }
