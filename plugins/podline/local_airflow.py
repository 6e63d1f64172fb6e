"""Airflow on this machine, in the foreground: all of its parts, until Ctrl-C.

``airflow standalone`` stops its parts on SIGINT only (after SIGTERM they live on), prints their
logs all together, and does not say when it can be used. This starts it, waits until it is
healthy, says where it is, and stops it whichever signal comes.
"""

import configparser
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from podline import settings
from podline.airflow_compat import RUN_HERE, hostname_here
from podline.exceptions import PodlineError
from podline.files import CODE, make_private, replacing, searched_first
from podline.signals import handled

_HEALTHY_SECONDS = 180
_STOP_SECONDS = 30
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
# Airflow makes its API for tasks, and we ours, at the first request: for 5 s, on a busy machine 17,
# the API server answers nobody. So that is while its other parts start, not in the first task.
_WARMED = ("execution/health", "podline/api/v1/dags")

# All parts start at once, and a schedule's task may be the first of all: by Airflow's defaults it
# gives up after some seconds of an API server that is not up yet, and asks again what a busy one is
# still at. So it has a minute and more.
PATIENCE = {
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "20",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "2",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "8",
}
# A scheduler that was killed is missed after 30 s; what it ran is looked for this often (seconds),
# by default every 300. Airflow's limits for a scheduler or a task that is silent stay: shorter ones
# take tasks from workers that are busy, or whose API server is away.
ORPHANS_SOON = {"AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10"}
# Nobody else's machine reaches it, and its parts find one another.
_HERE = {
    "AIRFLOW__API__HOST": "127.0.0.1",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{hostname_here.__module__}.{hostname_here.__name__}",
}
_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_SQLITE_SECONDS = 60


class StandaloneError(PodlineError):
    """Airflow does not start."""


def default_home() -> Path:
    """AIRFLOW_HOME; else that of `make up` in a checkout, or a folder beside the store's data."""
    known = os.environ.get("AIRFLOW_HOME") or settings.beside_plugins(".airflow")
    return Path(known or settings.home() / "airflow")


def password_file(home: Path) -> Path:
    """The file with the passwords that `serve` made, by user."""
    return home / "passwords.json"


def serve(
    home: Path, variables: Mapping[str, str] | None = None, say: Callable[[str], None] = print
) -> int:
    """Run ``airflow standalone`` until a signal or its own end.

    Args:
        home: AIRFLOW_HOME; the log and the password file are there.
        variables: what its environment has beyond ours, such as the store's connection.
        say: prints a line for the user.

    Returns:
        0 after a signal, else its exit code.

    Raises:
        StandaloneError: its port is taken, or it is not healthy after three minutes.
    """
    port = int(os.environ.get("AIRFLOW__API__PORT", "8080"))
    _refuse_taken(port)
    make_private(home)
    password = _password(home)
    log = home / "standalone.log"
    stopped: list[int] = []  # the signals that came
    with handled(stopped.append, signal.SIGINT, signal.SIGTERM):
        child = _start(home, variables or {}, log)
        try:
            say(f"Airflow is starting; its log is {log}")
            if _wait_until_healthy(child, port, log, stopped):
                say(f"Airflow is at http://localhost:{port}  user admin  password {password}")
                say("Ctrl-C stops it.")
            while child.poll() is None and not stopped:
                time.sleep(0.2)
        finally:
            _stop(child)
    return 0 if stopped else child.returncode


def _start(home: Path, variables: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    beside = Path(sys.executable).parent
    environment = {
        **PATIENCE,
        **ORPHANS_SOON,
        **_HERE,
        **_patient_database(home),
        **os.environ,
        **variables,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(home)),
        "PATH": searched_first(beside, "PATH"),  # tasks call `airflow` too
        "PYTHONPATH": searched_first(CODE, "PYTHONPATH"),
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [*RUN_HERE, "standalone"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a terminal's Ctrl-C is ours to hand on, once
        )


def _patient_database(home: Path) -> dict[str, str]:
    """A setting by which SQLite's writers wait for one another, not for 5 s alone.

    On a busy machine a commit takes longer, and a scheduler ends with "database is locked".
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    config.read(home / "airflow.cfg")
    default = f"sqlite:///{home.absolute() / 'airflow.db'}"
    url = config.get("database", "sql_alchemy_conn", fallback=default)
    elsewhere = any(
        f"{_DATABASE}{way}" in os.environ
        or config.has_option("database", f"sql_alchemy_conn{way.lower()}")
        for way in ("_CMD", "_SECRET")
    )
    if elsewhere or not url.startswith("sqlite:") or "?" in url:
        return {}
    return {_DATABASE: f"{url}?timeout={_SQLITE_SECONDS}"}


def _stop(child: subprocess.Popen[bytes]) -> None:
    """SIGINT, and for what is left of its session after a while, SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _wait_until_healthy(
    child: subprocess.Popen[bytes], port: int, log: Path, stopped: list[int]
) -> bool:
    deadline = time.monotonic() + _HEALTHY_SECONDS
    cold = [*_WARMED]
    while not stopped:
        while cold and _ask(port, cold[0]) is not None:
            del cold[0]
        if not cold and _is_healthy(port):
            return True
        if child.poll() is not None:
            raise StandaloneError(f"Airflow ended with {child.returncode}. {_log_end(log)}")
        if time.monotonic() > deadline:
            raise StandaloneError(
                f"Airflow is not healthy after {_HEALTHY_SECONDS} s. {_log_end(log)}"
            )
        time.sleep(0.2)
    return False


def _is_healthy(port: int) -> bool:
    try:
        health = json.loads(_ask(port, "api/v2/monitor/health") or b"{}")
    except ValueError:
        return False
    return all(health.get(part, {}).get("status") == "healthy" for part in _PARTS)


def _ask(port: int, path: str) -> bytes | None:
    """What Airflow answers, be it an error; None: it does not, or not soon."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError:
        return b""
    except OSError:
        return None


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StandaloneError(
                f"Port {port} is taken ({error.strerror}): stop what listens there, or choose "
                "another with AIRFLOW__API__PORT (`make up PORT=8081`)."
            ) from None


def _password(home: Path) -> str:
    """The password of the user admin, made once, in a file that only its owner can read."""
    path = password_file(home)
    if not path.exists():
        with replacing(path) as part:
            part.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}))
    return str(json.loads(path.read_text())["admin"])


def _log_end(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-15:]
    return "\n  ".join([f"The end of {log}:", *lines])
