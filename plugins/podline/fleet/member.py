"""A node while a version is rolled out to it."""

import time
from dataclasses import dataclass

from podline.fleet.rollout import NodeRollout, NodeState, Phase, PhaseName
from podline.fleet.status import ModelStatus, NodeStatus, Swap

_STEPS: tuple[PhaseName, ...] = ("fetch", "verify", "load", "warm_up", "swap")


@dataclass(frozen=True)
class Target:
    """A node that may have a model: its name, and the URL at which it is reached."""

    name: str
    address: str


@dataclass
class Member:
    """A node of a rollout.

    Attributes:
        target: it.
        model: the model's name.
        wave: 0 the first canaries, …; None: one of the rest.
        state, error, tries: as its record has them.
        first: what it said before it was asked for anything; None: it did not answer.
        last: what it said last.
        skew: seconds that its clock is ahead of ours.
    """

    target: Target
    model: str
    wave: int | None = None
    state: NodeState = "waiting"
    error: str = ""
    tries: int = 0
    first: ModelStatus | None = None
    last: ModelStatus | None = None
    skew: float = 0.0

    @property
    def version(self) -> int | None:
        """The version that it answers with, as far as is known."""
        return self.last.version if self.last else None

    def heard(self, status: NodeStatus, took: float) -> None:
        """Take in what it says.

        Args:
            status: what it says.
            took: seconds that it took to say so.
        """
        self.skew = status.now - (time.time() - took / 2)
        found = [model for model in status.models if model.name == self.model]
        self.last = found[0] if found else None
        self.first = self.first or self.last

    def waits_for_first_prediction(self, version: int) -> bool:
        """Whether it took a version up that has answered nothing yet."""
        swap = _swap(self.last, version)
        return swap is not None and not swap.first_prediction

    def record(self, version: int, started: float, published: float) -> NodeRollout:
        """Its part of the rollout's record.

        Args:
            version: that is rolled out.
            started: when that began (epoch).
            published: when the version was (epoch).
        """
        swap = _swap(self.last, version)
        ours = swap is not None and swap.swapped - self.skew >= started
        return NodeRollout(
            name=self.target.name,
            address=self.target.address,
            wave=self.wave,
            state=self.state,
            error=self.error,
            tries=self.tries,
            before=self.first.version if self.first else None,
            version=self.version,
            skew=round(self.skew, 4),
            phases=_phases(swap, started + self.skew, published - started) if swap and ours else (),
        )


def _swap(model: ModelStatus | None, version: int) -> Swap | None:
    """How a model came to the version that it answers with, if that is the one."""
    if model is None or model.version != version or not model.swaps:
        return None
    return model.swaps[-1] if model.swaps[-1].version == version else None


def _phases(swap: Swap, started: float, published: float) -> tuple[Phase, ...]:
    """A version's way to a node.

    Args:
        swap: its last part, by the node's clock.
        started: when the rollout did, by that clock (epoch).
        published: when the version was, after the rollout's start (negative).
    """
    published = min(0.0, published)
    at = max(0.0, swap.noticed - started)
    found = [Phase("publish", published, -published), Phase("notice", 0.0, at)]
    for step in _STEPS:
        found.append(Phase(step, at, getattr(swap, step)))
        at += getattr(swap, step)
    if swap.first_prediction:
        found.append(Phase("first_prediction", at, max(0.0, swap.first_prediction - started - at)))
    return tuple(
        Phase(phase.name, round(phase.start, 4), round(phase.seconds, 4)) for phase in found
    )
