"""A rollout to two hundred nodes, of which some are down and some answer never."""

from pathlib import Path

import pytest

from podline.fleet.engine import roll_out
from podline.fleet.member import Target
from podline.models.registry import Model
from podline.store import Store
from tests.podline.fleet.conftest import order
from tests.support.edge import publish_line
from tests.support.fleet import fleet
from tests.support.waiting import until

COUNT, PARALLEL = 200, 16


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_nodes(store: Store, model: Model, tmp_path: Path) -> None:
    """Real servers in one process: each fetches, loads and tries the version itself."""
    names = [f"node-{number:03}" for number in range(COUNT)]
    with fleet(store, tmp_path / "nodes", *names, interval=30.0) as nodes:
        until(lambda: nodes.versions() == [1] * COUNT, 300)
        nodes.silent.update(names[50:53])
        targets = [*nodes.targets(), Target("gone", "http://127.0.0.1:1")]
        number = publish_line(tmp_path, 2)
        with nodes.asked(names=names[:4]):
            record = roll_out(
                store,
                order(
                    nodes,
                    number,
                    targets=targets,
                    canaries=("1%",),
                    parallel=PARALLEL,
                    patience=60.0,
                    limit=60.0,
                ),
            )
    assert (record.state, record.count("serving"), record.count("unreachable")) == (
        "promoted",
        COUNT - 3,
        4,
    )
    assert sum(node.wave == 0 for node in record.nodes) == 2
    reached = [node for node in record.nodes if node.state == "serving"]
    assert all(node.seconds is not None for node in reached)
    assert 1 < nodes.most_told <= PARALLEL
    assert record.ended is not None
    assert record.ended - record.started < 240
