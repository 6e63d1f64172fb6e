"""The API below Airflow's: where the time of runs, tries and DAGs went.

Every route asks Airflow's own authorisation for the DAG in its path, and for what it tells of it.
There is no documentation and no static folder to be read without it.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Literal

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import (
    GetUserDep,
    requires_access_asset,
    requires_authenticated,
)
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from podline.exceptions import PodlineError
from podline.extensions import PAGES, extensions, guarded
from podline.latency import answers
from podline.web import models, queries, static_files, stored
from podline.web.access import OF_DAG, OF_NOTEBOOK, may_read, seen_by
from podline.web.csv_rows import history_rows, phase_rows
from podline.web.responses import SAFE, to_csv, to_json, to_page

Format = Annotated[Literal["json", "csv"], Query(alias="format")]
Runs = Annotated[int, Query(ge=1, le=200)]
Limit = Annotated[int, Query(ge=1, le=5000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Id = Annotated[str, Path(max_length=1000)]
MapIndex = Annotated[int, Query(ge=-1, le=1_000_000)]
TryNumber = Annotated[int | None, Query(ge=0, le=100_000)]


_of_dag = APIRouter(prefix="/api/v1/dags/{dag_id}", dependencies=OF_DAG)
_of_all = APIRouter()


@cache
def make_app() -> FastAPI:
    """Make the application; once, as its routers are the module's."""
    app = FastAPI(
        title="podline",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(requires_authenticated())],
    )
    for name, add_pages in extensions(PAGES):
        guarded(name, partial(add_pages, _of_dag, _of_all))
    for router in (_of_dag, _of_all, _of_models):
        app.include_router(router)
    app.add_exception_handler(PodlineError, _explain)
    return app


def _explain(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 404, SAFE)


# --- one DAG ------------------------------------------------------------------------------------


def _one_try(
    dag_id: Id,
    run_id: Id,
    task_id: Id,
    session: SessionDep,
    map_index: MapIndex = -1,
    try_number: TryNumber = None,
) -> answers.OneTry:
    run = queries.read_run(session, dag_id, run_id, (task_id, map_index))
    return run.one_try(task_id, map_index, try_number)


OneTry = Annotated[answers.OneTry, Depends(_one_try)]


@_of_dag.get("/runs/{run_id}")
def run(
    dag_id: Id,
    run_id: Id,
    session: SessionDep,
    form: Format = "json",
    runs: Runs = 20,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> Response:
    """Where the time of a run went.

    Args:
        dag_id: the DAG.
        run_id: the run.
        session: of Airflow's database.
        form: ``json``: the phases as columns; ``csv``: a row a phase of a try.
        runs: how many earlier runs it is compared with.
        limit: how many tries are given; totals are of all.
        offset: how many are passed over.
    """
    found = queries.read_run(session, dag_id, run_id)
    if form == "csv":
        return to_csv(phase_rows(found.records[offset : offset + limit]))
    before = queries.read_before(session, found, runs)
    return to_json(answers.of_run(found, before, limit, offset))


@_of_dag.get("/runs/{run_id}/tasks/{task_id}")
def task(
    found: OneTry, session: SessionDep, user: GetUserDep, form: Format = "json", runs: Runs = 20
) -> Response:
    """Where the time of one try went: all that its record says.

    Args:
        found: the try.
        session: of Airflow's database.
        user: Airflow's; whoever may not read logs is not told why the try failed.
        form: ``json``, or ``csv`` with a row a phase.
        runs: how many earlier runs it is compared with.
    """
    if form == "csv":
        return to_csv(phase_rows([found.record]))
    before = queries.read_before(session, found.run, runs)
    return to_json(answers.of_try(replace(found, record=seen_by(user, found.record)), before))


@_of_dag.get("/runs/{run_id}/tasks/{task_id}/notebook", dependencies=OF_NOTEBOOK)
def notebook(found: OneTry) -> Response:
    """The executed notebook of a try as a page; without its page, the notebook itself.

    Its text is the notebook's: a browser is told to run none of it.
    """
    return to_page(*stored.executed_notebook(found.record))


@_of_dag.get("/history")
def history(dag_id: Id, session: SessionDep, form: Format = "json", runs: Runs = 20) -> Response:
    """How long each phase of each task takes, over the last runs of a DAG.

    Args:
        dag_id: the DAG.
        session: of Airflow's database.
        form: ``json``, or ``csv`` with a row a task and phase.
        runs: how many runs.
    """
    found = queries.read_history(session, dag_id, runs)
    return to_csv(history_rows(found)) if form == "csv" else to_json(found)


# --- all DAGs -----------------------------------------------------------------------------------


@_of_all.get("/api/v1/dags")
def dags(
    session: SessionDep,
    user: GetUserDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Offset = 0,
    search: Annotated[str, Query(max_length=200)] = "",
    runs: Runs = 20,
) -> Response:
    """The DAGs that have records and that the user may read, the one that ran last first.

    Args:
        session: of Airflow's database.
        user: Airflow's.
        limit: how many are given.
        offset: how many are passed over.
        search: a part of their ids.
        runs: how many runs of each are looked at.
    """
    allowed = [
        dag_id for dag_id in queries.recorded_dags(session, search) if may_read(user, dag_id)
    ]
    page = allowed[offset : offset + limit]
    found = [queries.read_history(session, dag_id, runs).in_short() for dag_id in page]
    since = queries.recorded_since(session, allowed)
    return to_json({"dags": found, "total": len(allowed), "offset": offset, "since": since})


# A model is an asset of Airflow's: who may read those may read what is published.
_of_models = APIRouter(
    prefix="/api/v1/models", dependencies=[Depends(requires_access_asset("GET"))]
)


@_of_models.get("")
def all_models() -> Response:
    """The models, and what their aliases mean."""
    return to_json({"models": models.listed()})


@_of_models.get("/{name}")
def model(name: Id, user: GetUserDep) -> Response:
    """A model's versions with their metrics, files and origins, and what its aliases mean.

    Args:
        name: the model's.
        user: Airflow's; of a run of a DAG that they may not read, nothing is said.
    """
    return to_json(models.one(name, partial(may_read, user)))


@_of_all.get("/page/{digest}/{name}")
def page_file(digest: Id, name: Id, request: Request) -> Response:
    """A file of the page; it changes its address with its content.

    Args:
        digest: of the page.
        name: the file's.
        request: the browser's.

    Raises:
        HTTPException: the page has no such file, or is another by now.
    """
    content = static_files.contents().get(name)
    if content is None or digest != static_files.digest():
        raise HTTPException(404, "the page has no such file: load it again")
    headers = {
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)
