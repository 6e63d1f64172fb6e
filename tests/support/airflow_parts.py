"""A real Airflow whose parts are processes of their own: each can be killed, and started again."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from podline.airflow_compat import RUN_HERE
from tests.support.airflow_server import Airflow, free_port, settings_at
from tests.support.dags_test import environment, migrate
from tests.support.waiting import until

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class AirflowParts:
    """Airflow's processes on this machine, over one database.

    Args:
        home: AIRFLOW_HOME, an empty folder.
        variables: what the environment has beyond the defaults of tests.

    Attributes:
        home: as given.
    """

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        self.home, self._port = migrate(home), free_port()
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({"admin": "admin"}))
        database = f"sqlite:///{home / 'airflow.db'}?timeout=60"
        self._environment = {
            **os.environ,
            **environment(home),
            **settings_at(self._port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "podline.airflow_compat.hostname_here",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            **variables,
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database(self) -> Path:
        """SQLite's file."""
        return self.home / "airflow.db"

    def start(self, part: str) -> None:
        """Start a part, which does not run."""
        with (self.home / f"{part}.log").open("ab") as log:
            self._running[part] = subprocess.Popen(
                [*RUN_HERE, part],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def set(self, variables: Mapping[str, str]) -> None:
        """Give parts other variables, from their next start on."""
        self._environment |= variables

    def kill(self, part: str) -> None:
        """Kill a part by SIGKILL, and all that it started, as the end of its container does."""
        process = self._running.pop(part)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def client(self) -> Airflow:
        """A client of the API, once it answers."""

        def answers() -> Airflow | None:
            try:
                return Airflow(f"http://127.0.0.1:{self._port}", "admin", self._environment)
            except (OSError, RuntimeError):
                return None

        found: Airflow = until(answers, 180)
        return found


@contextmanager
def parts(home: Path, variables: Mapping[str, str]) -> Iterator[AirflowParts]:
    """Run all of Airflow's parts; killed at the end."""
    airflow = AirflowParts(home, variables)
    for part in PARTS:
        airflow.start(part)
    try:
        yield airflow
    finally:
        for part in (*airflow._running,):
            airflow.kill(part)
