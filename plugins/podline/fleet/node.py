"""What a node of the fleet says of itself in the store, now and then.

Whoever may write to the store writes these: a reader must take them as untrusted input.
"""

import time
from dataclasses import dataclass

from podline.contract import Json

_MISSED = 3  # times that a node may not be heard of until it is late


@dataclass(frozen=True)
class NodeModel(Json):
    """A model that a node serves.

    Attributes:
        name: the model's.
        alias: which version of it is followed.
        version: the one that answers; None: none does.
        pinned: the one that the node was told to stay at; None: it follows the alias.
        state: ``READY`` or ``UNAVAILABLE``.
        reason: why it is not as it should be, in a sentence; empty: it is.
        requests, errors: that this version had since it was loaded.
        p50, p99: seconds, of its last 1000 requests; None: it had none.
        labels: how many of its answers came back with what was true.
        error: how far those were off (`podline.edge.feedback`); None: none came back.
    """

    name: str
    alias: str
    version: int | None
    pinned: int | None
    state: str
    reason: str
    requests: int
    errors: int
    p50: float | None
    p99: float | None
    labels: int = 0
    error: float | None = None


@dataclass(frozen=True)
class Node(Json):
    """A node, as it was when it was last heard of.

    Attributes:
        name: of the node.
        address: the URL at which it is reached.
        podline: the version of podline that it runs.
        started: when its server did (epoch).
        seen: when it said this (epoch, by its own clock).
        every: seconds after which it says so again.
        memory: bytes that its process has.
        models: what it serves.
    """

    name: str
    address: str
    podline: str
    started: float
    seen: float
    every: float
    memory: int
    models: tuple[NodeModel, ...]

    def is_late(self, now: float | None = None) -> bool:
        """Whether it is not heard of any more.

        Args:
            now: when (epoch); by default, now.
        """
        return (time.time() if now is None else now) - self.seen > _MISSED * self.every
