"""Who may read what: Airflow's own rights, asked for each DAG."""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

_ENTITY = DagAccessEntity.TASK_INSTANCE


def _no_wildcard(request: Request) -> None:
    # Airflow takes `~` for "some DAG", and would let whoever may read one read them all.
    if "~" in request.path_params.values():
        raise HTTPException(404, "name one DAG, run and task: `~` stands for none here")


# For routes with a DAG in their path: who may read its task instances may read what is below it.
OF_DAG = [Depends(_no_wildcard), Depends(requires_access_dag("GET", _ENTITY))]


def may_read(user: Any, dag_id: str) -> bool:
    """Whether a user may read a DAG's task instances.

    Args:
        user: Airflow's.
        dag_id: the DAG.
    """
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=_ENTITY,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )
