"""The API's routes of the edge: its nodes, and the rollouts of versions to them.

What serves where tells of models alone: it asks for the right to read assets, as they do, and of
models that the user may not see it says nothing.
"""

from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Query, Response

from podline.fleet.rollout import Rollout
from podline.web import fleet
from podline.web.access import OF_MODELS, may_read_dags
from podline.web.parameters import GivenId, Id, Offset, Search
from podline.web.responses import to_json

router = APIRouter(prefix="/api/v1/edge", dependencies=OF_MODELS)


@router.get("/nodes", response_model=fleet.Fleet)
def nodes(
    user: GetUserDep,
    search: Search = "",
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    offset: Offset = 0,
) -> Response:
    """The nodes of the fleet, as they were when they were last heard of.

    Args:
        user: Airflow's.
        search: a part of their names, or of the models that they serve.
        limit: how many are given.
        offset: how many are passed over.
    """
    return to_json(fleet.fleet(search, limit, offset, may_read_dags(user)))


@router.get("/rollouts", response_model=fleet.RolloutList)
def rollouts(
    user: GetUserDep,
    model: GivenId | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """The last rollouts, the newest first.

    Args:
        user: Airflow's.
        model: of which; by default, of all.
        limit: how many are given.
    """
    return to_json(fleet.rollouts(model or None, limit, may_read_dags(user)))


@router.get("/rollouts/{model}/{rollout_id}", response_model=Rollout)
def rollout(model: Id, rollout_id: Id, user: GetUserDep) -> Response:
    """A rollout: what was decided and why, and each node's way to the version.

    Args:
        model: of which.
        rollout_id: of the rollout.
        user: Airflow's.
    """
    return to_json(fleet.rollout(model, rollout_id, may_read_dags(user)))
