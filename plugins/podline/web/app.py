"""The API below Airflow's: where the time of runs, tries and DAGs went.

Every route asks Airflow's own authorisation for the DAG in its path. There is no documentation and
no static folder to be read without it.
"""

from functools import partial
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import (
    GetUserDep,
    requires_access_asset,
    requires_access_dag,
    requires_authenticated,
)
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from podline.exceptions import PodlineError
from podline.web import answers, models, page_files, studies

# A notebook's page may look as it likes, and do nothing.
_POLICY = "sandbox; default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'"
_HTML = "text/html; charset=utf-8"
_SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}

Format = Annotated[Literal["json", "csv"], Query(alias="format")]
Runs = Annotated[int, Query(ge=1, le=200)]
Limit = Annotated[int, Query(ge=1, le=5000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Id = Annotated[str, Path(max_length=1000)]
MapIndex = Annotated[int, Query(ge=-1, le=1_000_000)]
TryNumber = Annotated[int | None, Query(ge=0, le=100_000)]


def _no_wildcard(request: Request) -> None:
    # Airflow takes `~` for "some DAG", and would let whoever may read one read them all.
    if "~" in request.path_params.values():
        raise HTTPException(404, "name one DAG, run and task: `~` stands for none here")


_of_dag = APIRouter(
    prefix="/api/v1/dags/{dag_id}",
    dependencies=[
        Depends(_no_wildcard),
        Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
    ],
)
_of_all = APIRouter()


def make_app() -> FastAPI:
    """Make the application."""
    app = FastAPI(
        title="podline",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(requires_authenticated())],
    )
    app.include_router(_of_dag)
    app.include_router(_of_all)
    app.include_router(_of_models)
    app.add_exception_handler(PodlineError, _explain)
    return app


def _explain(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 404, _SAFE)


# --- one DAG ------------------------------------------------------------------------------------


@_of_dag.get("/runs/{run_id}")
def run(
    dag_id: Id, run_id: Id, session: SessionDep, form: Format = "json", runs: Runs = 20,
    limit: Limit = 1000, offset: Offset = 0,
) -> Response:  # fmt: skip
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
    found = answers.Run.read(session, dag_id, run_id)
    if form == "csv":
        return _csv(answers.phase_rows(found.records[offset : offset + limit]))
    return _json(found.answer(session, runs, limit, offset))


@_of_dag.get("/runs/{run_id}/tasks/{task_id}")
def task(
    dag_id: Id, run_id: Id, task_id: Id, session: SessionDep, form: Format = "json",
    runs: Runs = 20, map_index: MapIndex = -1, try_number: TryNumber = None,
) -> Response:  # fmt: skip
    """Where the time of one try went: all that its record says.

    Args:
        dag_id: the DAG.
        run_id: the run.
        task_id: the task.
        session: of Airflow's database.
        form: ``json``, or ``csv`` with a row a phase.
        runs: how many earlier runs it is compared with.
        map_index: of a mapped task.
        try_number: by default the last.
    """
    found = answers.OneTry.read(session, dag_id, run_id, task_id, map_index, try_number)
    if form == "csv":
        return _csv(answers.phase_rows([found.record]))
    return _json(found.answer(session, runs))


@_of_dag.get("/runs/{run_id}/tasks/{task_id}/notebook")
def notebook(
    dag_id: Id, run_id: Id, task_id: Id, session: SessionDep, map_index: MapIndex = -1,
    try_number: TryNumber = None,
) -> Response:  # fmt: skip
    """The executed notebook of a try as a page; without its page, the notebook itself.

    Its text is the notebook's: a browser is told to run none of it.
    """
    found = answers.OneTry.read(session, dag_id, run_id, task_id, map_index, try_number)
    content, kind = found.notebook()
    headers = _SAFE | {"Content-Security-Policy": _POLICY}
    return Response(content, media_type=kind, headers=headers)


@_of_dag.get("/history")
def history(dag_id: Id, session: SessionDep, form: Format = "json", runs: Runs = 20) -> Response:
    """How long each phase of each task takes, over the last runs of a DAG.

    Args:
        dag_id: the DAG.
        session: of Airflow's database.
        form: ``json``, or ``csv`` with a row a task and phase.
        runs: how many runs.
    """
    found = answers.history(session, dag_id, runs)
    return _csv(answers.history_rows(found)) if form == "csv" else _json(found)


@_of_dag.get("/studies/{study}")
def study(dag_id: Id, study: Id) -> Response:
    """The report of a study that a DAG measured; a browser is told to run nothing of it.

    Args:
        dag_id: the study's DAG.
        study: its name.
    """
    headers = _SAFE | {"Content-Security-Policy": _POLICY}
    return Response(studies.report(dag_id, study), media_type=_HTML, headers=headers)


# --- all DAGs -----------------------------------------------------------------------------------


@_of_all.get("/api/v1/dags")
def dags(
    session: SessionDep, user: GetUserDep, limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Offset = 0, search: Annotated[str, Query(max_length=200)] = "", runs: Runs = 20,
) -> Response:  # fmt: skip
    """The DAGs that have records and that the user may read, the one that ran last first.

    Args:
        session: of Airflow's database.
        user: Airflow's.
        limit: how many are given.
        offset: how many are passed over.
        search: a part of their ids.
        runs: how many runs of each are looked at.
    """
    allowed = [dag_id for dag_id in answers.recorded_dags(session, search) if _may(user, dag_id)]
    page = [answers.overview(session, dag_id, runs) for dag_id in allowed[offset : offset + limit]]
    since = answers.recorded_since(session, allowed)
    return _json({"dags": page, "total": len(allowed), "offset": offset, "since": since})


@_of_all.get("/api/v1/studies")
def all_studies(user: GetUserDep) -> Response:
    """The studies that have a report and that the user may read.

    Args:
        user: Airflow's.
    """
    allowed = [dag_id for dag_id in studies.DAGS if _may(user, dag_id)]
    found = [{"dag_id": dag, "study": name} for dag in allowed for name in studies.reported(dag)]
    return _json({"studies": found})


# A model is an asset of Airflow's: who may read those may read what is published.
_of_models = APIRouter(
    prefix="/api/v1/models", dependencies=[Depends(requires_access_asset("GET"))]
)


@_of_models.get("")
def all_models() -> Response:
    """The models, and what their aliases mean."""
    return _json({"models": models.listed()})


@_of_models.get("/{name}")
def model(name: Id, user: GetUserDep) -> Response:
    """A model's versions with their metrics, files and origins, and what its aliases mean.

    Args:
        name: the model's.
        user: Airflow's; of a run of a DAG that they may not read, nothing is said.
    """
    return _json(models.one(name, partial(_may, user)))


def _may(user: Any, dag_id: str) -> bool:
    from airflow.models.dag import DagModel

    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=DagAccessEntity.TASK_INSTANCE,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )


@_of_all.get("/page/{digest}/{name}")
def page_file(digest: Id, name: Id, request: Request) -> Response:
    """A file of the page; it changes its address with its content.

    Args:
        digest: of the page.
        name: the file's.
        request: the browser's.
    """
    content = page_files.contents().get(name)
    if content is None or digest != page_files.digest():
        raise HTTPException(404, "the page has no such file: load it again")
    headers = {
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)


# --- forms --------------------------------------------------------------------------------------


def _json(value: Any) -> Response:
    return Response(answers.to_json(value), media_type="application/json", headers=_SAFE)


def _csv(rows: list[dict[str, Any]]) -> Response:
    return Response(answers.to_csv(rows), media_type="text/csv; charset=utf-8", headers=_SAFE)
