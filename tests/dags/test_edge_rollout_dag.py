"""The DAG of rollouts: a version comes to an edge by a run of it, or the run says why not."""

from pathlib import Path

import pytest

from podline.fleet.records import read_fleet, read_rollouts
from podline.models.registry import Model
from podline.store import Store
from tests.support.airflow_server import free_port
from tests.support.dags_test import dags_test, environment
from tests.support.edge import Load, publish_line, serving
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dags test"), pytest.mark.timeout(400)]

CONF = {"model": "power", "observe": 0.5, "limit": 20.0, "latency": 20.0}


def test_a_run_by_hand(store: Store, airflow_home: Path, tmp_path: Path) -> None:
    model = Model(store, "power")
    model.promote(publish_line(tmp_path, 1), "edge")
    publish_line(tmp_path, 2)
    env = environment(airflow_home)
    port = str(free_port())
    address = ("--node", "barn", "--port", port, "--address", f"http://127.0.0.1:{port}")
    with serving(tmp_path / "edge", *address, models=("power@edge",)) as edge:
        until(lambda: [node.name for node in read_fleet(store)] == ["barn"])
        with Load(edge) as load:
            code, said = dags_test("edge_rollout", env, CONF)
        assert code == 0, said[-3000:]
        assert load.failures == []
        (record,) = read_rollouts(store)
        assert (record.state, record.version, record.alias) == ("promoted", 2, "edge")
        assert record.started_by.startswith("by hand: run manual__")
        assert edge.model()["version"] == 2
        code, said = dags_test("edge_rollout", env, CONF | {"version": "9"})
        assert code != 0
        assert "power has no version 9" in said
    code, said = dags_test("edge_rollout", env, CONF | {"model": "voltage"})
    assert "no node serves voltage: there is none to tell" in said
    assert len(read_rollouts(store)) == 1
