"""The API below Airflow's: where the time of runs, tries and DAGs went.

Every route asks Airflow's own authorisation for the DAG in its path, and for what it tells of it.
Neither its description nor any file can be read without a login.
"""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_authenticated
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

import podline
from podline.exceptions import PodlineError
from podline.extensions import PAGES, extensions, guarded
from podline.latency import answers, comparison
from podline.latency.comparison import Comparison
from podline.latency.trend import Trend
from podline.models.registry import AliasMoved
from podline.store import ObjectMissing, StoreError
from podline.web import csv_rows, fleet_routes, model_routes, queries, static_files, stored
from podline.web.access import OF_DAG, OF_KNOWN_DAG, OF_NOTEBOOK, RUN, may_read, seen_by
from podline.web.parameters import (
    Download,
    Form,
    Format,
    GivenId,
    Id,
    Limit,
    MapIndex,
    Offset,
    Runs,
    Search,
    TryNumber,
)
from podline.web.responses import SAFE, to_csv, to_file, to_json, to_page

# The other forms of answers, for their description.
_OR_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}, "application/x-ipynb+json": {}}}
}

_of_dag = APIRouter(prefix="/api/v1/dags/{dag_id}", dependencies=OF_DAG)
_of_all = APIRouter()


@cache
def make_app() -> FastAPI:
    """Make the application; once, as its routers are the module's."""
    app = FastAPI(
        title="podline",
        version=podline.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(requires_authenticated())],
    )
    for name, add_pages in extensions(PAGES):
        guarded(name, partial(add_pages, _of_dag, _of_all))
    for router in (_of_dag, _of_all, model_routes.router, fleet_routes.router):
        app.include_router(router)
    app.add_exception_handler(PodlineError, _explain)
    return app


def _explain(request: Request, error: Exception) -> Response:
    status = 404
    if isinstance(error, AliasMoved):
        status = 409
    elif isinstance(error, StoreError) and not isinstance(error, ObjectMissing):
        status = 503
    return JSONResponse({"detail": str(error)}, status, SAFE)


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


@_of_dag.get("/runs/{run_id}", response_model=answers.RunAnswer, responses=_OR_CSV)
def run(
    dag_id: Id,
    run_id: Id,
    session: SessionDep,
    user: GetUserDep,
    form: Format = "json",
    runs: Runs = 20,
    limit: Limit = 1000,
    offset: Offset = 0,
    download: Download = False,
) -> Response:
    """Where the time of a run went.

    Args:
        dag_id: the DAG.
        run_id: the run.
        session: of Airflow's database.
        user: Airflow's; whoever may not read runs is not told its parameters, and whoever may not
            read logs not why tries failed.
        form: ``json``: the phases as columns; ``csv``: a row a phase of a try.
        runs: how many earlier runs it is compared with.
        limit: how many tries are given; totals are of all.
        offset: how many are passed over.
        download: whether it is to be saved.
    """
    found = queries.read_run(session, dag_id, run_id)
    if form == "csv":
        answer = to_csv(csv_rows.phase_rows(found.records[offset : offset + limit]))
    else:
        before = queries.read_before(session, found, runs)
        seen = replace(found, records=seen_by(user, dag_id, found.records))
        answer = to_json(answers.of_run(_told(user, seen), before, limit, offset))
    return _saved(answer, download, f"{dag_id}-{run_id}.{form}")


@_of_dag.get("/runs/{run_id}/tasks/{task_id}", response_model=answers.TryAnswer, responses=_OR_CSV)
def task(
    found: OneTry,
    session: SessionDep,
    user: GetUserDep,
    form: Format = "json",
    runs: Runs = 20,
    download: Download = False,
) -> Response:
    """Where the time of one try went: all that its record says.

    Args:
        found: the try.
        session: of Airflow's database.
        user: Airflow's; whoever may not read logs is not told why the try failed.
        form: ``json``, or ``csv`` with a row a phase.
        runs: how many earlier runs it is compared with.
        download: whether it is to be saved.
    """
    if form == "csv":
        answer = to_csv(csv_rows.phase_rows([found.record]))
    else:
        before = queries.read_before(session, found.run, runs)
        (record,) = seen_by(user, found.run.dag_id, [found.record])
        answer = to_json(answers.of_try(replace(found, record=record), before))
    return _saved(answer, download, f"{_name_of(found)}.{form}")


@_of_dag.get(
    "/runs/{run_id}/tasks/{task_id}/notebook",
    dependencies=OF_NOTEBOOK,
    response_class=Response,
    responses=_PAGE,
)
def notebook(found: OneTry, form: Form = "html", download: Download = False) -> Response:
    """The executed notebook of a try as a page; without its page, the notebook itself.

    Its text is the notebook's: a browser is told to run none of it.

    Args:
        found: the try.
        form: ``html``, or ``ipynb``: the notebook itself.
        download: whether it is to be saved.
    """
    content, ending, kind = stored.executed_notebook(found.record, form)
    return _saved(to_page(content, kind), download, f"{_name_of(found)}.{ending}")


@_of_dag.get(
    "/history", dependencies=OF_KNOWN_DAG, response_model=answers.History, responses=_OR_CSV
)
def history(
    dag_id: Id,
    session: SessionDep,
    form: Format = "json",
    runs: Runs = 20,
    download: Download = False,
) -> Response:
    """How long each phase of each task takes, over the last runs of a DAG.

    Args:
        dag_id: the DAG.
        session: of Airflow's database.
        form: ``json``, or ``csv`` with a row a task and phase.
        runs: how many runs.
        download: whether it is to be saved.
    """
    found = queries.read_history(session, dag_id, runs)
    answer = to_csv(csv_rows.history_rows(found)) if form == "csv" else to_json(found)
    return _saved(answer, download, f"{dag_id}-history.{form}")


@_of_dag.get("/trend", dependencies=OF_KNOWN_DAG, response_model=Trend, responses=_OR_CSV)
def trend(
    dag_id: Id,
    session: SessionDep,
    task_id: GivenId | None = None,
    form: Format = "json",
    runs: Runs = 50,
    download: Download = False,
) -> Response:
    """How long the last runs of a DAG took, or one of its tasks in each: the oldest first.

    Args:
        dag_id: the DAG.
        session: of Airflow's database.
        task_id: the task.
        form: ``json``, or ``csv`` with a row a run.
        runs: how many runs.
        download: whether it is to be saved.
    """
    found = queries.read_trend(session, dag_id, runs, task_id)
    answer = to_csv(csv_rows.trend_rows(found)) if form == "csv" else to_json(found)
    return _saved(answer, download, f"{dag_id}-{task_id or 'runs'}-trend.{form}")


@_of_dag.get("/compare", response_model=Comparison, responses=_OR_CSV)
def compare(
    dag_id: Id,
    session: SessionDep,
    user: GetUserDep,
    run_id: GivenId,
    other: Annotated[str, Query(alias="with", max_length=1000)],
    form: Format = "json",
    download: Download = False,
) -> Response:
    """Two runs of a DAG: their parameters, and the tasks by how much they differ.

    Args:
        dag_id: the DAG.
        session: of Airflow's database.
        user: Airflow's; whoever may not read runs is not told their parameters.
        run_id: the first run.
        other: the second.
        form: ``json``, or ``csv`` with a row a task and phase.
        download: whether it is to be saved.
    """

    def side(run_id: str) -> comparison.Side:
        run = _told(user, queries.read_run(session, dag_id, run_id))
        whole = run.conf is not None and may_read(user, dag_id, None)
        defaults = queries.defaults_of(session, run) if whole else {}
        version = stored.notebook_version(dag_id, run_id, run.start_date)
        given = None if run.conf is None else {**defaults, **run.conf}
        return comparison.Side(run, given, version)

    found = comparison.of_sides(side(run_id), side(other))
    answer = to_csv(csv_rows.comparison_rows(found)) if form == "csv" else to_json(found)
    return _saved(answer, download, f"{dag_id}-{run_id}-{other}.{form}")


def _told(user: Any, run: answers.Run) -> answers.Run:
    """A run with its parameters if the user may read them."""
    return run if may_read(user, run.dag_id, RUN) else replace(run, conf=None)


def _name_of(found: answers.OneTry) -> str:
    record = found.record
    index = f"-{record.map_index}" if record.map_index >= 0 else ""
    return f"{record.dag_id}-{record.run_id}-{record.task_id}{index}-{record.try_number}"


def _saved(answer: Response, download: bool, name: str) -> Response:
    return to_file(answer, name) if download else answer


# --- all DAGs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dags:
    """A page of the DAGs that have records and that the user may read.

    Attributes:
        total_entries, total: how many there are, twice.
        since: when the first of their records was written (epoch).
    """

    dags: list[answers.Overview]
    total_entries: int
    total: int
    offset: int
    since: float | None


@_of_all.get("/api/v1/dags", response_model=Dags)
def dags(
    session: SessionDep,
    user: GetUserDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Offset = 0,
    search: Search = "",
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
    return to_json(Dags(found, len(allowed), len(allowed), offset, since))


@_of_all.get("/api/v1/openapi.json", include_in_schema=False)
def description(request: Request) -> Response:
    """The API's description, with the address that it has here."""
    here = {"servers": [{"url": request.scope.get("root_path", "")}]}
    return to_json(make_app().openapi() | here)


@_of_all.get("/page/{digest}/{name}", include_in_schema=False)
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
