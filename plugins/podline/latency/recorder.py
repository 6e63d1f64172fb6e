"""Records each try when its end is recorded: off its duration, and never in its way."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.airflow_compat import is_supervised
from podline.latency.background import aside
from podline.latency.live_phase import LivePhase
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from podline.latency.record import Note, Record
    from podline.store import Store

_log = logging.getLogger(__name__)
_PATIENCE = 2.0  # seconds that a cluster or a store has to answer
_began: dict[Any, float] = {}  # by the ids of task instances
_live: dict[Any, LivePhase] = {}  # of those that are stages


def begin(ti: Any) -> None:
    """Note that the work of a task begins; `ti` is Airflow's RuntimeTaskInstance."""
    _began[ti.id] = time.time()
    # Under ``dags test`` nobody else could look, and Airflow's database is no thread's own.
    if hasattr(ti.task, "observed") and _is_wanted(ti.task) and is_supervised():
        look = partial(getattr, ti.task, "observed", None)
        _live[ti.id] = LivePhase(partial(_start, ti), look, partial(_note, ti))


def _start(ti: Any) -> float:
    from podline.latency import record_builder

    return record_builder.start_of(ti)


def _note(ti: Any, now: "Note") -> None:
    from podline.latency import record_store

    record_store.set_now(ti.get_template_context()["task_state_store"], ti.try_number, now)


def end(ti: Any, error: BaseException | str | None = None) -> None:
    """Keep the record of a try that has ended; what goes wrong is a line in the task's log.

    Args:
        ti: Airflow's RuntimeTaskInstance, with its end. One whose work did not begin in this
            process is passed over: somebody marks it by hand.
        error: why the try failed.
    """
    if live := _live.pop(ti.id, None):
        live.end()
    began = _began.pop(ti.id, None)
    if began is None or not _is_wanted(ti.task):
        return
    try:
        _record(ti, began, error)
    except Exception as trouble:
        _log.warning("the latency of this try is not kept: %s", trouble, exc_info=True)


def _is_wanted(task: Any) -> bool:
    which = settings.latency()
    return which == "all" or (which == "stages" and hasattr(task, "observed"))


def _record(ti: Any, began: float, error: BaseException | str | None) -> None:
    from podline.latency import record_builder, record_store

    if (backend := getattr(ti.task, "backend", None)) is not None:
        aside("the events of the pod cannot be read", backend.observe, _PATIENCE)()
    prefix, record = record_builder.prefix_of(ti), record_builder.record_of(ti, began, error)
    store = _store(ti.task)
    saved = aside(
        "the object store has no record of this try",
        lambda: record_store.put(store, prefix, record) if store else None,
        _PATIENCE,
    )
    profiled = aside("what the stage takes is not noted", partial(_profile, ti, store), _PATIENCE)
    told = _tell(record)
    state = ti.get_template_context()["task_state_store"]
    if record.state != "up_for_retry":  # else Airflow has closed the store to this try by now
        record_store.set_in_state(state, record)
        _record_earlier(ti, state, store)
    saved()
    profiled()
    told()


def _tell(record: "Record") -> Callable[[], Any]:
    """Begin to tell Airflow's metrics and traces of a try; returns what waits for it."""
    from podline.latency import telemetry

    trouble = "Airflow's metrics and traces lack the phases of this try"
    return aside(trouble, partial(telemetry.send, record), _PATIENCE)


def _profile(ti: Any, store: "Store | None") -> None:
    """Note what a stage takes, for who makes its pod ahead."""
    from podline.latency import stage_profile

    seen = getattr(ti.task, "observed", None)
    sample = stage_profile.sample_of(seen) if seen and store else None
    if sample and store:
        stage_profile.note(store, TryKey.of(ti), sample)


def _record_earlier(ti: Any, state: Any, store: "Store | None") -> None:
    """Bring what Airflow's state store lacks of earlier tries: retried ones, and dead ones."""
    from podline.latency import record_builder, record_store

    for number in range(ti.try_number - 1, 0, -1):
        if record_store.is_in_state(state, number):
            break
        where = TryKey.of(ti, number)
        find = partial(record_store.find, store, where) if store else None
        trouble = f"the record of try {number} cannot be found"
        found = aside(trouble, find, _PATIENCE)() if find else None
        if found is None:
            prefix, found = record_builder.lost_record(ti, where)
            if store is not None:
                record_store.put(store, prefix, found)
            _tell(found)()
        record_store.set_in_state(state, found)


def _store(task: Any) -> "Store | None":
    """The store that the task has open, or the setting's; recording waits for none."""
    from podline.store import StoreError, open_store

    try:
        return (getattr(task, "store", None) or open_store()).hasty
    except StoreError as error:  # of a task that has nothing to do with us
        _log.info("the latency of this try is in Airflow's state store only: %s", error)
        return None
