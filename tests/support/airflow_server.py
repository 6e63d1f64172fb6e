"""A real Airflow (API server, scheduler, DAG processor) for a benchmark or a test, over REST."""

import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from podline.store.seaweedfs import can_bind
from tests.support.dags_test import environment
from tests.support.waiting import until

# A worker that was killed is missed soon, a busy one is not, and a task is tried again at once.
LOST_SOON = {
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}
_HEALTHY_SECONDS = 300
_ANSWER_SECONDS = 120  # the database alone waits for 60, on a busy machine
_SERVE = "import sys; from pathlib import Path; from podline.local_airflow import serve\n"
_SERVE += "sys.exit(serve(Path(sys.argv[1])))"


class Airflow:
    """A client of Airflow's REST API.

    Attributes:
        environment: that of Airflow's processes.
        password: of the user admin.
    """

    def __init__(self, url: str, password: str, environment: Mapping[str, str]) -> None:
        self.url, self.environment = url, environment
        self.password = password
        answer = self.call("POST", "/auth/token", {"username": "admin", "password": password})
        self.token = answer["access_token"]

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return Path(self.environment["AIRFLOW_HOME"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call an endpoint; returns its JSON.

        Raises:
            RuntimeError: the answer is an error; its text is in the message.
        """
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Content-Type", "application/json")
        if token := getattr(self, "token", None):
            request.add_header("Authorization", f"Bearer {token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=_ANSWER_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None

    def dags(self) -> dict[str, dict[str, Any]]:
        """The DAGs that Airflow knows, by id."""
        found = self.call("GET", "/api/v2/dags?limit=100&exclude_stale=false")["dags"]
        return {dag["dag_id"]: dag for dag in found}

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Trigger a run; returns its id."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        run = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        return str(run["dag_run_id"])

    def wait(self, dag_id: str, run_id: str, seconds: float = 200) -> str:
        """Wait until a run has ended; returns its state.

        Raises:
            TimeoutError: it has not.
        """
        path = run_path(dag_id, run_id)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):  # a server with much to do may not answer
                state = str(self.call("GET", path)["state"])
                if state in ("success", "failed"):
                    return state
            time.sleep(0.3)
        raise TimeoutError(f"{dag_id} {run_id} has not ended after {seconds} s")

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run, by task id."""
        path = f"{task_path(dag_id, run_id)}?limit=100"
        return {task["task_id"]: task for task in self.call("GET", path)["task_instances"]}

    def ended(self, dag_id: str, run_id: str) -> str:
        """How a run has ended; "": it has not, or the API server or its database is away."""
        with contextlib.suppress(OSError, RuntimeError):
            found = str(self.call("GET", run_path(dag_id, run_id))["state"])
            return found if found in ("success", "failed") else ""
        return ""

    def log(self, dag_id: str, run_id: str, task_id: str, number: int = 1) -> list[dict[str, Any]]:
        """The lines of a try of a task, each with its timestamp and event."""
        path = f"{task_path(dag_id, run_id, task_id)}/logs/{number}"
        lines: list[dict[str, Any]] = self.call("GET", path)["content"]
        return lines

    def log_text(self, dag_id: str, run_id: str, task_id: str, number: int = 1) -> str:
        """What Airflow answers for the log of a try, as JSON text; empty while there is none."""
        try:
            path = f"{task_path(dag_id, run_id, task_id)}/logs/{number}"
            return json.dumps(self.call("GET", path))
        except RuntimeError:
            return ""

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Mark a task as failed, which ends it."""
        self.call("PATCH", task_path(dag_id, run_id, task_id), {"new_state": "failed"})

    def clear(self, dag_id: str, run_id: str, task_id: str, downstream: bool = False) -> None:
        """Clear a task, which runs anew; with `downstream` those that follow it, too."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task_id]}
        body |= {"include_downstream": downstream, "only_failed": False}
        self.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def wait_for_dag(self, dag_id: str, seconds: float = 200) -> dict[str, Any]:
        """Wait until Airflow has parsed a DAG; returns what it says of it.

        Raises:
            TimeoutError: it has not.
        """
        try:
            dag: dict[str, Any] = until(lambda: self.dags().get(dag_id), seconds)
        except TimeoutError:
            raise TimeoutError(f"Airflow does not know {dag_id!r} after {seconds} s") from None
        return dag


def run_path(dag_id: str, run_id: str) -> str:
    """The path of a run in Airflow's API."""
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}"


def task_path(dag_id: str, run_id: str, task_id: str = "") -> str:
    """The path of a task instance in Airflow's API; of all of the run's without `task_id`."""
    path = f"{run_path(dag_id, run_id)}/taskInstances"
    return f"{path}/{task_id}" if task_id else path


@contextmanager
def running(home: Path, variables: Mapping[str, str], *dags: str) -> Iterator[Airflow]:
    """Run Airflow in a folder of its own, on a free port, as `make up` does.

    Args:
        home: AIRFLOW_HOME.
        variables: what the environment has beyond the defaults here.
        dags: DAGs that it must have parsed.

    Raises:
        RuntimeError: it is not healthy in time.
        TimeoutError: it does not know a DAG in time.
    """
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    env = os.environ | environment(home) | settings_at(port) | dict(variables)
    with (home / "serve.log").open("wb") as log:
        command = [sys.executable, "-u", "-c", _SERVE, str(home)]
        server = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_until_healthy(server, port, home)
        passwords = json.loads(next(home.glob("*passwords*.json*")).read_text())
        airflow = Airflow(f"http://127.0.0.1:{port}", passwords["admin"], env)
        for dag_id in dags:
            airflow.wait_for_dag(dag_id)
        yield airflow
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(90)


def _own_ports() -> Iterator[int]:
    """Ports of this worker's own, which the system gives nobody by itself, over and over."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, begin = 11_000 + 1_000 * (worker % 9), secrets.randbelow(1_000)
    return (first + (begin + number) % 1_000 for number in itertools.count())


_ports = _own_ports()


def free_port() -> int:
    """A port of this machine that nobody listens at, or gets until it is used."""
    return next(filter(can_bind, _ports))


def airflow_command() -> str:
    """The path of the command `airflow`."""
    return str(Path(sys.executable).with_name("airflow"))


def forks_with(library: str, home: Path) -> bool:
    """Whether Airflow's scheduler, whose processes run the tasks, has loaded a compiled library.

    Args:
        library: a part of its file's path.
        home: AIRFLOW_HOME of the scheduler.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may be another's, or gone
            command = (process / "cmdline").read_bytes().split(b"\0")
            mine = f"AIRFLOW_HOME={home}".encode() in (process / "environ").read_bytes()
            if mine and b"scheduler" in command and library in (process / "maps").read_text():
                return True
    return False


def settings_at(port: int) -> dict[str, str]:
    """The settings of an Airflow of tests that answers at a port of this machine."""
    return {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
    }


def _wait_until_healthy(server: "subprocess.Popen[bytes]", port: int, home: Path) -> None:
    deadline = time.monotonic() + _HEALTHY_SECONDS
    log = home / "serve.log"
    while "Ctrl-C stops it" not in log.read_text(errors="replace"):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Airflow does not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.3)
