"""Answers as the rows of a CSV."""

from collections.abc import Iterable, Mapping, Sequence

from podline.latency.answers import TRY_FIELDS, History
from podline.latency.comparison import Comparison
from podline.latency.record import Record
from podline.latency.trend import Trend
from podline.phases import WHERE

Row = Mapping[str, object]
_OF_TRY = ("dag_id", "run_id", *(name for name in TRY_FIELDS if not name.startswith("phase_now")))


def phase_rows(records: Iterable[Record]) -> list[Row]:
    """Return a row a phase of each try."""
    return [
        {
            **{name: getattr(record, name) for name in _OF_TRY},
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


def trend_rows(found: Trend) -> list[Row]:
    """Return a row a run, with a column a phase."""
    about = ("run_id", "state", "seconds", "overhead_share")
    columns: dict[str, Sequence[object]] = {name: getattr(found, name) for name in about}
    columns["start"] = [start.isoformat() if start else "" for start in found.start]
    columns |= found.phases.items()
    which = {"dag_id": found.dag_id, "task_id": found.task_id or ""}
    return [
        which | {name: values[row] for name, values in columns.items()}
        for row in range(len(found.run_id))
    ]


def comparison_rows(found: Comparison) -> list[Row]:
    """Return a row a task instance and phase of two runs, after one of its whole duration."""
    runs = [run.run_id for run in found.runs]
    return [
        {
            "dag_id": found.dag_id,
            "task_id": task.task_id,
            "map_index": task.map_index,
            "phase": name,
            **dict(zip(("run_id", "with"), runs, strict=True)),
            **dict(zip(("seconds", "with_seconds"), pair, strict=True)),
        }
        for task in found.tasks
        for name, pair in [("", task.seconds), *task.phases.items()]
    ]
