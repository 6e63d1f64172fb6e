"""The overhead study's DAG under a scheduler that is killed meanwhile."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from podline.store import Store
from podline_studies.overhead.frames import tables
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.study import Study
from tests.support.airflow_server import Airflow, running
from tests.support.sweep import SMALL, variables, write_notebook
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(1000)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder)
    return folder


# A worker or scheduler that was killed is missed soon; one on a busy machine is not yet.
ALERT = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


@contextlib.contextmanager
def sweeping(
    home: Path, folder: Path, store: Store, more: Mapping[str, str] = ALERT
) -> Iterator[Airflow]:
    given = {**variables(folder, store), **more}
    with running(home, given, "overhead_sweep", "sized_baseline") as airflow:
        airflow.call("PATCH", "/api/v2/dags/overhead_sweep", {"is_paused": False})
        yield airflow


def kill_all() -> None:
    """As when the machine goes down: every process but the store, at once."""
    while running := [p for p in psutil.Process().children(recursive=True) if not _is_store(p)]:
        for process in running:  # until none is left that was forked meanwhile
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(running, timeout=1)


def _is_store(process: psutil.Process) -> bool:
    try:
        return process.name() == "weed" or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same Airflow", "another Airflow"])
def test_a_kill_in_the_middle_loses_and_repeats_nothing(
    tmp_path: Path, folder: Path, kept_store: Store, elsewhere: bool
) -> None:
    conf = SMALL | {"data": [10, 20], "repeats": 2, "backends": ["notebook", "process"]}
    conf |= {"name": "killed-elsewhere" if elsewhere else "killed"}
    study, home = Study(kept_store, OVERHEAD, conf["name"]), tmp_path / "airflow"
    with sweeping(home, folder, kept_store) as airflow:
        run_id = airflow.trigger("overhead_sweep", conf)
        until(lambda: _measured(study) >= 3, 300)
        time.sleep(0.7)
        kill_all()
    before = {item.key: item.etag for item in kept_store.list(study.key("measurements"))}
    assert 3 <= len(before) < 8
    with sweeping(tmp_path / "other" if elsewhere else home, folder, kept_store) as airflow:
        if elsewhere:  # which has no run, while the store has what was left of one
            run_id = airflow.trigger("overhead_sweep", conf)
        assert airflow.wait("overhead_sweep", run_id, 400) == "success"
    after = {item.key: item.etag for item in kept_store.list(study.key("measurements"))}
    assert before.items() <= after.items()
    assert len(after) == 8
    runs, _, about = tables(study)
    counted = runs[~runs["warmup"] & (runs["state"] == "success")]
    assert sorted(counted["index"]) == list(range(8))
    assert list(counted.sort_values("started")["index"]) == list(range(8))  # in the seed's order
    assert set(counted["way"]) == {"scheduler"}
    assert (counted["rows_train"] == counted["data"]).all()
    assert len(about["interruptions"]) == 1
    assert about["interruptions"][0]["after"] == len(before)
    assert sorted(counted["sitting"].unique()) == [1, 2]
    assert len(runs[runs["warmup"]]) == 4  # each backend in each session
    # No stage began before what it waits for had ended: its records are of one run.
    assert all(stage.gap > -0.1 for one in study.measurements() for stage in one.stages)
    assert kept_store.exists(study.key("report", "report.html"))


def _measured(study: Study) -> int:
    return len(list(study.store.list(study.key("measurements"))))


def test_a_run_leaves_the_rest_to_the_next(tmp_path: Path, folder: Path, kept_store: Store) -> None:
    """So that few task instances wait while others are measured; it stays one session."""
    conf = SMALL | {"data": [10], "repeats": 2, "backends": ["notebook", "process"]}
    study = Study(kept_store, OVERHEAD, "chained")
    # With Airflow's own limits: a worker that is taken for lost begins a new session.
    with sweeping(tmp_path / "airflow", folder, kept_store, {}) as airflow:
        first = airflow.trigger("overhead_sweep", conf | {"name": "chained", "most": 3})
        assert airflow.wait("overhead_sweep", first, 400) == "success"
        assert _measured(study) == 3
        assert airflow.wait("overhead_sweep", "chained__from-0003", 400) == "success"
        runs = airflow.call("GET", "/api/v2/dags/overhead_sweep/dagRuns")["dag_runs"]
    assert {run["dag_run_id"] for run in runs} == {first, "chained__from-0003"}
    found, _, about = tables(study)
    assert sorted(found[~found["warmup"]]["index"]) == [0, 1, 2, 3]
    assert set(found["sitting"]) == {1}
    assert about["interruptions"] == []
    assert len(found[found["warmup"]]) == 2


@pytest.mark.cluster
def test_of_runs_at_once_the_longest_is_measured(
    tmp_path: Path, kept_store: Store, in_pods: dict[str, str]
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_notebook(folder, max_active_runs=2)
    conf = SMALL | {"data": [10], "repeats": 1, "backends": ["kubernetes-x2"], "name": "at-once"}
    study = Study(kept_store, OVERHEAD, "at-once")
    with sweeping(tmp_path / "airflow", folder, kept_store, in_pods) as airflow:
        run_id = airflow.trigger("overhead_sweep", conf)
        assert airflow.wait("overhead_sweep", run_id, 400) == "success"
        runs = airflow.call("GET", "/api/v2/dags/sized/dagRuns")["dag_runs"]
    (one,) = study.measurements()
    pair = [run for run in runs if "__0000__" in run["dag_run_id"]]
    assert len(pair) == 2
    assert max(run["start_date"] for run in pair) < min(run["end_date"] for run in pair)
    last = max(pair, key=lambda run: run["end_date"])
    assert one.state == "success"
    assert one.wall == pytest.approx(one.ended - one.started)
    assert one.run_id in {run["dag_run_id"] for run in pair}
    assert last["state"] == "success"
