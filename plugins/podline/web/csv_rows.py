"""Answers as the rows of a CSV."""

from collections.abc import Iterable, Mapping

from podline.latency.answers import TRY_FIELDS, History
from podline.latency.record import Record
from podline.phases import WHERE

Row = Mapping[str, object]


def phase_rows(records: Iterable[Record]) -> list[Row]:
    """Return a row a phase of each try."""
    return [
        {
            **{name: getattr(record, name) for name in ("dag_id", "run_id", *TRY_FIELDS)},
            "phase": phase.name,
            "where": WHERE[phase.name],
            "phase_start": phase.start,
            "phase_seconds": phase.seconds,
            "source": phase.source,
            "precision": phase.precision,
        }
        for record in records
        for phase in record.phases
    ]


def history_rows(found: History) -> list[Row]:
    """Return a row a task and phase of a DAG's history."""
    return [
        {"dag_id": found.dag_id, "task_id": task, "phase": name, **vars(seconds)}
        for task, name, seconds in found.phases
    ]
