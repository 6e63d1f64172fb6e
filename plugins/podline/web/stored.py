"""What the object store alone has: notebooks, and records of tries that failed.

A failed try's record comes to Airflow's database when a later one has ended.
"""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from podline.exceptions import PodlineError
from podline.latency import record_store
from podline.latency.background import aside
from podline.latency.record import Record
from podline.latency.record_reader import TryId
from podline.runner.html_export import PAGE
from podline.secrecy import redacted
from podline.store import ObjectMissing, open_store
from podline.store.keys import EXECUTED, TryKey, run_prefix, version_note_key

_MANY = 10  # tries that one answer asks for: some 3 ms each
_PATIENCE = 1.0  # seconds that the store has for all of them
_KINDS = {PAGE: "text/html; charset=utf-8", EXECUTED: "application/x-ipynb+json"}


class NoNotebook(PodlineError):
    """A try left no executed notebook, or the store does not have it any more."""


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
    until, store = time.monotonic() + _PATIENCE, open_store()
    for one in tries:
        if time.monotonic() > until:
            break
        record = record_store.find(store, TryKey(dag_id, *one, nonce=""))
        if record is not None:
            found[one] = record_store.to_json(record)


def notebook_version(dag_id: str, run_id: str, start: datetime | None) -> str | None:
    """Return the hash of the notebook that a run goes by; None: nothing says it, or not soon.

    Args:
        dag_id: the run's DAG.
        run_id: the run.
        start: when it began.
    """
    if start is None:
        return None
    key = version_note_key(run_prefix(dag_id, run_id), start.isoformat())

    def read() -> str | None:
        try:
            return str(json.loads(bytes(open_store().get(key)))["sha256"])
        except ObjectMissing:
            return None

    found: str | None = aside("the version of a notebook cannot be read", read, _PATIENCE)()
    return found


def executed_notebook(
    record: Record, form: Literal["html", "ipynb"] = "html"
) -> tuple[bytes, str, str]:
    """Return a try's executed notebook, the ending of its file's name, and its media type.

    Args:
        record: of the try.
        form: ``html``: as a page, if there is one; ``ipynb``: the notebook itself.

    Raises:
        NoNotebook: there is none.
    """
    key = record.executed_notebook
    try:
        where, _ = TryKey.parse(key)
    except ValueError:
        raise NoNotebook("the try left no executed notebook") from None
    # The record says so, which a user may have written: it is not to open other doors.
    mine = (record.dag_id, record.run_id, record.task_id, record.map_index)
    if (where.dag_id, where.run_id, where.task_id, where.map_index) != mine:
        raise NoNotebook("the record names a notebook of another task instance")
    store = open_store()
    for name, kind in _KINDS.items():
        if form == "ipynb" and name != EXECUTED:
            continue
        try:
            text = bytes(store.get(where.key(name))).decode(errors="replace")
            return redacted(text).encode(), name.rpartition(".")[2], kind
        except ObjectMissing:
            continue
    raise NoNotebook(f"the store has no {key} any more")
