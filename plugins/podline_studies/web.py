"""The studies' reports in Airflow's UI: what this package adds to podline's pages."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from podline.exceptions import PodlineError
from podline.store import ObjectMissing, StoreError, open_store
from podline.web.access import OF_LOGS, may_read
from podline.web.parameters import Id
from podline.web.responses import to_json, to_page
from podline_studies.registry import KINDS, kind_of_dag
from podline_studies.report_store import FOLDER, HTML
from podline_studies.study import Kind, Study, studies


@dataclass(frozen=True)
class Reported:
    """A study that has a report, and the DAG that measured it."""

    dag_id: str
    study: str


@dataclass(frozen=True)
class Studies:
    """The studies that have a report."""

    studies: list[Reported]


def add_pages(of_dag: APIRouter, of_all: APIRouter) -> None:
    """Add the routes of the studies.

    Args:
        of_dag: below a DAG, for whoever may read it.
        of_all: for everybody who is logged in.
    """
    # It says why runs failed.
    of_dag.get("/studies/{study}", dependencies=OF_LOGS, response_class=HTMLResponse)(study_page)
    of_all.get("/api/v1/studies", response_model=Studies)(all_studies)


def study_page(dag_id: Id, study: Id) -> Response:
    """The report of a study that a DAG measured; a browser is told to run nothing of it.

    Args:
        dag_id: the study's DAG.
        study: its name.

    Raises:
        PodlineError: there is none.
    """
    if kind := kind_of_dag(dag_id):
        store = open_store()
        with suppress(ObjectMissing, ValueError):
            page = bytes(store.get(Study(store, kind, study).key(FOLDER, HTML)))
            return to_page(page, downloads=True)  # the data of its figures
    raise PodlineError(f"the DAG {dag_id!r} has no report of a study {study!r}")


def all_studies(user: GetUserDep) -> Response:
    """The studies that have a report and that the user may read.

    Args:
        user: Airflow's.
    """
    allowed = [kind for kind in KINDS.values() if may_read(user, kind.dag_id)]
    found = [Reported(kind.dag_id, name) for kind in allowed for name in reported(kind)]
    return to_json(Studies(found))


def reported(kind: Kind[Any, Any]) -> list[str]:
    """The studies of a kind that have a report; none: the store is away, or has none."""
    try:
        store = open_store()
        names = studies(store, kind.name)
        return [name for name in names if store.exists(Study(store, kind, name).key(FOLDER, HTML))]
    except StoreError:
        return []
