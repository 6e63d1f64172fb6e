"""Airflow on this machine: it starts, says where it is, and leaves nothing behind."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from podline import local_airflow
from podline.local_airflow import StandaloneError
from tests.support.airflow_server import free_port

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


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_airflow_from_start_to_ctrl_c(port: int, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home)], stdout=subprocess.PIPE, text=True
    ) as outer:
        assert outer.stdout
        assert "is starting" in outer.stdout.readline()
        where = outer.stdout.readline().split()
        password = where[-1]
        assert where[:4] == ["Airflow", "is", "at", f"http://localhost:{port}"]
        assert log_in(port, password)
        outer.send_signal(signal.SIGINT)
        assert outer.wait(60) == 0
    assert stat.S_IMODE((home / "passwords.json").stat().st_mode) == 0o600
    assert password not in (home / "standalone.log").read_text()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))  # nobody listens any more


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


CALL = """
from airflow.sdk.api.client import Client
print(Client(base_url="http://127.0.0.1:{}/", token="").get("late").status_code)
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_task_waits_for_an_api_server_that_is_late(port: int) -> None:
    """All parts start at once; by Airflow's own settings a task may give up after 10 s."""
    command = [sys.executable, "-W", "ignore", "-c", CALL.format(port)]
    environment = local_airflow._PATIENCE | os.environ
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as task:
        with pytest.raises(subprocess.TimeoutExpired):
            task.wait(25)
        with socket.create_server(("127.0.0.1", port)) as server:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert task.communicate(timeout=30)[0].endswith("204\n")
