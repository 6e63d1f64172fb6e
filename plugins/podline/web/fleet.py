"""What the edges of the fleet say of themselves, and the rollouts to them, as answers.

Of a model that the user may not see, nothing is said.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial

from podline.fleet.node import Node
from podline.fleet.records import RecordError, read_fleet, read_rollout, read_rollouts
from podline.fleet.rollout import NodeState, Rollout, RolloutSummary
from podline.store import open_store
from podline.web.models import May, is_seen


@dataclass(frozen=True)
class NodeAnswer(Node):
    """A node, as it was when it was last heard of.

    Attributes:
        late: whether it is not heard of any more.
    """

    late: bool


@dataclass(frozen=True)
class Fleet:
    """The nodes, by name.

    Attributes:
        total_entries: how many there are.
        now: when this was answered (epoch): what `seen` is compared with.
    """

    nodes: list[NodeAnswer]
    total_entries: int
    limit: int
    offset: int
    now: float


@dataclass(frozen=True)
class RolloutLine(RolloutSummary):
    """A rollout in the list of them.

    Attributes:
        nodes: how many there are in each state.
    """

    nodes: dict[NodeState, int]


@dataclass(frozen=True)
class RolloutList:
    """The last rollouts, the newest first."""

    rollouts: list[RolloutLine]
    limit: int


def fleet(search: str, limit: int, offset: int, may: May) -> Fleet:
    """The nodes of the fleet.

    Args:
        search: a part of the names of nodes, or of the models that they serve.
        limit: how many are given.
        offset: how many are passed over.
        may: whether the user may read a DAG.

    Raises:
        StoreError: the store does not answer.
    """
    now, store = time.time(), open_store()
    sees = cache(partial(is_seen, store, may=may))
    nodes = [
        replace(node, models=tuple(model for model in node.models if sees(model.name)))
        for node in read_fleet(store)
    ]
    found = [node for node in nodes if _is_wanted(node, search.lower())]
    page = [_node(node, now) for node in found[offset : offset + limit]]
    return Fleet(page, len(found), limit, offset, now)


def rollouts(model: str | None, limit: int, may: May) -> RolloutList:
    """The last rollouts.

    Args:
        model: of which; None: of all.
        limit: how many are given.
        may: whether the user may read a DAG.

    Raises:
        StoreError: the store does not answer.
    """
    store = open_store()
    sees = cache(partial(is_seen, store, may=may))
    found = read_rollouts(store, model, limit, sees)
    return RolloutList([_line(rollout) for rollout in found], limit)


def rollout(model: str, rollout_id: str, may: May) -> Rollout:
    """A rollout.

    Args:
        model: of which.
        rollout_id: of the rollout.
        may: whether the user may read a DAG.

    Raises:
        RecordError: there is none.
        StoreError: the store does not answer.
    """
    store = open_store()
    if not is_seen(store, model, may):
        raise RecordError(f"{model} has no rollout {rollout_id!r}")
    return read_rollout(store, model, rollout_id)


def _is_wanted(node: Node, search: str) -> bool:
    names: Sequence[str] = [node.name, *(model.name for model in node.models)]
    return any(search in name.lower() for name in names)


def _node(node: Node, now: float) -> NodeAnswer:
    known = {field.name: getattr(node, field.name) for field in fields(Node)}
    return NodeAnswer(**known, late=node.is_late(now))


def _line(found: Rollout) -> RolloutLine:
    known = {field.name: getattr(found, field.name) for field in fields(RolloutSummary)}
    return RolloutLine(**known, nodes=dict(Counter(node.state for node in found.nodes)))
