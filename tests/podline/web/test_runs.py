"""A DAG's runs together: their trend, two side by side, and what of them is usual."""

import csv
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.records import Server
from tests.support.run_copies import copied_run

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

API = "/podline/api/v1/dags/small"
DATES = {"start_date", "end_date"}


@pytest.fixture
def runs(server: Server) -> Iterator[None]:
    """Before the run of `small` three more: one like it, one that failed, one that still runs."""
    ended = {"state": "failed", "conf": {"rows": 3, "password": "hunter2-hunter2"}}
    runs = {"state": "running", "end_date": None}
    now = {"phase": "code", "since": time.time() - 3600 + 5}
    with ExitStack() as stack:
        stack.enter_context(copied_run(server, "small", "like", 3, run={"conf": {"rows": 2}}))
        stack.enter_context(
            copied_run(
                server, "small", "failed", 2, run=ended, tasks={"second": {"state": "failed"}}
            )
        )
        stack.enter_context(
            copied_run(
                server,
                "small",
                "runs",
                1,
                run=runs,
                tasks={"second": {"state": "running", "end_date": None}},
                notes={"second": {"latency.now.1": now}},
            )
        )
        yield


@pytest.mark.usefixtures("runs")
def test_the_trend_of_a_dag(server: Server) -> None:
    found = server.ask(f"{API}/trend").json
    assert found["run_id"] == ["like", "failed", "runs", server.runs["small"]]
    assert found["state"] == ["success", "failed", "running", "success"]
    assert found["total_entries"] == 4
    assert found["seconds"][2] is None
    assert all(found["seconds"][row] > 0.2 for row in (0, 1, 3))
    assert found["usual"]["seconds"]["n"] == found["usual"]["phases"]["code"]["n"] == 2
    assert len(found["phases"]["code"]) == 4
    assert found["start"][0].endswith("Z")
    assert found["start"] == sorted(found["start"])


@pytest.mark.usefixtures("runs")
def test_the_trend_of_a_task(server: Server) -> None:
    found = server.ask(f"{API}/trend?task_id=second&runs=3").json
    assert (found["task_id"], found["total_entries"]) == ("second", 4)
    assert found["run_id"] == ["failed", "runs", server.runs["small"]]
    assert found["seconds"][1] is None
    one = server.ask(f"{server.run_path('small')}/tasks/second").json
    assert found["seconds"][2] == pytest.approx(one["duration"])
    assert server.ask(f"{API}/trend?task_id=nonsense").status == 404


@pytest.mark.usefixtures("runs")
def test_the_trend_as_csv(server: Server) -> None:
    rows = list(csv.DictReader(io.StringIO(server.ask(f"{API}/trend?format=csv").text)))
    assert [row["state"] for row in rows] == ["success", "failed", "running", "success"]
    assert float(rows[0]["code"]) > 0.2
    assert rows[2]["seconds"] == ""


@pytest.mark.usefixtures("runs")
def test_what_is_usual_is_of_runs_that_succeeded(server: Server) -> None:
    history = server.ask(f"{API}/history").json
    assert [line["state"] for line in history["run_list"]] == [
        "success",
        "failed",
        "running",
        "success",
    ]
    assert history["runs"] == 4
    assert history["seconds"]["n"] == history["tasks"]["first"]["code"]["n"] == 2
    run = server.ask(server.run_path("small")).json
    assert run["compared_with"] == run["usual_seconds"]["n"] == 1
    one = server.ask(f"{server.run_path('small')}/tasks/first").json
    assert one["usual"]["code"]["n"] == 1


@pytest.mark.usefixtures("runs")
def test_two_runs_side_by_side(server: Server) -> None:
    last = server.runs["small"].replace("+", "%2B")
    found = server.ask(f"{API}/compare?run_id=like&with={last}").json
    assert [run["run_id"] for run in found["runs"]] == ["like", server.runs["small"]]
    assert all(run["seconds"] > 0.2 for run in found["runs"])
    assert found["runs"][0]["conf"] == {"rows": 2}
    rows = next(row for row in found["parameters"] if row["name"] == "rows")
    assert rows == {"name": "rows", "values": [2, None], "changed": True}
    backend = next(row for row in found["parameters"] if row["name"] == "backend")  # a default
    assert backend == {"name": "backend", "values": ["process", "process"], "changed": False}
    assert [task["state"] for task in found["tasks"]] == [["success", "success"]] * 2
    code = next(task for task in found["tasks"] if task["task_id"] == "first")["phases"]["code"]
    assert code[0] == pytest.approx(code[1])


@pytest.mark.usefixtures("runs")
def test_what_differs_most_comes_first(server: Server) -> None:
    found = server.ask(f"{API}/compare?run_id=like&with=runs").json
    first, same = found["tasks"]
    assert (first["task_id"], first["state"]) == ("second", ["success", "running"])
    assert first["seconds"][0] > 0
    assert first["seconds"][1] is None
    assert same["seconds"][0] == pytest.approx(same["seconds"][1])
    text = server.ask(f"{API}/compare?run_id=like&with=runs&format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (rows[0]["task_id"], rows[0]["phase"], rows[0]["with_seconds"]) == ("second", "", "")


def test_the_notebooks_version_is_told(server: Server) -> None:
    last = server.runs["small"].replace("+", "%2B")
    found = server.ask(f"{API}/compare?run_id={last}&with={last}").json
    assert len(found["runs"][0]["notebook_sha256"]) == 64


@pytest.mark.parametrize("query", ["run_id=like", "run_id=like&with=nonsense", "with=like"])
@pytest.mark.usefixtures("runs")
def test_both_runs_must_be_there(server: Server, query: str) -> None:
    assert server.ask(f"{API}/compare?{query}").status in (404, 422)


@pytest.mark.usefixtures("runs")
def test_parameters_are_told_to_who_may_read_runs_and_secrets_to_nobody(server: Server) -> None:
    query = f"{API}/compare?run_id=failed&with=like"
    for user, told in {"admin": True, "anna": True, "emil": False}.items():
        answer = server.ask(query, user)
        run = server.ask(server.run_path("small", "failed"), user).json
        assert "hunter2" not in answer.text
        assert run["conf"] == answer.json["runs"][0]["conf"]
        assert (run["conf"] is not None) is told
        assert bool(answer.json["parameters"]) is told
    assert server.ask(server.run_path("small", "failed")).json["conf"]["password"] == "***"


@pytest.mark.usefixtures("runs")
def test_what_a_try_is_at(server: Server) -> None:
    run = server.ask(server.run_path("small", "runs")).json
    row = run["tries"]["task_id"].index("second")
    assert run["tries"]["phase_now"][row] == "code"
    assert run["tries"]["phase_now_since"][row] == pytest.approx(time.time() - 3600 + 5, abs=60)
    assert run["tries"]["phase_now"][1 - row] is None
    one = server.ask(f"{server.run_path('small', 'runs')}/tasks/second").json
    assert (one["phase_now"], one["duration"], one["end_date"]) == ("code", None, None)


def test_times_and_names_are_airflows(server: Server) -> None:
    run = server.ask(server.run_path("small")).json
    path = f"/api/v2/dags/small/dagRuns/{server.runs['small']}".replace("+", "%2B")
    airflows: dict[str, Any] = server.ask(path).json
    shared = {"start_date", "end_date", "logical_date", "run_type", "state", "dag_id"}
    assert {name: run[name] for name in shared} == {name: airflows[name] for name in shared}
    assert run["total_entries"] == run["total"] == 2
    one = server.ask(f"{server.run_path('small')}/tasks/first").json
    theirs = server.ask(f"{path}/taskInstances/first").json
    assert {name: one[name] for name in DATES} == {name: theirs[name] for name in DATES}


def test_the_critical_path_and_failures_are_columns(server: Server) -> None:
    run = server.ask(server.run_path("plain") + "?limit=5000").json
    tries = run["tries"]
    keys = list(zip(tries["task_id"], tries["map_index"], tries["try_number"], strict=True))
    marked = {key for key, is_critical in zip(keys, tries["critical"], strict=True) if is_critical}
    steps = {
        (step["task_id"], step["map_index"], step["try_number"]) for step in run["critical_path"]
    }
    assert marked == steps != set()
    failure = tries["failure"][keys.index(("flaky", -1, 1))]
    assert failure.startswith("ValueError: <img")
    for user, told in {"dora": False, "emil": True}.items():
        seen = server.ask(server.run_path("plain") + "?limit=5000", user).json["tries"]["failure"]
        assert any(seen) is told


@pytest.mark.parametrize("number", [0, 1])
def test_a_task_that_airflow_ended_untried_has_no_try(server: Server, number: int) -> None:
    """One that was cleared keeps the number of the try before, of which nothing holds."""
    untried = {"state": "upstream_failed", "try_number": number}
    with copied_run(server, "small", "cut", 1, tasks={"second": untried}, notes={"second": {}}):
        run = server.ask(server.run_path("small", "cut")).json
        row = run["tries"]["task_id"].index("second")
        one = server.ask(f"{server.run_path('small', 'cut')}/tasks/second").json
    shown = {name: column[row] for name, column in run["tries"].items() if name != "phases"}
    assert (shown["try_number"], shown["start"], shown["end"]) == (None, None, None)
    assert (shown["state"], shown["partial"]) == ("upstream_failed", "")
    assert (one["try_number"], one["duration"], one["tries"]) == (None, None, [])
