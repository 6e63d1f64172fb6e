"""Who may read what: Airflow's own rights, asked for each DAG.

What the page shows asks for the right that Airflow asks for the same: times for that to read task
instances; texts of tasks and of the cluster for that to read logs; an executed notebook, which is
both, for those to read logs and code.
"""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from podline.latency.record import Record

_TIMES, _LOGS, _CODE = (
    DagAccessEntity.TASK_INSTANCE,
    DagAccessEntity.TASK_LOGS,
    DagAccessEntity.CODE,
)


def _no_wildcard(request: Request) -> None:
    # Airflow takes `~` for "some DAG", and would let whoever may read one read them all.
    if "~" in request.path_params.values():
        raise HTTPException(404, "name one DAG, run and task: `~` stands for none here")


# For routes with a DAG in their path, and what further ones of them have.
OF_DAG = [Depends(_no_wildcard), Depends(requires_access_dag("GET", _TIMES))]
OF_LOGS = [Depends(requires_access_dag("GET", _LOGS))]
OF_NOTEBOOK = [*OF_LOGS, Depends(requires_access_dag("GET", _CODE))]


def may_read(user: Any, dag_id: str, entity: DagAccessEntity = _TIMES) -> bool:
    """Whether a user may read a DAG's task instances, or another part of it.

    Args:
        user: Airflow's.
        dag_id: the DAG.
        entity: the part.
    """
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=entity,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )


def seen_by(user: Any, record: Record) -> Record:
    """What a user who may read task instances may see of a record.

    Args:
        user: Airflow's.
        record: of a try.
    """
    logs = may_read(user, record.dag_id, _LOGS)
    hidden: dict[str, Any] = {} if logs else {"failure": "", "events": ()}
    if not (logs and may_read(user, record.dag_id, _CODE)):
        hidden["executed_notebook"] = ""
    return record.model_copy(update=hidden)
