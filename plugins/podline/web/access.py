"""Who may read what: Airflow's own rights, asked for each DAG.

What the page shows asks for the right that Airflow asks for the same: times for that to read task
instances; texts of tasks and of the cluster for that to read logs; an executed notebook, which is
both, for those to read logs and code; a run's parameters for that to read runs.

An unknown DAG is not found, if its reader may read any of that name: what Airflow answers.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, Header, HTTPException, Request
from sqlalchemy import select

from podline.latency.record import Record

_TIMES, _LOGS, _CODE, RUN = (
    DagAccessEntity.TASK_INSTANCE,
    DagAccessEntity.TASK_LOGS,
    DagAccessEntity.CODE,
    DagAccessEntity.RUN,
)


def _no_wildcard(request: Request) -> None:
    # Airflow takes `~` for "some DAG", and would let whoever may read one read them all.
    if "~" in request.path_params.values():
        raise HTTPException(404, "name one DAG, run and task: `~` stands for none here")


def _known(request: Request, session: SessionDep) -> None:
    dag_id = request.path_params["dag_id"]
    if session.scalar(select(DagModel.dag_id).where(DagModel.dag_id == dag_id)) is None:
        raise HTTPException(404, f"there is no DAG {dag_id!r}")


def _from_here(
    request: Request,
    content_type: Annotated[str, Header()] = "",
    authorization: Annotated[str, Header()] = "",
    sec_fetch_site: Annotated[str, Header()] = "",
    origin: Annotated[str, Header()] = "",
) -> None:
    """Refuse what another site's page may have had a browser send along with our cookie."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON: Content-Type: application/json")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return  # no other site's page knows it
    same = sec_fetch_site == "same-origin" if sec_fetch_site else _is_ours(request, origin)
    if not same:
        raise HTTPException(403, "a cookie counts for requests of Airflow's own pages alone")


def _is_ours(request: Request, origin: str) -> bool:
    host = urlsplit(origin).netloc
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").netloc
    return bool(host) and host in (request.headers.get("host"), base)


# For routes with a DAG in their path, and what further ones of them have.
OF_DAG = [Depends(_no_wildcard), Depends(requires_access_dag("GET", _TIMES))]
OF_KNOWN_DAG = [Depends(_known)]
OF_LOGS = [Depends(requires_access_dag("GET", _LOGS))]
OF_NOTEBOOK = [*OF_LOGS, Depends(requires_access_dag("GET", _CODE))]
# A model is an asset of Airflow's: who may read those may read what is published, if they may read
# the DAG that published it, and who may make events of those may say what is used. Airflow's event
# log has who did.
OF_MODELS = [Depends(requires_access_asset("GET"))]
OF_ALIASES = [
    Depends(requires_access_asset("POST")),
    Depends(_from_here),
    Depends(action_logging("podline.move_alias")),
]


def may_read(user: Any, dag_id: str, entity: DagAccessEntity | None = _TIMES) -> bool:
    """Whether a user may read a DAG's task instances, or another part of it.

    Args:
        user: Airflow's.
        dag_id: the DAG.
        entity: the part; None: the DAG itself.
    """
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=entity,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )


def may_read_dags(user: Any) -> Callable[[str], bool]:
    """Tells of each DAG whether a user may read its task instances, and asks once.

    Args:
        user: Airflow's.
    """
    return cache(partial(may_read, user))


def may_open_notebook(user: Any, dag_id: str) -> bool:
    """Whether a user may read the executed notebooks of a DAG.

    Args:
        user: Airflow's.
        dag_id: the DAG.
    """
    return all(may_read(user, dag_id, entity) for entity in (_TIMES, _LOGS, _CODE))


def may_move_aliases(user: Any) -> bool:
    """Whether a user may say which versions of models are used."""
    return get_auth_manager().is_authorized_asset(method="POST", user=user)


def seen_by(user: Any, dag_id: str, records: Iterable[Record]) -> list[Record]:
    """What a user who may read task instances may see of records.

    Args:
        user: Airflow's.
        dag_id: whose records they are.
        records: of tries.
    """
    logs = may_read(user, dag_id, _LOGS)
    hidden: dict[str, Any] = {} if logs else {"failure": "", "events": ()}
    if not (logs and may_read(user, dag_id, _CODE)):
        hidden["executed_notebook"] = ""
    return [record.model_copy(update=hidden) for record in records] if hidden else [*records]
