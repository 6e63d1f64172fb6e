"""Airflow's API as a command uses it: with a token, and with words for what goes wrong."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from podline import settings
from podline.exceptions import PodlineError

_SECONDS = 60


class ApiError(PodlineError):
    """Airflow does not answer, or refuses."""


@dataclass(frozen=True)
class Api:
    """Airflow's API at an address, and who asks."""

    url: str
    token: str

    @classmethod
    def open(cls, url: str, user: str) -> Self:
        """Get a token.

        Args:
            url: Airflow's address; empty: that of `make up`.
            user: whose password is in PODLINE_API_PASSWORD, or in the file of `make up`.

        Raises:
            ApiError: Airflow does not answer, or does not know the user.
        """
        local = f"http://localhost:{os.environ.get('AIRFLOW__API__PORT', '8080')}"
        api = cls((url or local).rstrip("/"), os.environ.get("PODLINE_API_TOKEN", ""))
        if api.token:
            return api
        password = os.environ.get("PODLINE_API_PASSWORD") or _local_password(user)
        body = json.dumps({"username": user, "password": password}).encode()
        answer = json.loads(api._ask("/auth/token", body))
        return cls(api.url, answer["access_token"])

    def json(self, path: Sequence[str], query: Mapping[str, Any]) -> Any:
        """Return podline's answer below its API."""
        return json.loads(self.text(path, query))

    def text(self, path: Sequence[str], query: Mapping[str, Any]) -> str:
        """Return podline's answer as it came; the parts of `path` are escaped."""
        where = "/".join(quote(part, safe="") for part in path)
        return self._ask(f"/podline/api/v1/{where}?{urlencode(query)}")

    def latest_run(self, dag_id: str) -> str:
        """Return the id of the run that began last.

        Raises:
            ApiError: there is none.
        """
        query = urlencode({"order_by": "-start_date", "limit": 1})
        answer = json.loads(self._ask(f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns?{query}"))
        if not answer["dag_runs"]:
            raise ApiError(f"the DAG {dag_id!r} has no run yet: trigger it")
        return str(answer["dag_runs"][0]["dag_run_id"])

    def _ask(self, path: str, body: bytes | None = None) -> str:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise ApiError(self._refused(error, path)) from None
        except OSError as error:
            why = getattr(error, "reason", error)
            raise ApiError(
                f"Airflow does not answer at {self.url}: {why}. fix: start it (`make up`), or give "
                "its address with --url or PODLINE_API_URL"
            ) from None

    def _refused(self, error: urllib.error.HTTPError, path: str) -> str:
        try:
            detail = json.load(error)["detail"]
        except (ValueError, KeyError, TypeError):
            detail = error.reason
        if error.code == 401:
            return (
                f"Airflow at {self.url} does not know you: {detail}. fix: give --user and "
                "PODLINE_API_PASSWORD, or PODLINE_API_TOKEN"
            )
        if error.code == 403:
            return f"you may not see this: {detail}. fix: ask for the right to read the DAG's runs"
        if error.code == 404 and detail == "Not Found":
            return f"Airflow at {self.url} has no podline: its plugins folder must be podline's"
        return f"{detail} ({error.code}, {path.partition('?')[0]})"


def _local_password(user: str) -> str:
    """The password that `make up` made, if there is one."""
    home = Path(os.environ.get("AIRFLOW_HOME") or settings.home() / "airflow")
    try:
        return str(json.loads((home / "passwords.json").read_text())[user])
    except (OSError, ValueError, KeyError):
        return ""
