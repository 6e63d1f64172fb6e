"""Orders of rollouts, and a model whose versions differ by their slope."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podline.fleet.order import Order
from podline.fleet.rollout import Strategy
from podline.models.registry import Model
from podline.store import Store
from tests.support.edge import publish_line
from tests.support.fleet import Fleet

# Others work on this machine: how long answers take is no test of ours, but where it is one.
QUICK = Strategy(observe=0.5, limit=20.0, patience=2.0, latency=20.0)


@pytest.fixture
def model(store: Store, tmp_path: Path) -> Model:
    """`power`, with version 1, which the alias `edge` means."""
    found = Model(store, "power")
    found.promote(publish_line(tmp_path, 1), "edge")
    return found


@pytest.fixture
def line(tmp_path: Path) -> Callable[[float], int]:
    """Publishes a version that answers with a slope."""
    return lambda slope: publish_line(tmp_path, slope)


def order(fleet: Fleet, version: int | str, **more: Any) -> Order:
    """An order for a whole fleet.

    Args:
        fleet: the fleet.
        version: that is rolled out.
        more: fields of the order, or of its strategy.
    """
    own = {name: more.pop(name) for name in [*more] if name in Strategy.__dataclass_fields__}
    targets = more.pop("targets", None) or fleet.targets()
    return Order("power", version, "edge", targets, "by a test", replace(QUICK, **own), **more)
