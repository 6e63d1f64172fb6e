"""Airflow on this machine: it starts, says where it is, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from podline import local_airflow
from podline.local_airflow import StandaloneError
from tests.support.airflow_server import airflow_command, free_port
from tests.support.dags_test import ROOT, environment, migrate
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("airflow")

SERVE = """
import functools, pathlib, sys
from podline import local_airflow
sys.exit(local_airflow.serve(pathlib.Path(sys.argv[1]), say=functools.partial(print, flush=True)))
"""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, which Airflow is told to use."""
    number = free_port()
    monkeypatch.setenv("AIRFLOW__API__PORT", str(number))
    monkeypatch.setenv("AIRFLOW__API__HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"http://localhost:{number}")
    monkeypatch.setenv("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return number


@pytest.fixture
def log_ports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports of the servers of logs."""
    found = []
    for part in ("WORKER", "TRIGGER"):
        found.append(free_port())
        monkeypatch.setenv(f"AIRFLOW__LOGGING__{part}_LOG_SERVER_PORT", str(found[-1]))
    return found


def test_the_airflow_of_make_up_is_found_without_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AIRFLOW_HOME")
    assert "AIRFLOW_HOME := $(CURDIR)/.airflow\n" in (ROOT / "Makefile").read_text()
    assert local_airflow.default_home() == ROOT / ".airflow"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_airflow_from_start_to_ctrl_c(port: int, log_ports: list[int], tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    home.mkdir(mode=0o755)  # as an earlier version made it
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home)], stdout=subprocess.PIPE, text=True
    ) as outer:
        assert outer.stdout
        assert "is starting" in outer.stdout.readline()
        where = outer.stdout.readline().split()
        password = where[-1]
        assert where[:4] == ["Airflow", "is", "at", f"http://localhost:{port}"]
        assert log_in(port, password)
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/execution/health") as answer:
            assert json.load(answer) == {"status": "healthy"}
        assert time.monotonic() - began < 3.5  # made anew, it takes 4 s and more
        ports = {port, *log_ports}
        until(lambda: {door.port for door in doors(outer.pid)} >= ports)
        assert {door.port for door in doors(outer.pid)} == ports
        assert {door.ip for door in doors(outer.pid)} == {"127.0.0.1"}
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        outer.send_signal(signal.SIGINT)
        assert outer.wait(120) == 0
    assert stat.S_IMODE((home / "passwords.json").stat().st_mode) == 0o600
    assert password not in (home / "standalone.log").read_text()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))  # nobody listens any more


def doors(process: int) -> list[Any]:
    """The addresses at which a process and what it started listen."""
    outer = psutil.Process(process)
    found = (one.net_connections("inet") for one in (outer, *outer.children(recursive=True)))
    return [c.laddr for every in found for c in every if c.status == psutil.CONN_LISTEN]


def log_in(port: int, password: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/auth/token",
        data=json.dumps({"username": "admin", "password": password}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["access_token"])


def test_a_taken_port_is_named(port: int, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(StandaloneError, match=f"Port {port} is taken"):
            local_airflow.serve(tmp_path)


def test_a_start_that_fails_shows_the_log(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "nosuchdatabase://")
    with pytest.raises(StandaloneError, match=r"Airflow ended with 1\. (.*\n)*.*nosuchdatabase"):
        local_airflow.serve(tmp_path, say=lambda line: None)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_writer_waits_for_another_of_a_busy_machine(tmp_path: Path) -> None:
    """By SQLite's own setting it gives up after 5 s, and Airflow's scheduler ends with it."""
    home = migrate(tmp_path)
    variables = environment(home) | local_airflow._patient_database(home)
    with contextlib.closing(sqlite3.connect(home / "airflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        command = [airflow_command(), "variables", "set", "colour", "green"]
        with subprocess.Popen(command, env=os.environ | variables) as writer:
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(20)
            other.rollback()
            assert writer.wait(60) == 0
        assert other.execute("SELECT key FROM variable").fetchall() == [("colour",)]


@pytest.mark.parametrize(
    ("url", "used"),
    [
        (None, "sqlite:///{home}/airflow.db?timeout=60"),
        ("sqlite:////var/lib/air.db", "sqlite:////var/lib/air.db?timeout=60"),
        ("sqlite:////var/lib/air.db?timeout=5", None),
        ("postgresql+psycopg2://me:100%@db/airflow", None),
    ],
)
def test_only_a_plain_sqlite_is_made_patient(
    url: str | None, used: str | None, tmp_path: Path
) -> None:
    if url:
        (tmp_path / "airflow.cfg").write_text(f"[database]\nsql_alchemy_conn = {url}\n")
    made = local_airflow._patient_database(tmp_path).get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    assert made == (used and used.format(home=tmp_path))


def test_a_database_that_a_command_names_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "airflow.cfg").write_text("[database]\nsql_alchemy_conn_cmd = cat url\n")
    assert not local_airflow._patient_database(tmp_path)
    (tmp_path / "airflow.cfg").unlink()
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET", "airflow/url")
    assert not local_airflow._patient_database(tmp_path)


CALL = """
from airflow.sdk.api.client import Client
print(Client(base_url="http://127.0.0.1:{}/", token="").get("late").status_code)
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_task_waits_for_an_api_server_that_is_late(port: int) -> None:
    """All parts start at once; by Airflow's own settings a task may give up after 10 s."""
    command = [sys.executable, "-W", "ignore", "-c", CALL.format(port)]
    environment = local_airflow.PATIENCE | os.environ
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as task:
        with pytest.raises(subprocess.TimeoutExpired):
            task.wait(25)
        with socket.create_server(("127.0.0.1", port)) as server:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert task.communicate(timeout=30)[0].endswith("204\n")


class Part(BaseHTTPRequestHandler):
    """A healthy API server that makes its parts at the first request, as Airflow's does."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(401 if "podline" in self.path else 200)
        self.end_headers()
        states = {part: {"status": "healthy"} for part in local_airflow._PARTS}
        self.wfile.write(json.dumps(states).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_what_the_first_task_would_wait_for_is_made_before_the_address_is_said(
    tmp_path: Path,
) -> None:
    Part.asked = []
    with HTTPServer(("127.0.0.1", 0), Part) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            port = server.server_port
            assert local_airflow._wait_until_healthy(child, port, tmp_path / "log", [])
            child.kill()
        server.shutdown()
    assert Part.asked == ["/execution/health", "/podline/api/v1/dags", "/api/v2/monitor/health"]
