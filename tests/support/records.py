"""A real API server over a database of real runs, with users that may read one DAG only.

For the tests of the API and of the page, and for their benchmark.
"""

import json
import os
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.airflow_server import airflow_command, free_port
from tests.support.dags_test import ROOT
from tests.support.notebooks import code_cell, notebook_text

# Who may read which DAG; admin may read all.
RIGHTS = {"anna": ["small"], "ben": ["plain"], "carl": []}
# And who may read no more of it than some parts, by Airflow's names of them.
PARTS = {
    "dora": ["TASK_INSTANCE"],
    "emil": ["TASK_INSTANCE", "TASK_LOGS"],
    "fred": ["TASK_INSTANCE", "CODE", "XCOM"],
    "gina": ["TASK_INSTANCE", "TASK_LOGS", "CODE"],
    "hugo": ["RUN", "TASK_LOGS", "CODE", "XCOM"],
}
SECRET = "horse-battery-staple"  # which a task of `plain` has masked, and tells when it fails
MANY = 1000  # map indices of the large run

_STATES = "task_state_store"

_BY_DAG = f"""
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

RIGHTS, PARTS = {RIGHTS!r}, {PARTS!r}

class ByDag(SimpleAuthManager):
    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username in PARTS:
            return access_entity is not None and access_entity.name in PARTS[user.username]
        if user.username not in RIGHTS:
            return super().is_authorized_dag(
                method=method, user=user, access_entity=access_entity, details=details
            )
        return details is not None and details.id in RIGHTS[user.username]
"""
_PLAIN = f"""
from airflow.exceptions import AirflowSkipException
from airflow.sdk import dag, task
from airflow.sdk.log import mask_secret

@dag(schedule=None)
def plain():
    @task
    def one():
        return [1, 2]

    @task
    def each(number):
        return number

    @task(retries=1, retry_delay=0)
    def flaky(ti=None):
        if ti.try_number == 1:
            mask_secret({SECRET!r})
            raise ValueError("<img src=x onerror=alert(1)> {SECRET}")

    @task
    def skipped():
        raise AirflowSkipException

    each.expand(number=one()) >> [flaky(), skipped()]

plain()
"""
_CELLS = [
    code_cell("import time", "imports"),
    code_cell("x = 1\ntime.sleep(0.2)", "step:first"),
    code_cell("y = x + 1\nprint('<b>y</b> is', y)", "step:second"),
]


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Server:
    """The API server, its database, and the runs in it by DAG."""

    url: str
    database: Path
    runs: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        path: str,
        user: str | None = "admin",
        method: str = "GET",
        body: Any = None,
        **headers: str,
    ) -> Answer:
        """Ask the server.

        Args:
            path: with the query.
            user: who asks; None: nobody.
            method: HTTP's.
            body: is sent as JSON.
            headers: further ones.
        """
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | headers
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        if user is not None:
            request.add_header("Authorization", f"Bearer {self.token(user)}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def token(self, user: str) -> str:
        """A user's token."""
        if user not in self.tokens:
            body = {"username": user, "password": user}
            answer = self.ask("/auth/token", None, "POST", body)
            self.tokens[user] = answer.json["access_token"]
        return self.tokens[user]

    @property
    def code(self) -> float:
        """Seconds that the code of the stage `first` took: 0.2, and what a busy machine added."""
        phases = self.ask(f"{self.run_path('small')}/tasks/first").json["phases"]
        seconds = next(float(one["seconds"]) for one in phases if one["name"] == "code")
        assert seconds >= 0.2
        return seconds

    def run_path(self, dag_id: str, run_id: str | None = None) -> str:
        """The path of a run in our API."""
        run = quote(run_id or self.runs[dag_id], safe="")
        return f"/podline/api/v1/dags/{dag_id}/runs/{run}"


@contextmanager
def serving(home: Path, store: Mapping[str, str]) -> Iterator[Server]:
    """Serve, after a run of a notebook's DAG and of one of plain tasks.

    Args:
        home: AIRFLOW_HOME, a folder that is empty.
        store: what the environment must have for the store.

    Raises:
        RuntimeError: a run, or the server, failed.
    """
    env = {**_environment(home), **store}
    _run(env, "db", "migrate")
    for dag_id in ("small", "plain"):
        _run(env, "dags", "test", dag_id)
    database = home / "airflow.db"
    with closing(sqlite3.connect(database)) as connection:
        runs = dict(connection.execute("SELECT dag_id, run_id FROM dag_run"))
        _copy_many(connection)
    port = int(env["AIRFLOW__API__PORT"])
    found = Server(f"http://127.0.0.1:{port}", database, runs)
    with (home / "api.log").open("wb") as log:
        command = [airflow_command(), "api-server"]
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait(found, process, home / "api.log")
            yield found
        finally:
            process.terminate()
            process.wait(60)


def _environment(home: Path) -> dict[str, str]:
    files = {
        "config/by_dag.py": _BY_DAG,
        "dags/plain.py": _PLAIN,
        "dags/notebooks.py": (ROOT / "dags" / "notebook_pipelines_dag.py").read_text(),
        "notebooks/small.ipynb": notebook_text(_CELLS),
        "passwords.json": json.dumps({name: name for name in ["admin", *RIGHTS, *PARTS]}),
    }
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    port = free_port()
    users = ["admin:admin", *(f"{name}:viewer" for name in (*RIGHTS, *PARTS))]
    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": "k" * 32,
        "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
        "AIRFLOW__CORE__AUTH_MANAGER": "by_dag.ByDag",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(users),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(home / "notebooks"),
        "PYTHONPATH": os.pathsep.join([str(home / "config"), str(ROOT / "plugins")]),
    }


def _run(env: dict[str, str], *words: str) -> None:
    command = [airflow_command(), *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")


def _wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if server.ask("/api/v2/version", None).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"the API server does not start: {log.read_text()[-3000:]}")


def _copy_many(connection: sqlite3.Connection) -> None:
    """Make the mapped task a thousand: each instance has a copy of a stage's record and times."""
    connection.row_factory = sqlite3.Row
    stage, record = _row(connection, "task_instance", "first"), _row(connection, _STATES, "first")
    mine, state = _row(connection, "task_instance", "each"), _row(connection, _STATES, "each")
    times = {name: stage[name] for name in ("start_date", "end_date", "queued_dttm", "duration")}
    about = {"dag_id": "plain", "run_id": mine["run_id"], "task_id": "each", "upstream": ["one"]}
    for index in range(2, MANY):
        instance = {**mine, **times, "id": f"{index:032x}", "map_index": index}
        insert(connection, "task_instance", instance)
        value = json.dumps({**json.loads(record["value"]), **about, "map_index": index})
        insert(connection, _STATES, {**state, "id": None, "map_index": index, "value": value})
    connection.commit()


def _row(connection: sqlite3.Connection, table: str, task_id: str) -> dict[str, Any]:
    """The first row of a task."""
    query = f"SELECT * FROM {table} WHERE task_id = ? ORDER BY map_index"
    return dict(connection.execute(query, (task_id,)).fetchone())


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Insert a row into a table; its columns are the row's keys."""
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*row.values()])
