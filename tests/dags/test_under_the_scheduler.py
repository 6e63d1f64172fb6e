"""Notebooks under Airflow's real scheduler: triggered over REST, cleared, killed, edited."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from podline.contract import StageResult
from podline.models.registry import Model
from podline.store import Store, keys
from tests.support.airflow_server import Airflow, running, task_path
from tests.support.latency import lengths, one_try
from tests.support.notebooks import write_notebook
from tests.support.waiting import until

# One Airflow for all of them; two at once would be slow on a small machine.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]

TESTS = Path(__file__).parents[1]

ROWS = {"parameters": "rows = 10  # how many"}
CHAIN = ROWS | {
    "step:make": "total = sum(range(rows))\nprint('made', total)",
    "step:change": "total += 1",
    "step:look": "result = total\nprint('result', result)",
}
SLOW = ROWS | {
    "step:sleep": "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(60)"
}
FAILING = ROWS | {"step:fail": "numbers = [1, 2, 3]\nnumbers[7]"}
PHASES = "scheduled queued prepare submit boot fetch imports load code dump store notice finish"
# Fails until its file is there, and has then made it.
AGAIN = """
from pathlib import Path
mark = Path({!r})
was_there = mark.exists()
mark.touch()
assert was_there
"""
PUBLISHING = ROWS | {
    "step:train": "from pathlib import Path\nPath('model.skops').write_bytes(b'weights')",
    "step:publish": "import podline\nversion = podline.publish('model.skops', 'scheduled', metrics={'rmse': 0.5})",
}
EDITED = ROWS | {
    "step:first": "first = rows + 1",
    "step:wait": "import time\ntime.sleep(6)\nsecond = first",
    "step:last": "print('third', second)",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder, "chain", CHAIN)
    write_notebook(folder, "slow", SLOW)
    write_notebook(folder, "failing", FAILING, retries=0)
    for name in ("edited", "removed", "broken"):
        write_notebook(folder, name, EDITED, retries=1)
    write_notebook(folder, "publishing", PUBLISHING)
    again = ROWS | {"step:try": AGAIN.format(str(folder / "mark"))}
    write_notebook(folder, "again", again, retries=1)
    daily = {"schedule": "@daily", "start_date": "2026-01-01", "catchup": False}
    write_notebook(folder, "every_day", ROWS | {"step:tick": "x = rows"}, **daily)
    invalid = TESTS / "notebooks" / "invalid" / "two_errors_at_once.ipynb"
    (folder / invalid.name).write_bytes(invalid.read_bytes())
    return folder


@pytest.fixture(scope="module")
def airflow(
    folder: Path, kept_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    variables = kept_store.connection.to_env() | {
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
        # For so long a run goes on whose notebook is removed, on a busy machine too.
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "600",
    }
    home = tmp_path_factory.mktemp("airflow")
    with running(home, variables, "two_errors_at_once") as airflow:
        yield airflow


def results(store: Store, dag_id: str, run_id: str, task_id: str) -> list[StageResult]:
    """The results that the tries of a task have left, the oldest first."""
    found = sorted(store.list(keys.join("runs", dag_id, run_id, task_id)), key=lambda o: o.modified)
    return [
        StageResult.from_json(bytes(store.get(item.key)))
        for item in found
        if item.key.endswith("/result.json")
    ]


def executed(store: Store, dag_id: str, run_id: str, task_id: str) -> str:
    (result,) = results(store, dag_id, run_id, task_id)
    return bytes(store.get(result.executed_notebook)).decode()


@pytest.mark.timeout(400)
def test_a_triggered_run_takes_its_parameters(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("chain", {"rows": 5})
    assert airflow.wait("chain", run_id) == "success"
    assert "result 11" in executed(kept_store, "chain", run_id, "look")
    for task_id in ("make", "change", "look"):
        assert [*lengths(one_try(airflow, "chain", run_id, task_id))] == PHASES.split()


def test_the_baseline_gives_the_same(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("chain_baseline", {"rows": 5})
    assert airflow.wait("chain_baseline", run_id) == "success"
    assert "result 11" in executed(kept_store, "chain_baseline", run_id, "notebook")


def test_an_invalid_notebook_leaves_the_others_active(airflow: Airflow) -> None:
    dags = airflow.dags()
    assert not any(dag["is_stale"] for dag in dags.values())
    assert {"name": "invalid", "dag_id": "two_errors_at_once"}.items() <= (
        next(t for t in dags["two_errors_at_once"]["tags"] if t["name"] == "invalid").items()
    )
    run_id = airflow.trigger("two_errors_at_once")
    assert airflow.wait("two_errors_at_once", run_id) == "failed"


def test_a_schedule_makes_a_run(airflow: Airflow) -> None:
    """It is made as soon as the DAG is parsed, maybe before the API server is up."""

    def ended() -> Any:
        runs = airflow.call("GET", "/api/v2/dags/every_day/dagRuns")["dag_runs"]
        return [run for run in runs if run["state"] in ("success", "failed")]

    run = until(ended, 180)[0]
    assert (run["run_type"], run["state"]) == ("scheduled", "success")


def test_a_failing_cell_fails_the_task_and_keeps_the_notebook(
    airflow: Airflow, kept_store: Store
) -> None:
    run_id = airflow.trigger("failing")
    assert airflow.wait("failing", run_id) == "failed"
    (result,) = results(kept_store, "failing", run_id, "fail")
    assert result.failure is not None
    assert "cell 2, line 2: IndexError" in result.failure.message
    assert "-->   2 numbers[7]" in result.failure.message
    assert "IndexError" in bytes(kept_store.get(result.executed_notebook)).decode()
    found = one_try(airflow, "failing", run_id, "fail")
    assert {"boot", "code", "store", "finish"} <= lengths(found).keys()


@pytest.mark.slow
def test_a_try_that_waits_for_its_retry_shows_its_phases(airflow: Airflow) -> None:
    """Airflow keeps nothing of such a try: its record is in the object store, until the next."""
    run_id = airflow.trigger("again")
    until(lambda: airflow.tasks("again", run_id)["try"]["state"] == "up_for_retry")
    first = one_try(airflow, "again", run_id, "try")
    assert first["state"] == "up_for_retry"
    assert {"boot", "code", "store", "finish"} <= lengths(first).keys()
    assert "AssertionError" in first["failure"]
    assert latencies(airflow, "again", run_id, "try") == []
    airflow.clear("again", run_id, "try")  # it need not wait
    assert airflow.wait("again", run_id) == "success"
    second = one_try(airflow, "again", run_id, "try", 2)
    assert lengths(second)["code"] > 0
    both = ["latency.1", "latency.2"]  # the first try's comes after the second's
    until(lambda: latencies(airflow, "again", run_id, "try") == both)
    assert lengths(one_try(airflow, "again", run_id, "try")) == lengths(first)


def latencies(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> list[str]:
    """The keys of the records that Airflow has of a task instance; what it was at is none."""
    path = f"{task_path(dag_id, run_id, task_id)}/state-store"
    keys = [entry["key"] for entry in airflow.call("GET", path)["task_state_store"]]
    return sorted(key for key in keys if not key.startswith("latency.now."))


@pytest.mark.slow
def test_a_cleared_task_overwrites_nothing(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("chain")
    assert airflow.wait("chain", run_id) == "success"
    (before,) = results(kept_store, "chain", run_id, "change")
    airflow.clear("chain", run_id, "change", downstream=True)
    until(lambda: len(results(kept_store, "chain", run_id, "look")) == 2)
    assert airflow.wait("chain", run_id) == "success"
    first, second = results(kept_store, "chain", run_id, "change")
    assert first == before
    assert second.nonce != first.nonce


def test_a_killed_process_is_named(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("slow")
    pid = until(lambda: _stage_pid(airflow, run_id))
    os.kill(pid, signal.SIGKILL)
    assert airflow.wait("slow", run_id) == "failed"
    assert "was killed by the signal SIGKILL" in airflow.log_text("slow", run_id, "sleep")
    found = one_try(airflow, "slow", run_id, "sleep")
    assert lengths(found)["code"] > 0  # as far as it said
    assert "SIGKILL" in found["failure"]


@pytest.mark.slow
def test_what_a_stage_is_at_is_told_while_it_goes_on(airflow: Airflow) -> None:
    run_id = airflow.trigger("edited")

    def runs() -> Any:
        path = f"/podline/api/v1/dags/edited/runs/{quote(run_id, safe='')}"
        tries = airflow.call("GET", path)["tries"]
        return ("wait", "code") in zip(tries["task_id"], tries["phase_now"], strict=True)

    until(runs)
    now = one_try(airflow, "edited", run_id, "wait")
    assert now["start"] < now["phase_now_since"]
    assert {"boot", "imports"} <= {phase["name"] for phase in now["phases"]}
    assert (now["state"], now["duration"]) == ("running", None)
    assert airflow.wait("edited", run_id) == "success"
    assert one_try(airflow, "edited", run_id, "wait")["phase_now"] is None


def test_a_task_marked_failed_ends_its_process(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("slow")
    pid = until(lambda: _stage_pid(airflow, run_id))
    airflow.mark_failed("slow", run_id, "sleep")
    until(lambda: not Path(f"/proc/{pid}").exists())
    (result,) = until(lambda: results(kept_store, "slow", run_id, "sleep"))
    assert "told to stop (SIGTERM) while cell 2 ran" in result.failure.message


def first_has_ended(airflow: Airflow, store: Store, dag_id: str) -> str:
    """Trigger a run; returns its id once its first stage has ended."""
    run_id = airflow.trigger(dag_id)
    until(lambda: results(store, dag_id, run_id, "first"))
    return run_id


@pytest.mark.slow
def test_a_notebook_edited_during_a_run_changes_that_run_in_nothing(
    airflow: Airflow, kept_store: Store, folder: Path
) -> None:
    run_id = first_has_ended(airflow, kept_store, "edited")
    edited = {"parameters": "rows = 20  # how many", "step:last": "print('edited', rows)"}
    write_notebook(folder, "edited", EDITED | edited)
    assert airflow.wait("edited", run_id) == "success"
    assert "third 11" in executed(kept_store, "edited", run_id, "last")
    assert "goes on with the version that it began with" in (
        airflow.log_text("edited", run_id, "last")
    )
    versions = {
        result.notebook_sha256
        for task_id in ("first", "wait", "last")
        for result in results(kept_store, "edited", run_id, task_id)
    }
    assert len(versions) == 1
    for task_id in ("last", "first"):  # what is cleared goes on with it too
        airflow.clear("edited", run_id, task_id)
        until(lambda task_id=task_id: len(results(kept_store, "edited", run_id, task_id)) == 2)
        assert airflow.wait("edited", run_id) == "success"
        assert results(kept_store, "edited", run_id, task_id)[1].notebook_sha256 in versions
    airflow.clear("edited", run_id, "first", downstream=True)  # but all of it begins anew
    until(lambda: len(results(kept_store, "edited", run_id, "last")) == 3)
    assert airflow.wait("edited", run_id) == "success"
    last = results(kept_store, "edited", run_id, "last")[2]
    assert "edited 20" in bytes(kept_store.get(last.executed_notebook)).decode()


@pytest.mark.slow
def test_a_run_whose_notebook_is_removed_goes_on(
    airflow: Airflow, kept_store: Store, folder: Path
) -> None:
    """For as long as Airflow keeps the DAG of a file that is gone."""
    run_id = first_has_ended(airflow, kept_store, "removed")
    (folder / "removed.ipynb").unlink()
    assert airflow.wait("removed", run_id) == "success"
    assert "third 11" in executed(kept_store, "removed", run_id, "last")
    assert "removed.ipynb is no longer in" in airflow.log_text("removed", run_id, "last")


@pytest.mark.slow
def test_a_run_whose_notebook_stays_half_written_says_so(
    airflow: Airflow, kept_store: Store, folder: Path
) -> None:
    run_id = first_has_ended(airflow, kept_store, "broken")
    path = folder / "broken.ipynb"
    path.write_text(path.read_text()[:200])
    if airflow.wait("broken", run_id) == "success":  # Airflow had not read it yet
        assert "third 11" in executed(kept_store, "broken", run_id, "last")
    else:
        assert "broken.ipynb: error: is not JSON" in airflow.log_text("broken", run_id, "errors")


def _stage_pid(airflow: Airflow, run_id: str) -> int | None:
    """The process of the stage that sleeps, which its cell has printed."""
    found = re.search(r'"pid (\d+)"', airflow.log_text("slow", run_id, "sleep"))
    return int(found[1]) if found else None


def test_a_published_version_is_an_event_of_its_asset(airflow: Airflow, kept_store: Store) -> None:
    run_id = airflow.trigger("publishing")
    assert airflow.wait("publishing", run_id) == "success"
    events = airflow.call("GET", "/api/v2/assets/events?source_dag_id=publishing")["asset_events"]
    (event,) = [event for event in events if event["source_run_id"] == run_id]
    assert (event["uri"], event["source_task_id"]) == ("x-podline://models/scheduled", "publish")
    found = Model(kept_store, "scheduled").version("latest")
    assert event["extra"] == {
        "model": "scheduled",
        "version": found.version,
        "manifest": f"models/scheduled/versions/{found.version}/manifest.json",
        "sha256": found.digest,
    }
    assert (found.origin.run_id, found.origin.task_id) == (run_id, "publish")
    assert found.origin.notebook == "publishing"
