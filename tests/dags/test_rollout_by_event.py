"""Under Airflow's scheduler a stage that publishes a version starts its rollout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from podline.fleet.records import read_fleet, read_rollouts
from podline.models.registry import Model
from podline.store import Store
from tests.support.airflow_server import Airflow, free_port, running
from tests.support.edge import publish_line, serving, write_line
from tests.support.notebooks import write_notebook
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(400)]

CELLS = {"step:publish": "import podline\nversion = podline.publish('line.onnx', 'line').number"}


@pytest.fixture
def airflow(store: Store, tmp_path: Path) -> Iterator[Airflow]:
    """One with a notebook that publishes a version of `line`."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_line(folder / "line.onnx", 2)
    write_notebook(folder, "publish_line", CELLS)
    variables = store.connection.to_env() | {"AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder)}
    with running(tmp_path / "airflow", variables, "publish_line", "edge_rollout") as found:
        yield found


def test_a_publish_starts_a_rollout(store: Store, airflow: Airflow, tmp_path: Path) -> None:
    Model(store, "line").promote(publish_line(tmp_path, 1, "line"), "edge")
    port = str(free_port())
    address = ("--node", "barn", "--port", port, "--address", f"http://127.0.0.1:{port}")
    with serving(tmp_path / "edge", *address, models=("line@edge",)) as edge:
        until(lambda: [node.name for node in read_fleet(store)] == ["barn"])
        for dag_id in ("edge_rollout", "publish_line"):
            airflow.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        run_id = airflow.trigger("publish_line")
        assert airflow.wait("publish_line", run_id) == "success"
        until(lambda: any(one.step == "observation" for one in read_rollouts(store)), 120)
        (record,) = read_rollouts(store, "line")
        assert record.started_by == f"by the event of run {run_id} of publish_line"
        assert (record.version, record.before, record.state) == (2, 1, "running")
        assert edge.model("line")["version"] == 2
