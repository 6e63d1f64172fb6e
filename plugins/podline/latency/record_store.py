"""Where records are kept: Airflow's task_state_store, and the try's folder in the object store."""

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from podline.latency.record import CUT, Note, Record
from podline.store.errors import ObjectMissing
from podline.store.keys import LATENCY, TryKey

if TYPE_CHECKING:
    from podline.store import Store

PREFIX = "latency."  # of the keys in the state store; the number of the try follows
NOW = "now."  # after that, of the key of what a try that goes on is at
_LARGEST = 60_000  # bytes; Airflow takes 64 KB
_LARGEST_FILE = 4_000_000  # bytes; no record that is one is as long


def set_in_state(state: Any, record: Record) -> None:
    """Keep a record in the task_state_store of its task instance."""
    state.set(
        f"{PREFIX}{record.try_number}",
        _short(record).model_dump(mode="json", exclude_defaults=True),
    )


def set_now(state: Any, number: int, now: Note) -> None:
    """Keep what a try is at in the task_state_store of its task instance.

    Args:
        state: the store.
        number: the try's.
        now: what it is at.
    """
    value = now.model_dump(mode="json", exclude_defaults=True)
    state.set(f"{PREFIX}{NOW}{number}", value)


def is_in_state(state: Any, number: int) -> bool:
    """Whether the try `number` of the task instance has a record."""
    return state.get(f"{PREFIX}{number}") is not None


def put(store: "Store", prefix: str, record: Record) -> None:
    """Keep a record in the try's folder, unless there is one.

    Args:
        store: where.
        prefix: the folder.
        record: what is kept.

    Raises:
        StoreError: the store does not answer.
    """
    store.put_if_absent(f"{prefix}/{LATENCY}", to_json(record).encode())


def find(store: "Store", where: TryKey) -> Record | None:
    """The record of a try whose nonce is not known, if there is one.

    A try that took over the pod of an earlier one left it in that one's folder.

    Raises:
        StoreError: the store does not answer.
    """
    task, _, _ = where.prefix.rpartition("/")
    numbers = {folder: _number(folder) for folder in store.list_folders(task)}
    for folder in sorted(numbers, key=numbers.__getitem__, reverse=True):
        if 0 <= numbers[folder] <= where.try_number:
            record = _read(store, f"{folder}/{LATENCY}")
            if record is not None and record.try_number == where.try_number:
                return record
    return None


def _number(folder: str) -> int:
    """The number of the try whose folder it is; -1: of none."""
    text = folder.rpartition("/")[2].partition("-")[0]
    return int(text) if text.isascii() and text.isdigit() else -1


def _read(store: "Store", key: str) -> Record | None:
    try:
        if store.head(key).size > _LARGEST_FILE:
            return None
        return Record.model_validate_json(bytes(store.get(key)), strict=True)
    except (ObjectMissing, ValidationError):
        return None


def to_json(record: Record) -> str:
    """The record as JSON, without what is not known."""
    return record.model_dump_json(exclude_defaults=True)


def _short(record: Record) -> Record:
    """The record without its longest parts, as far as it is too long for the state store."""
    for part, said in CUT.items():
        if len(to_json(record).encode()) <= _LARGEST:
            break
        record = record.model_copy(update={part: (), "partial": said})
    return record
