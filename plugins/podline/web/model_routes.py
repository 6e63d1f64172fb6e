"""The API's routes of models: what is published, in which versions, and what its aliases mean."""

from functools import partial
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Body, HTTPException, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from podline.web import models
from podline.web.access import (
    OF_ALIASES,
    OF_MODELS,
    may_move_aliases,
    may_open_notebook,
    may_read_dags,
)
from podline.web.parameters import Id, Offset, Search
from podline.web.responses import SAFE, to_file, to_json

_MOST = 10  # versions that are compared at once

router = APIRouter(prefix="/api/v1/models", dependencies=OF_MODELS)
Number = Annotated[int, Path(ge=1, le=1_000_000_000)]


@router.get("", response_model=models.ModelList)
def all_models(
    user: GetUserDep,
    search: Search = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Offset = 0,
) -> Response:
    """The models, and what their aliases mean.

    Args:
        user: Airflow's; what a DAG published that they may not read, is not there.
        search: a part of their names.
        limit: how many are given.
        offset: how many are passed over.
    """
    return to_json(models.listed(search, limit, offset, may_read_dags(user)))


@router.get("/{name}", response_model=models.ModelAnswer)
def model(name: Id, user: GetUserDep) -> Response:
    """A model's versions with their metrics, files and origins, and what its aliases mean.

    Args:
        name: the model's.
        user: Airflow's; what a DAG published that they may not read, is not there.
    """
    dags = may_read_dags(user), partial(may_open_notebook, user)
    return to_json(models.one(name, models.Rights(*dags, may_move_aliases(user))))


@router.get("/{name}/compare", response_model=models.VersionComparison)
def compare(
    name: Id,
    user: GetUserDep,
    versions: Annotated[str, Query(pattern=r"^\d{1,9}(,\d{1,9})+$", description="such as 1,2")],
) -> Response:
    """Versions of a model side by side: metrics, parameters, data, libraries and sizes.

    Args:
        name: the model's.
        user: Airflow's.
        versions: their numbers, with commas between.

    Raises:
        HTTPException: there are too many.
    """
    numbers = [int(number) for number in versions.split(",")]
    if len(numbers) > _MOST:
        raise HTTPException(422, f"{len(numbers)} versions: compare {_MOST} at most")
    return to_json(models.compared(name, numbers, may_read_dags(user)))


@router.get("/{name}/versions/{version}/files/{path:path}", response_class=StreamingResponse)
def file(name: Id, version: Number, path: Id, user: GetUserDep) -> Response:
    """A file of a version, to be saved.

    Its end comes only if its hash is the one that was published: else the connection breaks.

    Args:
        name: the model's.
        version: its number.
        path: the file's, in the version.
        user: Airflow's.
    """
    found, pieces = models.file(name, version, path, may_read_dags(user))
    answer = StreamingResponse(
        pieces,
        media_type="application/octet-stream",
        headers=SAFE | {"Content-Length": str(found.bytes)},
    )
    return to_file(answer, f"{name}-{version}-{path.rpartition('/')[2]}")


class Move(BaseModel):
    """What an alias is to mean.

    Attributes:
        version: the number.
        expected: which version it means by now; None: none. If it is another, it stays.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[int, Field(ge=1, le=1_000_000_000)]
    expected: Annotated[int, Field(ge=1, le=1_000_000_000)] | None


@router.post("/{name}/aliases/{alias}", response_model=models.AliasAnswer, dependencies=OF_ALIASES)
def move_alias(name: Id, alias: Id, move: Annotated[Move, Body()], user: GetUserDep) -> Response:
    """Have an alias mean another version: a newer one, or one that it meant before.

    Args:
        name: the model's.
        alias: the alias.
        move: where to, and where from.
        user: Airflow's.
    """
    may = may_read_dags(user)
    return to_json(models.moved(name, alias, move.version, move.expected, may))
