"""Processes that are begun ahead, under Airflow's real scheduler: used once, and none is left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from podline.store import Store
from tests.support.airflow_server import Airflow, running
from tests.support.latency import lengths, one_try
from tests.support.notebooks import write_cells, write_notebook
from tests.support.stages_ahead import add_dag_files, environment, fork, wait
from tests.support.waiting import until

from .test_pods_under_the_scheduler import parent, worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ahead"),
    pytest.mark.timeout(400),
]

# The runner itself is imported when the task has come.
AHEAD = "[*sys.modules].index('colorsys') < [*sys.modules].index('podline.runner.runner')"
NOTEBOOKS = {
    "chain": {
        "imports": "import colorsys, os, sys",
        "step:make": f"{wait(2)}\nx = 20",
        "step:change": f"{wait(2)}\nx += 1\nprint('ahead', {AHEAD})",
        "step:look": "print('result', x)",
    },
    "slow": {"step:sleep": f"{wait(8)}\nx = 1", "step:next": "print('result', x + 1)"},
    "endless": {"step:sleep": f"{wait(600)}\nx = 1", "step:next": "print(x)"},
    "failing": {"step:fail": f"{wait(2)}\nx = 1 / 0", "step:next": "print(x)"},
}
# Fails until its file is there, and has then made it.
AGAIN = (
    "from pathlib import Path\nmark = Path({!r})\nthere = mark.exists()\nmark.touch()\nassert there"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    dags = folder / "dags"
    dags.mkdir()
    add_dag_files(dags)
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder, name, cells, retries=int(name == "slow"))
    again = {"step:one": wait(2), "step:two": AGAIN.format(str(folder / "mark"))}
    write_notebook(folder, "again", again, retries=1)
    write_cells(folder / "fork.ipynb", *fork(2))
    return folder


@pytest.fixture(scope="module")
def airflow(
    folder: Path, kept_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    variables = environment(folder, kept_store)
    home = tmp_path_factory.mktemp("airflow")
    with running(home, variables, *NOTEBOOKS, "again", "fork") as airflow:
        yield airflow


def processes(folder: Path, module: str) -> list[int]:
    """The processes of a module that this Airflow's tasks began."""
    mark, found = f"AIRFLOW__PODLINE__NOTEBOOKS_FOLDER={folder}\0".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if module.encode() in command and mark in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:  # another's, or gone
            continue
    return found


def waiting(folder: Path) -> list[int]:
    """The keepers; a child that has not become the stage's process yet looks like its own."""
    found = processes(folder, "podline.runner.process_keeper")
    return [pid for pid in found if _parent(pid) not in found]


def _parent(pid: int) -> int | None:
    try:
        return parent(pid)
    except OSError:  # it is gone
        return None


def until_nothing_is_left(folder: Path) -> None:
    until(lambda: not waiting(folder) and not processes(folder, "podline.runner"), 90)


def test_a_chain(airflow: Airflow, folder: Path) -> None:
    run_id = airflow.trigger("chain")
    assert airflow.wait("chain", run_id) == "success"
    assert '"ahead True"' in airflow.log_text("chain", run_id, "change")
    assert '"result 21"' in airflow.log_text("chain", run_id, "look")
    assert one_try(airflow, "chain", run_id, "make")["ahead"] is None
    for task_id in ("change", "look"):
        found = one_try(airflow, "chain", run_id, task_id)
        waited = found["ahead"]
        assert waited["made"] < waited["begun"] < waited["ready"]
        assert waited["void"] == ""
        lengths(found)
    until_nothing_is_left(folder)


def test_a_stage_that_waits_for_two(airflow: Airflow, folder: Path) -> None:
    """Both of them would begin its process: there is one."""
    run_id = airflow.trigger("fork")
    most = 0
    while (state := airflow.call("GET", f"/api/v2/dags/fork/dagRuns/{run_id}")["state"]) in (
        "queued",
        "running",
    ):
        most = max(most, len(waiting(folder)))
    assert (state, most) == ("success", 1)
    assert '"sum 3"' in airflow.log_text("fork", run_id, "both")
    assert one_try(airflow, "fork", run_id, "both")["ahead"]
    until_nothing_is_left(folder)


def test_the_run_says_off(airflow: Airflow, folder: Path) -> None:
    run_id = airflow.trigger("chain", {"ahead": "off"})
    until(lambda: '"up"' in airflow.log_text("chain", run_id, "make"))
    assert not waiting(folder)
    assert airflow.wait("chain", run_id) == "success"
    assert one_try(airflow, "chain", run_id, "look")["ahead"] is None


def test_a_retry_gets_no_used_process(airflow: Airflow, folder: Path) -> None:
    run_id = airflow.trigger("again")
    assert airflow.wait("again", run_id) == "success"
    first, second = (one_try(airflow, "again", run_id, "two", number) for number in (1, 2))
    assert first["ahead"]
    assert second["ahead"] is None
    until_nothing_is_left(folder)


@pytest.mark.parametrize("what", ["the task", "its run"])
def test_a_run_that_is_stopped(airflow: Airflow, folder: Path, what: str) -> None:
    run_id = airflow.trigger("endless")
    until(lambda: waiting(folder))
    until(lambda: '"up"' in airflow.log_text("endless", run_id, "sleep"))
    if what == "the task":
        airflow.mark_failed("endless", run_id, "sleep")
    else:
        airflow.call("PATCH", f"/api/v2/dags/endless/dagRuns/{run_id}", {"state": "failed"})
    until_nothing_is_left(folder)


def test_a_stage_that_fails(airflow: Airflow, folder: Path) -> None:
    run_id = airflow.trigger("failing")
    until(lambda: waiting(folder))
    assert airflow.wait("failing", run_id) == "failed"
    until_nothing_is_left(folder)


def test_a_lost_worker(airflow: Airflow, folder: Path) -> None:
    """The stage runs anew, and the next one gets the process that waits."""
    run_id = airflow.trigger("slow")
    (keeper,) = until(lambda: waiting(folder))
    os.kill(until(lambda: worker(airflow, "slow", run_id, "sleep")), signal.SIGKILL)
    assert keeper in waiting(folder)
    assert airflow.wait("slow", run_id) == "success"
    assert '"result 2"' in airflow.log_text("slow", run_id, "next")
    assert one_try(airflow, "slow", run_id, "next")["ahead"]
    until_nothing_is_left(folder)


def test_a_cleared_stage(airflow: Airflow, folder: Path) -> None:
    run_id = airflow.trigger("slow")
    until(lambda: waiting(folder))
    airflow.clear("slow", run_id, "sleep")
    assert airflow.wait("slow", run_id) == "success"
    assert '"result 2"' in airflow.log_text("slow", run_id, "next")
    until_nothing_is_left(folder)
