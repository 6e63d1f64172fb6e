"""The record of a rollout: a version's way to the nodes of a fleet, and why it stayed or went back.

Times of day are seconds since the epoch by the clock of whoever rolls out; `start` of a phase is in
seconds after the rollout's start, negative before it. A node's times are moved by how far its clock
is ahead.
"""

from dataclasses import dataclass
from typing import Literal

from podline.contract import Json

# The way of a version to a node, one after another; see `PHASES`.
PhaseName = Literal[
    "publish", "notice", "fetch", "verify", "load", "warm_up", "swap", "first_prediction"
]

PHASES: dict[PhaseName, str] = {
    "publish": "from the version's manifest to the rollout's start",
    "notice": "from the rollout's start until the node begins with the version",
    "fetch": "the files come from the store",
    "verify": "their hashes are looked at again",
    "load": "the runtime reads the model",
    "warm_up": "it answers its sample, and the answers are compared",
    "swap": "it takes the old one's place",
    "first_prediction": "until it answers the first request",
}

# What a rollout is at, in this order.
Step = Literal["survey", "canary", "observation", "promotion", "rest", "end"]

# How it is. `failed`: it did not begin, or could not say how it ends; `abandoned`: its process
# ended, and a later rollout says so.
State = Literal["running", "promoted", "rolled back", "failed", "abandoned"]

# How a node is. `told`: it was asked to take the version up; `refused`: it answered that it does
# not, and why; `returned`: it was a canary and answers with the version before again.
NodeState = Literal[
    "waiting", "told", "serving", "refused", "unreachable", "passed over", "returned"
]


@dataclass(frozen=True)
class Phase(Json):
    """A part of a version's way to a node: after the rollout's start, both in seconds."""

    name: PhaseName
    start: float
    seconds: float


@dataclass(frozen=True)
class NodeRollout(Json):
    """How a rollout is at one node.

    Attributes:
        name: of the node; `address`: its URL.
        wave: 0 the first canaries, 1 the next ones, …; None: it is one of the rest.
        state: how it is.
        error: what is wrong there, in a sentence; empty: nothing.
        tries: how often it was asked.
        before, version: which one answered when it was asked first, and which one does by now.
        skew: seconds that its clock is ahead of ours.
        phases: in order; empty: it did not take the version up, or had it already.
    """

    name: str
    address: str
    wave: int | None
    state: NodeState
    error: str = ""
    tries: int = 0
    before: int | None = None
    version: int | None = None
    skew: float = 0.0
    phases: tuple[Phase, ...] = ()

    @property
    def seconds(self) -> float | None:
        """From the rollout's start until the node answered with the version; None: it does not."""
        ends = [phase.start + phase.seconds for phase in self.phases if phase.name == "swap"]
        return ends[0] if ends else None


@dataclass(frozen=True)
class Measure(Json):
    """How a version did while it was watched.

    Attributes:
        nodes: how many it was watched on.
        requests, errors: that it had; an error is an answer with a status of 500 or more.
        p50, p99: seconds within which that share of its requests was answered; None: there were
            none.
        labels: how many of its answers came back with what was true.
        error: how far those were off; None: none came back.
    """

    nodes: int = 0
    requests: int = 0
    errors: int = 0
    p50: float | None = None
    p99: float | None = None
    labels: int = 0
    error: float | None = None


@dataclass(frozen=True)
class Strategy(Json):
    """How a version is rolled out, and what it must keep to.

    Attributes:
        canaries: how many nodes have it after each wave, as a number (``2``) or a share (``10%``);
            none: all take it up at once.
        observe: seconds for which a wave is watched; `limit`: seconds after which it is judged
            in any case.
        requests: how many it must have had for that.
        errors: by how much its share of errors may be higher.
        latency: how many times as long its answers may take.
        quality: how many times as far off they may be.
        refused: which share of the rest may refuse it.
        parallel: nodes that are told at once.
        patience: seconds after which a node that does not answer is given up.
    """

    canaries: tuple[str, ...] = ("1",)
    observe: float = 60.0
    limit: float = 600.0
    requests: int = 20
    errors: float = 0.01
    latency: float = 1.5
    quality: float = 1.1
    refused: float = 0.1
    parallel: int = 16
    patience: float = 60.0


@dataclass(frozen=True)
class RolloutSummary(Json):
    """What a rollout is, and how it stands.

    Attributes:
        id: of the rollout; later ones come later in order.
        model: the model's name.
        alias: which is moved to the version.
        version, before: the new one, and the one that the alias meant; 0: none.
        started_by: who or what started it, in words.
        started, updated, ended: when (epoch); `ended` None: it goes on.
        state, step: how it is, and what it is at.
        decision: what was decided and why, in a sentence; empty: nothing yet.
    """

    id: str
    model: str
    alias: str
    version: int
    before: int
    started_by: str
    started: float
    updated: float
    ended: float | None
    state: State
    step: Step
    decision: str


@dataclass(frozen=True)
class Rollout(RolloutSummary):
    """A rollout of a version to a fleet.

    Attributes:
        strategy: how.
        new, old: how the two versions did while they were watched side by side.
        nodes: by name, the canaries first.
    """

    strategy: Strategy
    new: Measure
    old: Measure
    nodes: tuple[NodeRollout, ...]

    def count(self, *states: NodeState) -> int:
        """How many nodes are in one of these states."""
        return sum(node.state in states for node in self.nodes)
