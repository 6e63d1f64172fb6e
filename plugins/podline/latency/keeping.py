"""Where records are kept: Airflow's task_state_store, and the try's folder in the object store."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from podline.latency.record import Record
from podline.store.keys import LATENCY, TryKey

if TYPE_CHECKING:
    from podline.store import Store

PREFIX = "latency."  # of the keys in the state store; the number of the try follows
_LARGEST = 60_000  # bytes; Airflow takes 64 KB


def set_in_state(state: Any, record: Record) -> None:
    """Keep a record in the task_state_store of its task instance."""
    state.set(f"{PREFIX}{record.try_number}", _short(record).model_dump(**_KNOWN, mode="json"))


def is_in_state(state: Any, number: int) -> bool:
    """Whether the try `number` of the task instance has a record."""
    return state.get(f"{PREFIX}{number}") is not None


def put(store: "Store", prefix: str, record: Record) -> None:
    """Keep a record in the try's folder, unless there is one.

    Raises:
        StoreError: the store does not answer.
    """
    store.put_if_absent(f"{prefix}/{LATENCY}", to_json(record).encode())


def find(store: "Store", where: TryKey) -> Record | None:
    """The record of a try whose nonce is not known, if there is one.

    Raises:
        StoreError: the store does not answer.
    """
    folder, _, attempt = where.prefix.rpartition("/")
    mine = f"{folder}/{attempt.partition('-')[0]}-"
    keys = [i.key for i in store.list(folder) if i.key.startswith(mine) and i.key.endswith(LATENCY)]
    try:
        return Record.model_validate_json(bytes(store.get(keys[0]))) if keys else None
    except ValidationError:
        return None


def to_json(record: Record) -> str:
    """The record as JSON, without what is not known."""
    return record.model_dump_json(**_KNOWN)


_KNOWN: dict[str, Any] = {"exclude_defaults": True}


def _short(record: Record) -> Record:
    """The record without its longest parts, as far as it is too long for the state store."""
    for part in ("events", "cells"):
        if len(to_json(record).encode()) <= _LARGEST:
            break
        said = f"its {part} are in the object store only"
        record = record.model_copy(update={part: (), "partial": said})
    return record
