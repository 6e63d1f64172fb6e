"""Records that only the object store has: of a failed try, until a later one has ended."""

import time
from collections.abc import Iterable, Sequence
from functools import partial

from podline.latency import record_store
from podline.latency.background import aside
from podline.latency.record_reader import TryId
from podline.store.keys import TryKey

_MANY = 10  # tries that one answer asks for: some 3 ms each
_PATIENCE = 1.0  # seconds that the store has for all of them


def find(
    dag_id: str, tries: Sequence[TryId], first: tuple[str, int] | None = None
) -> dict[TryId, str]:
    """Return the records of tries as JSON, as far as the store has them and answers soon.

    Args:
        dag_id: the tries' DAG.
        tries: which; no more than 10 are looked for.
        first: task and map index of those that are looked for before the others.
    """
    found: dict[TryId, str] = {}
    ordered = sorted(tries, key=lambda one: (one.task_id, one.map_index) != first)
    collect = partial(_collect, dag_id, ordered[:_MANY], found)
    aside("the records in the object store cannot be read", collect, _PATIENCE)()
    return dict(found)


def _collect(dag_id: str, tries: Iterable[TryId], found: dict[TryId, str]) -> None:
    from podline.store import open_store

    until, store = time.monotonic() + _PATIENCE, open_store()
    for one in tries:
        if time.monotonic() > until:
            break
        record = record_store.find(store, TryKey(dag_id, *one, nonce=""))
        if record is not None:
            found[one] = record_store.to_json(record)
