"""The overhead study's DAG: under a scheduler that is killed meanwhile, and under `dags test`."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.namespaces import Relay, own_namespace
from benchmarks.notebooks import code_cell, notebook_text
from benchmarks.server import ROOT, Airflow, running
from podline.store import Store, StoreConnection
from podline.studies.keeping import Study
from podline.studies.tables import tables

pytestmark = [pytest.mark.xdist_group("airflow"), pytest.mark.timeout(500)]

CELLS = [
    code_cell("rows = 10\nwidth = 1", "parameters"),
    code_cell("import time", "imports"),
    code_cell("assert rows != 13, 'bad luck'\ntime.sleep(0.3)\nx = list(range(rows))", "step:make"),
    code_cell("time.sleep(0.3)\nrows_train = len(x)\nweights = width", "step:train"),
    code_cell("rows_train = rows_train", "pipeline-metrics"),
]
SIZES = {"podline": {"sizes": {"data": "rows", "model": "width"}}}
SMALL = {"notebooks": ["sized"], "models": [1], "seed": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "sized.ipynb").write_text(notebook_text(CELLS, SIZES))
    return folder


@pytest.fixture(scope="module")
def store(store_server: StoreConnection) -> Store:
    store = Store(store_server)
    store.ensure_bucket()
    return store


def variables(folder: Path, store: Store) -> dict[str, str]:
    return store.connection.to_env() | {
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        "AIRFLOW__PODLINE__HTML": "never",
        # A worker or scheduler that was killed is missed soon.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise TimeoutError(f"not so after {seconds} s")


@contextlib.contextmanager
def sweeping(home: Path, folder: Path, store: Store) -> Iterator[Airflow]:
    with running(home, variables(folder, store)) as airflow:
        for dag in ("overhead_sweep", "sized_baseline"):
            airflow.wait_for_dag(dag)
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


def test_a_kill_in_the_middle_loses_and_repeats_nothing(
    tmp_path: Path, folder: Path, store: Store
) -> None:
    conf = SMALL | {"data": [10, 20], "repeats": 2, "backends": ["notebook", "process"]}
    conf |= {"name": "killed"}
    study, home = Study(store, "overhead", "killed"), tmp_path / "airflow"
    with sweeping(home, folder, store) as airflow:
        run_id = airflow.trigger("overhead_sweep", conf)
        until(lambda: _measured(study) >= 3)
        time.sleep(0.7)
        kill_all()
    before = {item.key: item.etag for item in store.list(study.key("measurements"))}
    assert 3 <= len(before) < 8
    with sweeping(home, folder, store) as airflow:
        assert airflow.wait("overhead_sweep", run_id, 300) == "success"
    after = {item.key: item.etag for item in store.list(study.key("measurements"))}
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
    assert len(runs[runs["warmup"]]) == 4  # each backend in each sitting
    assert store.exists(study.key("report", "report.html"))


def _measured(study: Study) -> int:
    return len(list(study.store.list(study.key("measurements"))))


# --- under `airflow dags test` ------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    env = os.environ | environment(home)
    subprocess.run(["airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    return home


def environment(home: Path) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }


def dags_test(env: dict[str, str], conf: dict[str, Any]) -> str:
    command = ["airflow", "dags", "test", "overhead_sweep", "--conf", json.dumps(conf)]
    run = subprocess.run(command, env=os.environ | env, capture_output=True, text=True)
    return run.stdout + run.stderr


def test_under_dags_test_a_combination_that_fails_is_reported(
    home: Path, folder: Path, store: Store
) -> None:
    env = environment(home) | variables(folder, store)
    conf = SMALL | {"data": [10, 13], "repeats": 1, "backends": ["notebook", "process"]}
    output = dags_test(env, conf | {"name": "unlucky"})
    runs, _, about = tables(Study(store, "overhead", "unlucky"))
    counted = runs[~runs["warmup"]]
    assert set(counted["way"]) == {"test"}
    assert set(counted.loc[counted["state"] == "success", "data"]) == {10}
    assert set(counted.loc[counted["state"] == "failed", "data"]) == {13}
    assert len(about["failed"]) == 4  # two combinations, each tried twice
    assert "bad luck" in about["failed"][0]["failure"]
    assert "2 combinations of the study 'unlucky' are not measured" in output
    # Again, it measures what is missing, and nothing else.
    dags_test(env, conf | {"name": "unlucky"})
    again, _, about = tables(Study(store, "overhead", "unlucky"))
    assert len(about["failed"]) == 8
    measured = again[~again["warmup"] & (again["state"] == "success")]
    assert list(measured["sitting"]) == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"notebooks": ["nowhere"]}, "notebooks: there is no nowhere.ipynb; there are: sized"),
        ({"data": [0]}, "data = 0: give a whole number of 1 or more"),
    ],
)
def test_parameters_that_cannot_be_used(
    home: Path, folder: Path, store: Store, change: dict[str, Any], message: str
) -> None:
    env = environment(home) | variables(folder, store)
    assert message in dags_test(env, SMALL | {"name": "none"} | change)


@pytest.mark.cluster
def test_all_backends_on_the_cluster(core: Any, home: Path, folder: Path, store: Store) -> None:
    relay = Relay(core, store.connection.endpoint_url or "")
    conf = SMALL | {"data": [10], "repeats": 1, "name": "pods"}
    with own_namespace(core) as namespace:
        pods = {
            "AIRFLOW__PODLINE__BACKEND": "kubernetes",
            "AIRFLOW__PODLINE__NAMESPACE": namespace,
            "AIRFLOW__PODLINE__STORE_ENDPOINT": relay.url,
        }
        output = dags_test(environment(home) | variables(folder, store) | pods, conf)
    relay.cut()
    runs, stages, about = tables(Study(store, "overhead", "pods"))
    assert about["failed"] == [], output[-4000:]
    counted = runs[~runs["warmup"]].set_index("backend")
    assert set(counted.index) == {"notebook", "process", "kubernetes", "stock"}
    parts = ["kubernetes_s", "transfer_s", "libraries_s", "code_s", "pipeline_s"]
    assert (counted[parts].sum(axis=1) - counted["wall_s"]).abs().max() < 0.001
    assert (counted["code_s"] > 0.6).all()  # the cells sleep
    assert (counted["kubernetes_s"] > 0.05).to_dict() == {
        "notebook": False, "process": False, "kubernetes": True, "stock": True,
    }  # fmt: skip
    # The stock operator's stages have the phases of the stage in the pod.
    stock = stages[stages["backend"] == "stock"]
    assert (stock[["boot", "code", "store"]] > 0).all(axis=None)
