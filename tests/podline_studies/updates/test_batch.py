"""A batch of real nodes and a real store, without a link between them."""

from typing import Any

import pytest

from podline.store import Store
from podline_studies.updates.batch import PARTS, BatchTask, make_batch, parts_of
from podline_studies.updates.design import Batch, Cell
from podline_studies.updates.nodes import WAYS, Taken

pytestmark = pytest.mark.xdist_group("link")  # the sink's port is fixed

INSTALLED = [name for name, way in WAYS.items() if way.node.is_installed()]


@pytest.fixture
def task(store: Store, sinking: str) -> BatchTask:
    cells = (Cell(200_000, "float32", 1), Cell(200_000, "int8", 1))
    batch = Batch(0, "podline_store", 0.0, 100e6, 0, cells)
    address = store.connection.endpoint_url or ""
    return BatchTask(batch, tuple(INSTALLED), address, "updates-test", sinking, seed=7)


def test_every_way_takes_up_every_model(task: BatchTask, s3: Any) -> None:
    found = make_batch(task)
    made = [(one.way, one.form) for one in found.updates]
    assert sorted(made) == sorted((way, form) for way in INSTALLED for form in ("float32", "int8"))
    told = []
    for one in found.updates:
        assert tuple(one.parts) == PARTS
        assert sum(one.parts.values()) == pytest.approx(one.seconds)
        assert min(one.parts.values()) >= 0
        assert one.parts["publish"] > 0
        assert one.asked > one.refused == 0
        tried = one.way in ("podline", "podline-told")
        assert (one.parts["warm_up"] > 0) is tried
        if WAYS[one.way].told:
            told.append(one.parts["notice"])
    assert min(told) < 0.2  # a node that looks itself does it twice a second
    sizes = {one.form: one.bytes for one in found.updates}
    assert sizes["float32"] > 3.5 * sizes["int8"]
    assert found.before.goodput > 1e6
    # Its bucket went with it.
    assert task.bucket not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}


def test_parts_sum_up_to_the_whole() -> None:
    taken = Taken(noticed=11.0, fetch=2.0, verify=0.1, load=0.3, warm_up=0.2, swapped=14.0)
    found = parts_of(10.0, 10.5, taken, 14.25)
    assert found == pytest.approx(
        {
            **{"publish": 0.5, "notice": 0.5, "fetch": 2.0, "verify": 0.1, "load": 0.3},
            **{"warm_up": 0.2, "swap": 0.4, "first": 0.25},
        }
    )


def test_a_part_that_is_over_early_ends_there() -> None:
    """It was noticed before the publish had returned, and answered before its load had."""
    taken = Taken(noticed=10.4, fetch=2.0, verify=0.0, load=0.5, warm_up=0.0, swapped=13.0)
    found = parts_of(10.0, 10.5, taken, 12.8)
    assert sum(found.values()) == pytest.approx(2.8)
    assert found["publish"] == pytest.approx(0.4)
    assert found["notice"] == found["swap"] == found["first"] == 0.0
    assert found["load"] == pytest.approx(0.4)
