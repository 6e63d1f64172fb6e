"""The models that a server serves: each has one version, which a swap replaces in one step."""

import time
from collections import deque
from dataclasses import dataclass, field, replace

from podline.edge.version import LoadedVersion
from podline.fleet.status import ModelStatus, Quality, Swap, Trouble

_SWAPS = 50  # of a model that are remembered


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
        quality: of the versions that serve or served, by their numbers.
    """

    name: str
    alias: str
    current: LoadedVersion | None = None
    pinned: int = 0
    unloaded: bool = False
    trouble: Trouble | None = None
    swaps: deque[Swap] = field(default_factory=lambda: deque(maxlen=_SWAPS))
    quality: dict[int, Quality] = field(default_factory=dict)

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

    def status(self) -> ModelStatus:
        """What is to be said of it to whoever looks after a fleet."""
        current = self.current
        said = ModelStatus(
            name=self.name,
            alias=self.alias,
            version=None,
            pinned=self.pinned or None,
            state=self.state,
            reason=self.reason,
            requests=0,
            errors=0,
            p50=None,
            p99=None,
            trouble=self.trouble,
            quality=dict(self.quality),
            swaps=tuple(self.swaps),
        )
        if current is None:
            return said
        if self.swaps:  # whoever answered first has noted when
            self.swaps[-1].first_prediction = current.first_answer
        quality = self.quality.get(current.number)
        return replace(
            said,
            version=current.number,
            form=current.form.name,
            requests=current.requests,
            errors=current.errors,
            p50=current.quantile(0.5),
            p99=current.quantile(0.99),
            labels=quality.labels if quality else 0,
            error=quality.error if quality else None,
            latencies=dict(current.latencies),
        )
