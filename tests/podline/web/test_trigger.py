"""`podline trigger` follows a run of a real API server, and says what is wrong with a DAG."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.records import Server
from tests.support.run_copies import copied_run

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]


def trigger(server: Server, *words: str) -> "subprocess.CompletedProcess[str]":
    known = {"PODLINE_API_URL": server.url, "PODLINE_API_PASSWORD": "admin"}
    command = [sys.executable, "-m", "podline.cli", "trigger", *words]
    environment = os.environ | known
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@contextmanager
def following(server: Server, *words: str) -> Iterator[Iterator[str]]:
    """Follow a run, and have the lines that are told of it."""
    environment = os.environ | {"PODLINE_API_URL": server.url, "PODLINE_API_PASSWORD": "admin"}
    command = [sys.executable, "-m", "podline.cli", "trigger", *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield iter(process.stdout)


def event_of(line: str) -> tuple[str, str | None]:
    """What a line tells, and of which stage."""
    event = json.loads(line)
    return event["event"], event.get("stage")


def test_a_run_is_told_from_its_start_to_its_end(server: Server, tmp_path: Path) -> None:
    notebook = tmp_path / "executed.ipynb"
    done = trigger(server, "small", "--run", "latest", "--events", "-o", str(notebook))
    assert done.returncode == 0, done.stderr
    first, *events, last = map(json.loads, done.stdout.splitlines())
    assert first["event"] == "run"
    assert (first["dag_id"], first["run_id"]) == ("small", server.runs["small"])
    assert (last["event"], last["state"], last["failure"]) == ("over", "success", None)
    ends = {event["stage"]: event for event in events if event["event"] == "end"}
    assert ends.keys() == {*first["stages"]}
    assert ends["first"]["phases"]["code"] == pytest.approx(server.code)
    assert ends["first"]["succeeded"]
    assert 0.2 <= ends["first"]["cells"]["2"] <= server.code
    assert first["url"] == server.url + "/dags/small/runs/" + quote(server.runs["small"], safe="")
    cells = json.loads(notebook.read_text())["cells"]
    assert [cell["metadata"]["podline"]["cell"] for cell in cells] == [2, 3]
    assert cells[1]["outputs"][0]["text"] == "<b>y</b> is 2\n"


def test_a_stages_end_is_told_with_its_record_which_comes_later(server: Server) -> None:
    running = {"state": "running", "end_date": None}
    with (
        copied_run(server, "small", "late", 1, run=running),
        closing(sqlite3.connect(server.database)) as database,
    ):
        mine = "WHERE run_id = 'late' AND task_id = 'first'"
        database.execute(f"UPDATE task_state_store SET key = 'not yet ' || key {mine}")
        database.commit()
        with following(server, "small", "--run", "late", "--events") as lines:
            until_second = [event_of(next(lines)) for _ in range(4)]
            assert ("end", "first") not in until_second
            database.execute(f"UPDATE task_state_store SET key = substr(key, 9) {mine}")
            database.execute("UPDATE dag_run SET state = 'success' WHERE run_id = 'late'")
            database.commit()
            (end,) = [line for line in lines if event_of(line) == ("end", "first")]
    assert json.loads(end)["phases"]["code"] == pytest.approx(server.code)


def test_a_run_without_notebooks_leaves_none(server: Server, tmp_path: Path) -> None:
    notebook = tmp_path / "executed.ipynb"
    done = trigger(server, "plain", "--run", "latest", "--events", "-o", str(notebook))
    assert done.returncode == 0, done.stderr
    assert not notebook.exists()


def test_a_dag_that_airflow_does_not_know(server: Server) -> None:
    done = trigger(server, "nobody", "--conf", "{}")
    assert done.returncode == 1
    assert "has no DAG 'nobody'. fix: put the notebook there (`podline deploy`)" in done.stderr


@pytest.mark.parametrize("conf", ["rows=3", "[1]"])
def test_parameters_that_are_no_object(server: Server, conf: str) -> None:
    done = trigger(server, "small", "--conf", conf)
    assert done.returncode == 1
    assert f"--conf '{conf}'" in done.stderr
