"""Nodes and rollouts as the store has them: read as what anybody may have written there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from podline.exceptions import PodlineError
from podline.fleet.node import Node
from podline.fleet.rollout import Rollout
from podline.store import ObjectMissing, Store, keys

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_READERS = 16  # requests at once
_KEPT = 500  # rollouts of a model, some 50 kB each with 100 nodes
_T = TypeVar("_T", Node, Rollout)


class RecordError(PodlineError):
    """There is no such record, or it is none."""


def read_fleet(store: Store) -> list[Node]:
    """The nodes that have registered, by name. What is no registration is passed over.

    Raises:
        StoreError: the store cannot be used.
    """
    found = [item.key for item in store.list(keys.NODES)]
    return sorted(_read_all(store, found, Node), key=lambda node: node.name)


def read_rollouts(
    store: Store,
    model: str | None = None,
    limit: int = 50,
    sees: Callable[[str], bool] = lambda model: True,
) -> list[Rollout]:
    """The last rollouts, the newest first. What is no record of one is passed over.

    Args:
        store: where they are.
        model: of which; None: of all.
        limit: how many are given.
        sees: whether who asks may know of a model.

    Raises:
        StoreError: the store cannot be used.
    """
    folder = keys.ROLLOUTS if model is None else keys.rollouts_prefix(model)
    seen = (key for key in _newest(store, folder) if sees(_model(key)))
    return _read_all(store, [*islice(seen, limit)], Rollout)


def read_rollout(store: Store, model: str, rollout_id: str) -> Rollout:
    """A rollout.

    Args:
        store: where it is.
        model: of which.
        rollout_id: of the rollout.

    Raises:
        RecordError: there is none, or it is none.
    """
    key = keys.rollout_key(model, rollout_id)
    try:
        return _parse(key, bytes(store.get(key)), Rollout)
    except ObjectMissing:
        raise RecordError(f"{model} has no rollout {rollout_id!r}") from None


def remove_oldest(store: Store, model: str, kept: int = _KEPT) -> None:
    """Remove a model's oldest records, so that a pipeline that publishes daily fills no store.

    Args:
        store: where they are.
        model: of which.
        kept: how many stay, the newest.

    Raises:
        StoreError: the store cannot be used.
    """
    if old := _newest(store, keys.rollouts_prefix(model))[kept:]:
        store.delete(old)


def _newest(store: Store, folder: str) -> list[str]:
    """The keys of the rollouts below a folder, the newest first."""
    return sorted((item.key for item in store.list(folder)), key=_id, reverse=True)


def _id(key: str) -> str:
    return keys.split(key)[-1]


def _model(key: str) -> str:
    return keys.split(key)[-2]


def _read_all(store: Store, found: list[str], kind: type[_T]) -> list[_T]:
    def read(key: str) -> _T | None:
        try:
            return _parse(key, bytes(store.get(key)), kind)
        except (ObjectMissing, RecordError):
            return None

    with ThreadPoolExecutor(_READERS) as pool:
        return [record for record in pool.map(read, found) if record is not None]


def _parse(key: str, data: bytes, kind: type[_T]) -> _T:
    """Read a record, each field of the type that it must have.

    Raises:
        RecordError: it is none.
    """
    from pydantic import ValidationError

    try:
        value: _T = _adapters()[kind].validate_json(data)
        return value
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise RecordError(f"{key} is no {kind.__name__.lower()}: {where} {first['msg']}") from None


@cache
def _adapters() -> "dict[type[Any], TypeAdapter[Any]]":
    from pydantic import ConfigDict, TypeAdapter, with_config

    strict = with_config(ConfigDict(allow_inf_nan=False))
    return {kind: TypeAdapter(strict(kind)) for kind in (Node, Rollout)}
