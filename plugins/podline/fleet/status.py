"""What a node answers to GET /status: written by an edge, read by who looks after a fleet."""

from dataclasses import dataclass, field

from podline.contract import Json
from podline.fleet.node import NodeModel


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


@dataclass(frozen=True)
class Quality:
    """How far off a version's answers were: of `labels` that came back, `error` on average."""

    labels: int
    error: float


@dataclass(frozen=True)
class ModelStatus(NodeModel):
    """All that a node says of a model.

    Attributes:
        form: which one of the version is loaded.
        trouble: why another version is not taken up; None: nothing is wrong.
        latencies: how many requests the version answered, by `podline.fleet.latencies.bucket`.
        quality: of the versions that served here, by their numbers.
        swaps: the last ones, the newest last.
    """

    form: str | None = None
    trouble: Trouble | None = None
    latencies: dict[int, int] = field(default_factory=dict)
    quality: dict[int, Quality] = field(default_factory=dict)
    swaps: tuple[Swap, ...] = ()


@dataclass(frozen=True)
class NodeStatus(Json):
    """All that a node says.

    Attributes:
        node: its name.
        podline: the version of podline that it runs.
        now: the time by its clock; `started`: when its server did (both epoch).
        store_seen: when the store answered last (epoch); 0: not yet.
        memory: bytes that its process has.
        models: what it serves.
    """

    node: str
    podline: str
    now: float
    started: float
    store_seen: float
    memory: int
    models: tuple[ModelStatus, ...]
