"""Airflow's API as a command uses it: with a token, and with words for what goes wrong."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from podline import local_airflow
from podline.exceptions import PodlineError, SettingError

Query = Mapping[str, str | int]
_Answer = TypeVar("_Answer")

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
        who = {"username": user, "password": password}
        token = api._ask("POST", "/auth/token", json=who).json()["access_token"]
        return cls(api.url, token)

    def answer(self, kind: type[_Answer], path: Sequence[str], query: Query) -> _Answer:
        """Return podline's answer below its API.

        Args:
            kind: the dataclass that it is.
            path: its parts, which are escaped.
            query: parameters.

        Raises:
            ApiError: Airflow does not answer, or refuses.
        """
        text = self.text(path, query)
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError:
            raise ApiError(
                f"the podline of Airflow at {self.url} is of another version, and answers "
                "otherwise. fix: use the same version here as there"
            ) from None

    def text(self, path: Sequence[str], query: Query) -> str:
        """Return podline's answer as it came; the parts of `path` are escaped.

        Raises:
            ApiError: Airflow does not answer, or refuses.
        """
        where = "/".join(quote(part, safe="") for part in path)
        return self._ask("GET", f"/podline/api/v1/{where}", params=query).text

    def latest_run(self, dag_id: str) -> str:
        """Return the id of the run that began last.

        Raises:
            ApiError: there is none.
        """
        path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"
        runs = self._ask("GET", path, params={"order_by": "-start_date", "limit": 1}).json()
        if not runs["dag_runs"]:
            raise ApiError(f"the DAG {dag_id!r} has no run yet: trigger it")
        return str(runs["dag_runs"][0]["dag_run_id"])

    def _ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            # The system's certificates hold. A password goes to no other address than was given.
            trusted = ssl.create_default_context()
            with httpx.Client(headers=headers, verify=trusted, timeout=_SECONDS) as client:
                where = self.url + path
                answer = client.request(method, where, **sent, follow_redirects=method == "GET")
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, OSError) as error:
            raise ApiError(
                f"Airflow does not answer at {self.url}: {error}. fix: start it (`make up`), or "
                "give its address with --url or PODLINE_API_URL"
            ) from None
        if not answer.is_success:
            raise ApiError(self._refused(answer, path))
        return answer

    def _refused(self, answer: httpx.Response, path: str) -> str:
        try:
            detail = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = answer.reason_phrase
        if answer.status_code == 401:
            return (
                f"Airflow at {self.url} does not know you: {detail}. fix: give --user and "
                "PODLINE_API_PASSWORD, or PODLINE_API_TOKEN"
            )
        if answer.status_code == 403:
            return f"you may not see this: {detail}. fix: ask for the right to read the DAG's runs"
        if answer.status_code == 404 and detail == "Not Found":
            return f"Airflow at {self.url} has no podline: its plugins folder must be podline's"
        return f"{detail} ({answer.status_code}, {path})"


def _local_password(user: str) -> str:
    """The password that `make up` made, if there is one."""
    try:
        path = local_airflow.password_file(local_airflow.default_home())
        return str(json.loads(path.read_text())[user])
    except (OSError, ValueError, KeyError, SettingError):
        return ""
