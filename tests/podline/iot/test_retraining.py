"""A real Airflow is asked for a run or an event, and not twice."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from podline.airflow_api import Api, ApiError
from podline.iot.retraining import Retraining
from tests.support.airflow_server import Airflow, running
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("retraining")]

NOW = datetime(2009, 10, 21, 14)
DAGS = """
from pathlib import Path
from time import sleep

from airflow.sdk import Asset, dag, task

GATE = Path(__file__).with_name("open")


@dag(schedule=None)
def learns():
    @task
    def learn():
        while not GATE.exists():
            sleep(0.1)

    learn()


@dag(schedule=None)
def fails():
    @task
    def learn():
        raise ValueError

    learn()


@dag(schedule=[Asset("drift")])
def waits():
    @task
    def learn():
        pass

    learn()


learns(), fails(), waits()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "dags.py").write_text(DAGS)
    return folder


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Airflow]:
    variables = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}
    home = tmp_path_factory.mktemp("airflow")
    with running(home, variables, "learns", "fails", "waits") as found:
        yield found


@pytest.fixture
def api(airflow: Airflow) -> Api:
    return Api(airflow.url, airflow.token)


def runs(airflow: Airflow, dag_id: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns")[
        "dag_runs"
    ]
    return found


def test_a_run_is_started_once(airflow: Airflow, api: Api, folder: Path) -> None:
    seconds = 0.0
    conf = {"until": "{time}", "rows": 1000}
    learning = Retraining(api, "learns", conf=conf, cool_down=60.0, clock=lambda: seconds)
    assert learning.start(NOW, "far off").startswith("started learns, run manual__")
    (run,) = runs(airflow, "learns")
    assert run["conf"] == {"until": "2009-10-21T14:00:00", "rows": 1000}
    assert run["note"] == "far off"

    seconds = 59.0
    assert learning.start(NOW, "far off") == ""  # within the cool-down
    seconds = 61.0
    assert learning.start(NOW, "far off") == ""  # the first one goes on
    assert len(runs(airflow, "learns")) == 1
    other = Retraining(api, "learns", cool_down=60.0)
    assert other.start(NOW, "far off") == ""  # whoever started it

    (folder / "open").touch()
    until(lambda: runs(airflow, "learns")[0]["state"] == "success", 120)
    assert not learning.has_failed()
    assert learning.start(NOW, "far off")
    assert len(runs(airflow, "learns")) == 2


def test_a_run_that_fails(airflow: Airflow, api: Api) -> None:
    learning = Retraining(api, "fails")
    assert not learning.has_failed()
    learning.start(NOW, "far off")
    until(learning.has_failed, 120)


def test_an_event_starts_what_waits_for_it(airflow: Airflow, api: Api) -> None:
    learning = Retraining(api, asset="drift", conf={"until": "{time}"})
    assert learning.start(NOW, "far off") == "created an event of the asset drift"
    assert learning.start(NOW, "far off") == ""
    (run,) = until(lambda: runs(airflow, "waits"), 120)
    assert run["run_type"] == "asset_triggered"
    # Airflow's own answer about an event whose run has no logical date is an error.
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        ((extra,),) = database.execute("SELECT extra FROM asset_event")
    said = json.loads(extra)
    assert (said["until"], said["why"]) == ("2009-10-21T14:00:00", "far off")


def test_what_airflow_does_not_have(api: Api) -> None:
    with pytest.raises(ApiError, match="has no asset 'other': name one that a DAG waits for"):
        Retraining(api, asset="other").start(NOW, "far off")
    with pytest.raises(ApiError, match=r"other.* \(404, "):
        Retraining(api, "other").start(NOW, "far off")


def test_what_failed_is_not_tried_again_at_once() -> None:
    learning = Retraining(Api("http://127.0.0.1:9", "token"), "learns", cool_down=60.0)
    with pytest.raises(ApiError, match="does not answer"):
        learning.start(NOW, "far off")
    assert learning.start(NOW, "far off") == ""
