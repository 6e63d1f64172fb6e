"""Airflow's API as a client uses it: with a token, and with words for what goes wrong."""

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

    def page_of_run(self, dag_id: str, run_id: str) -> str:
        """The address of a run's page."""
        return f"{self.url}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"

    def is_paused(self, dag_id: str) -> bool | None:
        """Whether a DAG is paused, so that its runs wait; None: Airflow knows no such DAG.

        Raises:
            ApiError: Airflow does not answer, or refuses.
        """
        query: Query = {"dag_id_pattern": dag_id, "limit": 100}
        found = self._ask("GET", "/api/v2/dags", params=query).json()["dags"]
        return next((bool(dag["is_paused"]) for dag in found if dag["dag_id"] == dag_id), None)

    def latest_run(self, dag_id: str) -> str:
        """Return the id of the run that began last.

        Raises:
            ApiError: there is none.
        """
        runs = self._ask(
            "GET", _runs(dag_id), params={"order_by": "-start_date", "limit": 1}
        ).json()
        if not runs["dag_runs"]:
            raise ApiError(f"the DAG {dag_id!r} has no run yet: trigger it")
        return str(runs["dag_runs"][0]["dag_run_id"])

    def start_run(self, dag_id: str, conf: Mapping[str, Any], note: str) -> str:
        """Start a run of a DAG; returns its id.

        Args:
            dag_id: the DAG.
            conf: the run's parameters.
            note: why it was started, which Airflow shows.

        Raises:
            ApiError: Airflow does not answer, or refuses.
        """
        body = {"logical_date": None, "conf": dict(conf), "note": note}
        return str(self._ask("POST", _runs(dag_id), json=body).json()["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run, in Airflow's words: ``success``, ``failed`` or another.

        Raises:
            ApiError: Airflow does not answer, or there is no such run.
        """
        where = f"{_runs(dag_id)}/{quote(run_id, safe='')}"
        return str(self._ask("GET", where).json()["state"])

    def is_under_way(self, dag_id: str) -> bool:
        """Whether a run of a DAG goes on, or waits to.

        Raises:
            ApiError: Airflow does not answer, or there is no such DAG.
        """
        query = {"state": ["queued", "running"], "limit": 1}
        return bool(self._ask("GET", _runs(dag_id), params=query).json()["total_entries"])

    def create_event(self, asset: str, extra: Mapping[str, Any]) -> None:
        """Create an event of an asset, for which DAGs may wait.

        Args:
            asset: its name.
            extra: what the event says.

        Raises:
            ApiError: Airflow does not answer, refuses, or has no such asset.
        """
        query: Query = {"name_pattern": asset, "limit": 100}
        found = self._ask("GET", "/api/v2/assets", params=query).json()["assets"]
        ids = [one["id"] for one in found if one["name"] == asset]
        if not ids:
            raise ApiError(
                f"Airflow at {self.url} has no asset {asset!r}: name one that a DAG waits for"
            )
        self._ask("POST", "/api/v2/assets/events", json={"asset_id": ids[0], "extra": dict(extra)})

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
            do, right = ("see", "read") if answer.request.method == "GET" else ("do", "create")
            fix = f"ask for the right to {right} the DAG's runs"
            return f"you may not {do} this: {detail}. fix: {fix}"
        if answer.status_code == 404 and detail == "Not Found":
            return f"Airflow at {self.url} has no podline: its plugins folder must be podline's"
        return f"{detail} ({answer.status_code}, {path})"


def _runs(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"


def _local_password(user: str) -> str:
    """The password that `make up` made, if there is one."""
    try:
        path = local_airflow.password_file(local_airflow.default_home())
        return str(json.loads(path.read_text())[user])
    except (OSError, ValueError, KeyError, SettingError):
        return ""
