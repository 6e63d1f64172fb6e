"""Pods that are made ahead, under Airflow's real scheduler: what they spare, and what is left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podline.store import Store, keys
from tests.support.airflow_server import Airflow, running
from tests.support.latency import lengths, one_try
from tests.support.notebooks import DEFERRED_DAG, write_cells, write_notebook
from tests.support.stages_ahead import add_dag_files, environment, fork, wait
from tests.support.waiting import until

from .test_pods_under_the_scheduler import parent, worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.xdist_group("ahead"),
    pytest.mark.timeout(400),
]

CHAIN = {
    "imports": "import colorsys",
    "step:make": f"{wait(3)}\nx = 20",
    "step:change": f"{wait(3)}\nx += 1",
    "step:look": "result = x + (colorsys.ONE_SIXTH > 1)\nprint(result)",
}
NOTEBOOKS = {
    "chain": CHAIN,
    "slow": {"step:sleep": f"{wait(12)}\nx = 1", "step:next": "print(x + 1)"},
    "endless": {"step:sleep": f"{wait(600)}\nx = 1", "step:next": "print(x)"},
    "failing": {"step:fail": f"{wait(3)}\nx = 1 / 0", "step:next": "print(x)"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    dags = folder / "dags"
    (dags / "deferred").mkdir(parents=True)
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder, name, cells, retries=int(name == "slow"))
    write_cells(folder / "fork.ipynb", *fork(3))
    for name in ("chain", "endless"):
        write_notebook(dags / "deferred", f"deferred_{name}", NOTEBOOKS[name])
    (dags / "deferred.py").write_text(DEFERRED_DAG)
    add_dag_files(dags)
    return folder


@pytest.fixture(scope="module")
def airflow(
    folder: Path,
    kept_store: Store,
    in_pods: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    variables = in_pods | environment(folder, kept_store)
    home = tmp_path_factory.mktemp("airflow")
    with running(
        home, variables, *NOTEBOOKS, "fork", "deferred_chain", "deferred_endless"
    ) as airflow:
        yield airflow


def pods_of(core: Any, namespace: str, run_id: str) -> list[str]:
    """The pods of a run, with those that were made ahead."""
    about = [pod.metadata for pod in core.list_namespaced_pod(namespace).items]
    notes = [(one.name, " ".join(one.annotations.values())) for one in about]
    return [name for name, text in notes if keys.quoted(run_id) in text]


def until_followed(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> None:
    """Wait until whoever sees to the stage's end is there: its worker, or its trigger."""
    if dag_id.startswith("deferred"):
        started = f"{dag_id}/{run_id}/{task_id}/-1/1 (ID"
        until(lambda: started in airflow.log_text(dag_id, run_id, task_id))
    else:
        until(lambda: '"up"' in airflow.log_text(dag_id, run_id, task_id, 1))


def ahead(names: list[str]) -> list[str]:
    return [name for name in names if "-ahead-" in name]


@pytest.mark.parametrize("dag_id", ["chain", "deferred_chain"])
def test_a_chain(airflow: Airflow, core: Any, namespace: str, dag_id: str) -> None:
    run_id = airflow.trigger(dag_id)
    assert airflow.wait(dag_id, run_id) == "success"
    assert '"21"' in airflow.log_text(dag_id, run_id, "look", 1)
    assert "podline-ahead" not in airflow.log_text(dag_id, run_id, "look", 1)
    for task_id in ("change", "look"):
        found = one_try(airflow, dag_id, run_id, task_id)
        waited = found["ahead"]
        assert waited["made"] < waited["begun"] < waited["ready"]
        assert waited["made"] < waited["claimed"]
        assert waited["ready"] < found["end"]
        assert waited["void"] == ""
        within = lengths(found)
        for outside in ("scheduled", "queued", "cleanup"):
            within.pop(outside, None)
        assert sum(within.values()) == pytest.approx(found["end"] - found["start"], abs=0.01)
    assert one_try(airflow, dag_id, run_id, "make")["ahead"] is None
    until(lambda: not pods_of(core, namespace, run_id))


def test_a_stage_that_waits_for_two(airflow: Airflow, core: Any, namespace: str) -> None:
    """Both of them would make its pod: there is one."""
    run_id = airflow.trigger("fork")
    most = 0
    while (state := airflow.call("GET", f"/api/v2/dags/fork/dagRuns/{run_id}")["state"]) in (
        "queued",
        "running",
    ):
        most = max(most, len(ahead(pods_of(core, namespace, run_id))))
    assert (state, most) == ("success", 1)
    assert '"sum 3"' in airflow.log_text("fork", run_id, "both", 1)
    assert one_try(airflow, "fork", run_id, "both")["ahead"]
    until(lambda: not pods_of(core, namespace, run_id))


def test_the_run_says_off(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("chain", {"ahead": "off"})
    until(lambda: '"up"' in airflow.log_text("chain", run_id, "make", 1))
    assert not ahead(pods_of(core, namespace, run_id))
    assert airflow.wait("chain", run_id) == "success"
    assert one_try(airflow, "chain", run_id, "look")["ahead"] is None


@pytest.mark.parametrize("dag_id", ["endless", "deferred_endless"])
@pytest.mark.parametrize("what", ["the task", "its run"])
def test_a_run_that_is_stopped(
    airflow: Airflow, core: Any, namespace: str, dag_id: str, what: str
) -> None:
    run_id = airflow.trigger(dag_id)
    until(lambda: ahead(pods_of(core, namespace, run_id)))
    until_followed(airflow, dag_id, run_id, "sleep")
    if what == "the task":
        airflow.mark_failed(dag_id, run_id, "sleep")
    else:
        airflow.call("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", {"state": "failed"})
    until(lambda: not pods_of(core, namespace, run_id), 90)


def test_a_stage_that_fails(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("failing")
    until(lambda: ahead(pods_of(core, namespace, run_id)))
    assert airflow.wait("failing", run_id) == "failed"
    until(lambda: not pods_of(core, namespace, run_id))


@pytest.mark.parametrize("who", ["the task's process", "its supervisor"])
def test_a_lost_worker(airflow: Airflow, core: Any, namespace: str, who: str) -> None:
    """The next try takes the stage's pod over, and the next stage gets the one that waits."""
    run_id = airflow.trigger("slow")
    (waiting,) = until(lambda: ahead(pods_of(core, namespace, run_id)))
    pid = until(lambda: worker(airflow, "slow", run_id, "sleep"))
    os.kill(pid if who == "the task's process" else parent(pid), signal.SIGKILL)
    assert airflow.wait("slow", run_id) == "success"
    assert "adopted from try 1" in airflow.log_text("slow", run_id, "sleep", 2)
    assert '"2"' in airflow.log_text("slow", run_id, "next", 1)
    assert one_try(airflow, "slow", run_id, "next")["pod"] == waiting
    until(lambda: not pods_of(core, namespace, run_id), 90)


def test_a_cleared_stage(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("slow")
    until(lambda: ahead(pods_of(core, namespace, run_id)))
    airflow.clear("slow", run_id, "sleep")
    assert airflow.wait("slow", run_id) == "success"
    assert '"2"' in airflow.log_text("slow", run_id, "next", 1)
    until(lambda: not pods_of(core, namespace, run_id), 90)
