"""`podline latency` asks a real API server."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from tests.support.records import Server

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

NOWHERE = "http://127.0.0.1:9"


def latency(server: Server, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    known = {"PODLINE_API_URL": server.url, "PODLINE_API_PASSWORD": "admin"}
    command = [sys.executable, "-m", "podline.cli", "latency", *words]
    environment = os.environ | known | env
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_run(server: Server) -> None:
    done = latency(server, "small", "latest")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"small {server.runs['small']}  success\n")
    head, first = (
        next(line.split() for line in done.stdout.splitlines() if line.startswith(word))
        for word in ("seconds", "first")
    )
    assert head[1:3] == ["prepare", "submit"]
    assert head[-2:] == ["sum", "overhead"]
    assert float(first[head.index("code")]) == pytest.approx(server.code, abs=0.006)
    assert "critical path: first" in done.stdout


def test_the_history_of_a_dag(server: Server) -> None:
    done = latency(server, "small")
    assert done.returncode == 0, done.stderr
    assert "1 runs" in done.stdout
    assert any(line.split()[:2] == ["first", "code"] for line in done.stdout.splitlines())


def test_csv_and_json_are_what_the_api_gives(server: Server) -> None:
    rows = list(
        csv.DictReader(io.StringIO(latency(server, "small", "latest", "--format", "csv").stdout))
    )
    assert {row["task_id"] for row in rows} == {"first", "second"}
    found = json.loads(latency(server, "small", server.runs["small"], "--format", "json").stdout)
    assert found["dag_id"] == "small"


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["small", "nonsense"], {}, "has no run 'nonsense'"),
        (["nothing", "latest"], {}, "nothing"),
        (["small"], {"PODLINE_API_PASSWORD": "wrong"}, "does not know you"),
        (["small"], {"PODLINE_API_URL": NOWHERE}, f"does not answer at {NOWHERE}"),
        (["plain", "--user", "anna"], {"PODLINE_API_PASSWORD": "anna"}, "you may not see this"),
        (["small", "--format", "xml"], {}, "give table, csv or json"),
    ],
)
def test_what_goes_wrong_is_said(
    server: Server, words: list[str], env: dict[str, str], said: str
) -> None:
    done = latency(server, *words, **env)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
