"""Reads, in the API server, what Airflow knows of tries and what their records say.

A record is not to be trusted: a user may write the state store by REST. What does not fit what
Airflow knows of the try is left out, and said.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from podline.latency.record import VERSION, Cell, Note, Phase, Record, epoch
from podline.latency.record_store import NOW, PREFIX
from podline.latency.timeline import Timeline
from podline.phases import OUTSIDE, PhaseName

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_PartT = TypeVar("_PartT", Phase, Cell)

_KINDS = {"StageOperator": "stage", "NotebookOperator": "notebook", "KubernetesPodOperator": "pod"}
_OFF = 0.05  # seconds that a record's times may differ from Airflow's
# Airflow notes the end of these when the process exits, which is after the record was made: up to
# 5 s, for a supervisor that misses it looks again after [workers] min_heartbeat_interval. Of a task
# that somebody marks failed it notes the end at once, and tells the task with its next heartbeat.
_LATE = frozenset({"failed", "skipped"})
_BUSY = 10.0  # seconds that this may take on a busy machine, and a supervisor to note a start
_AFTER = 600.0  # seconds in which what was to be done after a try was done
_SAME = 0.0001  # seconds that make no difference
_FINE = 0.001  # seconds to which processes note a time
_UNSUMMED = 0.01  # seconds that a try's phases may differ from its duration
_OF_AIRFLOW = frozenset({"scheduled", "queued"})  # phases that are told here, not by records
_FAILED = frozenset({"failed", "up_for_retry"})
_NOT_YET = frozenset({"", "scheduled", "queued"})  # states before a try begins, or is resumed
_GOES_ON = frozenset({"running", "deferred", "restarting"})


class TryId(NamedTuple):
    """One try of a task instance."""

    run_id: str
    task_id: str
    map_index: int
    try_number: int


class Known(NamedTuple):
    """What Airflow's task instance, or its history, knows of a try; times are epochs."""

    id: TryId
    state: str
    start: float | None
    end: float | None
    scheduled: float | None
    queued: float | None
    operator: str

    @property
    def is_tried(self) -> bool:
        """Whether a try has begun, or is to: of a task that Airflow ended untried none has."""
        return self.id.try_number > 0


# Finds records elsewhere: given a DAG and some of its tries, those there are, as JSON.
Find = Callable[[str, Sequence[TryId]], Mapping[TryId, str]]


def read_records(
    session: "Session", dag_id: str, run_ids: Sequence[str], find: Find | None = None
) -> list[Record]:
    """Return a record for each try of some runs: its own, as far as it can be believed.

    Args:
        session: of Airflow's database.
        dag_id: the runs' DAG.
        run_ids: the runs.
        find: is asked for the records of tries that failed and of which Airflow has none.
    """
    texts, notes = _texts(session, dag_id, run_ids)
    starts = _run_starts(session, dag_id, run_ids)
    tries: dict[TryId, Known] = {}
    for row in _known(session, dag_id, run_ids):
        if row.id not in tries or row.start is not None:
            tries[row.id] = row
    if find is not None and (lacking := _lacking(tries, texts)):
        texts |= find(dag_id, lacking)
    found = {
        id_: _record(dag_id, row, texts.get(id_), starts.get(id_.run_id), notes.get(id_))
        for id_, row in tries.items()
    }
    return _with_waiting(found, tries)


def _lacking(tries: Mapping[TryId, Known], texts: Mapping[TryId, str]) -> list[TryId]:
    """Tries that failed and left Airflow no record, the last first.

    One that is to be retried cannot, and one whose worker died did not.
    """
    failed = [
        (row.end, id_)
        for id_, row in tries.items()
        if row.state in _FAILED and row.start and row.end and id_ not in texts
    ]
    return [id_ for _, id_ in sorted(failed, reverse=True)]


# --- from the database --------------------------------------------------------------------------


def _known(session: "Session", dag_id: str, run_ids: Sequence[str]) -> Iterator[Known]:
    """What Airflow has of tries: its history, and then what goes on."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from sqlalchemy import select

    models: tuple[Any, ...] = (TaskInstanceHistory, TaskInstance)
    for model in models:
        # Columns, not objects: a tenth of the time.
        which = (model.run_id, model.task_id, model.map_index, model.try_number)
        when = (model.start_date, model.end_date, model.scheduled_dttm, model.queued_dttm)
        query = select(*which, model.state, *when, model.operator)
        query = query.where(model.dag_id == dag_id, model.run_id.in_(run_ids))
        for run_id, task_id, index, number, state, *times, operator in session.execute(query):
            # What is cleared and not tried again keeps the number of the try before.
            id_ = TryId(run_id, task_id, index, 0 if state == "upstream_failed" else number)
            start, end, scheduled, queued = map(epoch, times)
            if end is not None and (state or "") in _NOT_YET:
                start = end = None  # of the try before
            yield Known(id_, state or "", start, end, scheduled, queued, operator or "")


def _texts(
    session: "Session", dag_id: str, run_ids: Sequence[str]
) -> tuple[dict[TryId, str], dict[TryId, str]]:
    """The records that Airflow's state store has, and the notes of what tries are at."""
    from airflow.models.task_state_store import TaskStateStoreModel as Store
    from sqlalchemy import select

    query = select(Store.run_id, Store.task_id, Store.map_index, Store.key, Store.value).where(
        Store.dag_id == dag_id, Store.run_id.in_(run_ids), Store.key.startswith(PREFIX)
    )
    records: dict[TryId, str] = {}
    notes: dict[TryId, str] = {}
    for run_id, task_id, index, key, value in session.execute(query):
        number = key.removeprefix(PREFIX)
        found = records
        if number.startswith(NOW):
            number, found = number.removeprefix(NOW), notes
        if number.isascii() and number.isdigit():
            found[TryId(run_id, task_id, index, int(number))] = value
    return records, notes


def _run_starts(session: "Session", dag_id: str, run_ids: Sequence[str]) -> dict[str, float]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    query = select(DagRun.run_id, DagRun.start_date).where(
        DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids)
    )
    return {run_id: start.timestamp() for run_id, start in session.execute(query) if start}


# --- what can be believed -----------------------------------------------------------------------


def _record(
    dag_id: str, row: Known, text: str | None, run_start: float | None, note: str | None = None
) -> Record:
    """The record of a try, with Airflow's own word on what Airflow knows."""
    record, doubt = _believed(dag_id, row, text, run_start)
    if record is None:
        over = row.is_tried and row.end is not None and row.start is not None
        lacks = "it left no record: only what Airflow knows is shown" if over else ""
        record = Record.model_construct(
            version=VERSION,
            dag_id=dag_id,
            kind=_KINDS.get(row.operator, "task"),
            partial=doubt or lacks,
            **row.id._asdict(),
        )
    else:
        record = _fitted(record, row)
    known: dict[str, Any] = {"state": row.state, "run_start": run_start}
    known |= {"start": row.start, "end": row.end} if row.is_tried else {"start": None, "end": None}
    known |= _under_way(record, row, note, run_start)
    return record.model_copy(update=known)


def _believed(
    dag_id: str, row: Known, text: str | None, run_start: float | None
) -> tuple[Record | None, str]:
    """A record that fits the try, or why there is none."""
    if text is None:
        return None, ""
    try:
        record = Record.model_validate_json(text, strict=True)
    except ValidationError as error:
        return None, f"its record cannot be read: {_first(error)}"
    id_ = TryId(record.run_id, record.task_id, record.map_index, record.try_number)
    if (record.dag_id, id_) != (dag_id, row.id):
        return None, "its record is of another try"
    if misfit := _misfit(record, row) or _misplaced(record, row, run_start):
        return None, f"its record does not fit the times that Airflow knows: {misfit}"
    return record, ""


def _fitted(record: Record, row: Known) -> Record:
    """A record with phases from the start that Airflow knows to its end, and cells moved along.

    Nothing else is longer because Airflow noted the end late: that is `finish`.
    """
    inside = [phase for phase in record.phases if phase.name not in OUTSIDE]
    if record.end is None or row.end is None or not inside:
        return record
    assert record.start is not None
    assert row.start is not None
    moved, first, last = record.start - row.start, inside[0], inside[-1]
    if max(abs(moved), abs(record.end - row.end)) < _SAME:
        return record
    whole = row.end - row.start
    over = whole if last.name == "finish" else min(whole, record.end - row.start)
    fitted = []
    for phase in record.phases:
        start, end = phase.start + moved, phase.start + phase.seconds + moved
        if phase.name not in OUTSIDE:
            start = 0.0 if phase is first else max(0.0, min(start, whole))
            end = over if phase is last else max(0.0, min(end, whole))
        fitted.append(_placed(phase, start, max(start, end)))
    if whole - over > _SAME:
        noted = Phase(name="finish", start=over, seconds=0, source="airflow", precision=_FINE)
        fitted.append(_placed(noted, over, whole))
    cells = []
    for cell in record.cells:
        start, end = (min(at + moved, whole) for at in (cell.start, cell.start + cell.seconds))
        cells.append(_placed(cell, start, end))
    return record.model_copy(update={"phases": tuple(fitted), "cells": tuple(cells)})


def _placed(part: _PartT, start: float, end: float) -> _PartT:
    times = {"start": round(start, 6), "seconds": round(end - start, 6)}
    return part.model_copy(update=times)


def _first(error: ValidationError) -> str:
    about = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, about['loc']))}: {about['msg']}"[:200]


def _misfit(record: Record, row: Known) -> str:
    """Why a record's times are not the try's, or its phases not contiguous and as long as it."""
    if record.end is None and not record.partial:
        return "it has no end"
    if record.end is not None and (record.start is None or row.start is None or row.end is None):
        return "it has no start, or the try has not ended"
    early = 0.0 if record.start is None or row.start is None else row.start - record.start
    late = 0.0 if record.end is None or row.end is None else row.end - record.end
    # Of one whose worker died, its pod tells when the process was told to start.
    if not -(_BUSY if record.end is None else _OFF) <= early <= _BUSY:
        return f"it starts {early:.3f} s before the try"
    off = _BUSY if row.state in _LATE else _OFF
    if not -off <= late <= off:
        return f"it ends {late:.3f} s before the try"
    at = 0.0
    for phase in record.phases:
        if phase.name not in OUTSIDE:
            if abs(phase.start - at) > _UNSUMMED:
                return f"its phase {phase.name} starts {phase.start - at:.3f} s late"
            at = phase.start + phase.seconds
    if record.end is not None and abs(at - record.duration) > _UNSUMMED:
        return f"its phases are {at - record.duration:.3f} s longer than the try"
    return ""


def _misplaced(record: Record, row: Known, run_start: float | None) -> str:
    """Why parts of a record are not of this try: they lie before its run, or after its end."""
    names = [phase.name for phase in record.phases]
    if _OF_AIRFLOW & {*names} or len({*names}) < len(names):
        return "a phase is not its own to tell, or is there twice"
    zero = record.start if row.start is None else row.start
    if zero is None:
        return "it has phases, and the try has not begun" if record.phases else ""
    first = (zero if run_start is None else min(run_start, zero)) - zero - _BUSY
    last = (time.time() if row.end is None else row.end) - zero + _BUSY
    for phase in record.phases:
        limit = last + _AFTER if phase.name in OUTSIDE else last
        if not first <= phase.start <= phase.start + phase.seconds <= limit:
            return f"its phase {phase.name} is not within the run"
    for cell in record.cells:
        if not first <= cell.start <= cell.start + cell.seconds <= last:
            return f"its cell {cell.number} is not within the try"
    if record.gone is not None and not first <= record.gone - zero <= last + _AFTER:
        return "its process ended at no time of the run"
    return ""


# --- what goes on -------------------------------------------------------------------------------


def _under_way(
    record: Record, row: Known, note: str | None, run_start: float | None
) -> dict[str, Any]:
    """What a try is at that is not over, since when, and what it has behind it."""
    if row.state == "scheduled":
        return _now("scheduled", row.scheduled)
    if row.state == "queued":
        return _now("queued", row.queued)
    if row.state not in _GOES_ON or row.start is None:
        return _now(None, None)
    noted = _noted(note, row.start)
    if noted is None:
        is_stage = record.kind in ("stage", "notebook")
        return _now("prepare" if is_stage and row.state == "running" else "run", row.start)
    past = record.model_copy(update={"phases": noted.phases})
    if _misplaced(past, row, run_start):
        past = record
    return _now(noted.phase, noted.since) | {"phases": past.phases}


def _now(phase: PhaseName | None, since: float | None) -> dict[str, Any]:
    return {"phase_now": phase, "phase_now_since": since}


def _noted(text: str | None, start: float) -> Note | None:
    """What a task notes that it is at, if that can be so."""
    if text is None:
        return None
    try:
        note = Note.model_validate_json(text, strict=True)
    except ValidationError:
        return None
    return note if start - _BUSY <= note.since <= time.time() + _BUSY else None


# --- what came before ---------------------------------------------------------------------------


def _with_waiting(found: Mapping[TryId, Record], rows: Mapping[TryId, Known]) -> list[Record]:
    """The records with the phases `scheduled` and `queued`, in the order of their starts."""
    ends: dict[tuple[str, str], float] = {}
    for id_, row in rows.items():
        if row.end is not None:
            key = (id_.run_id, id_.task_id)
            ends[key] = max(ends.get(key, 0.0), row.end)
    records = []
    for id_, record in found.items():
        waited = _waiting(record, rows[id_], ends)
        records.append(record.model_copy(update={"phases": (*waited, *record.phases)}))
    return sorted(records, key=lambda r: (r.start or float("inf"), r.task_id, r.map_index))


def _waiting(record: Record, row: Known, ends: Mapping[tuple[str, str], float]) -> list[Phase]:
    """The phases before a try; Airflow overwrites their times where a try was deferred."""
    if row.start is None or row.queued is None or record.deferred:
        return []
    ready = row.scheduled
    # Without a record nobody knows what it waited for: then since when Airflow had it scheduled.
    if (
        record.phases
        and row.end is not None
        and row.id.try_number <= 1
        and record.run_start is not None
    ):
        before = [ends.get((row.id.run_id, task), 0.0) for task in record.upstream]
        ready = max([record.run_start, *(end for end in before if end <= row.queued)])
    queued = min(row.queued, row.start)
    ready = queued if ready is None else min(ready, queued)
    line = Timeline(row.start, row.start, began=ready)
    line.until("scheduled", queued, "airflow")
    line.until("queued", row.start, "airflow")
    return line.phases
