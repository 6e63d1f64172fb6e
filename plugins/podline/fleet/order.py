"""What is to be rolled out, to whom and how; looked at before anything is done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from podline.exceptions import PodlineError
from podline.fleet.member import Target
from podline.fleet.rollout import Strategy
from podline.models.aliases import LATEST
from podline.models.manifest import Manifest
from podline.models.registry import Model, check_name
from podline.store import Store


class RolloutRefused(PodlineError):
    """A rollout cannot begin."""

    final = True


@dataclass(frozen=True)
class Order:
    """What is to be rolled out.

    Attributes:
        model: the model's name.
        version: a number, or an alias.
        alias: the one that the nodes follow.
        targets: the nodes.
        started_by: who or what, in words: ``by hand: ada@workshop``.
        strategy: how.
        token: what nodes ask for; empty: nothing.
        lease: seconds after which a rollout that is not heard of is over.
    """

    model: str
    version: int | str
    alias: str
    targets: Sequence[Target]
    started_by: str
    strategy: Strategy = field(default_factory=Strategy)
    token: str = field(default="", repr=False)
    lease: float = 30.0


def find(store: Store, order: Order) -> Manifest:
    """The version that an order means.

    Raises:
        RolloutRefused: it cannot be rolled out.
        RegistryError: there is no such version.
    """
    check_strategy(order.strategy)
    check_name("an alias", order.alias)
    if order.alias == LATEST:
        raise RolloutRefused(
            f"each publish moves the alias {LATEST!r} by itself, so that no rollout can hold a "
            f"version back: have nodes serve {order.model}@edge, and roll out to that"
        )
    found = Model(store, order.model).version(order.version)
    if not found.served:
        raise RolloutRefused(
            f"{found} has no form that an edge serves: publish it with formats=['onnx'], or with "
            "edge="
        )
    return found


def check_strategy(strategy: Strategy) -> None:
    """Look whether a strategy can be followed.

    Raises:
        RolloutRefused: it cannot.
    """
    for text in strategy.canaries:
        number = text.removesuffix("%")
        if not number.isdecimal() or int(number) == 0 or (text != number and int(number) > 100):
            raise RolloutRefused(
                f"canaries {text!r}: give a number of nodes, such as 2, or a share, such as 10%"
            )
    if strategy.parallel < 1 or strategy.limit < strategy.observe:
        raise RolloutRefused(
            f"parallel {strategy.parallel}, observe {strategy.observe:g}, limit "
            f"{strategy.limit:g}: at least 1 node is told at once, and the limit is not less "
            "than the time for which a wave is watched"
        )


def waves(canaries: Sequence[str], nodes: int) -> list[int]:
    """How many nodes have the version after each wave of canaries.

    Args:
        canaries: numbers or shares.
        nodes: how many there are.
    """
    found: list[int] = []
    for text in canaries:
        share = text.endswith("%")
        number = ceil(nodes * int(text[:-1]) / 100) if share else int(text)
        found.append(min(nodes, max(number, found[-1] if found else 0)))
    return [number for at, number in enumerate(found) if number not in found[:at]]
