"""Two runs of a DAG side by side: their parameters, and where the seconds between them went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from podline.latency import run_summary
from podline.latency.answers import KnownRun, Run, wall_time
from podline.latency.record import Record
from podline.phases import PHASES, PhaseName

Pair = tuple[float | None, float | None]
_Instance = tuple[str, int]  # task and map index


@dataclass(frozen=True)
class RunSide:
    """One of two runs.

    Attributes:
        start, end: Airflow's; None: it has not begun, or is not over.
        seconds: its wall time.
        conf: the parameters that it was given; None: they are not told.
        notebook_sha256: the version of the notebook that it went by; None: not known.
    """

    run_id: str
    start: datetime | None
    end: datetime | None
    state: str
    seconds: float | None
    overhead_share: float | None
    conf: Mapping[str, Any] | None
    notebook_sha256: str | None


@dataclass(frozen=True)
class Parameter:
    """A parameter as each of the runs had it; None: a run had none of this name."""

    name: str
    values: tuple[Any, Any]
    changed: bool


@dataclass(frozen=True)
class TaskPair:
    """The last try of a task instance in each of the runs; None: there is none, or not over."""

    task_id: str
    map_index: int
    seconds: Pair
    phases: dict[PhaseName, Pair]
    state: tuple[str | None, str | None]

    @property
    def difference(self) -> float:
        """By how many seconds they differ; what one alone has counts in full."""
        return abs((self.seconds[1] or 0.0) - (self.seconds[0] or 0.0))


@dataclass(frozen=True)
class Comparison:
    """Two runs; their tasks by how much they differ, the largest difference first."""

    dag_id: str
    runs: tuple[RunSide, RunSide]
    parameters: list[Parameter]
    tasks: list[TaskPair]


@dataclass(frozen=True)
class Side:
    """What is known of one of two runs, to compare it.

    Attributes:
        run: with its records.
        parameters: as it ran with them; None: they are not told.
        notebook_sha256: of `RunSide`.
    """

    run: Run
    parameters: Mapping[str, Any] | None
    notebook_sha256: str | None


def of_sides(one: Side, other: Side) -> Comparison:
    """Return what two runs of a DAG have in common, and in what they differ."""
    first, second = _by_instance(one.run.records), _by_instance(other.run.records)
    pairs = [_pair(key, first.get(key), second.get(key)) for key in {**first, **second}]
    return Comparison(
        dag_id=one.run.dag_id,
        runs=(_side(one), _side(other)),
        parameters=_parameters(one.parameters or {}, other.parameters or {}),
        tasks=sorted(pairs, key=lambda pair: -pair.difference),
    )


def _side(side: Side) -> RunSide:
    run: KnownRun = side.run
    records = side.run.records
    return RunSide(
        run_id=run.run_id,
        start=run.start_date,
        end=run.end_date,
        state=run.state,
        seconds=wall_time(run, records),
        overhead_share=run_summary.overhead_share(records),
        conf=run.conf,
        notebook_sha256=side.notebook_sha256,
    )


def _parameters(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Parameter]:
    """The parameters of both, those that differ first."""
    found = [
        Parameter(name, (one.get(name), other.get(name)), one.get(name) != other.get(name))
        for name in {**one, **other}
    ]
    return sorted(found, key=lambda parameter: not parameter.changed)


def _by_instance(records: Sequence[Record]) -> dict[_Instance, Record]:
    last = run_summary.last_tries(records)
    return {(record.task_id, record.map_index): record for record in last}


def _pair(key: _Instance, *sides: Record | None) -> TaskPair:
    one, other = sides
    lengths = [_phases(record) for record in sides]
    names = [name for name in PHASES if any(name in found for found in lengths)]
    return TaskPair(
        task_id=key[0],
        map_index=key[1],
        seconds=(_seconds(one), _seconds(other)),
        phases={name: (lengths[0].get(name), lengths[1].get(name)) for name in names},
        state=(one.state if one else None, other.state if other else None),
    )


def _seconds(record: Record | None) -> float | None:
    if record is None or record.start is None or record.end is None:
        return None
    return round(record.duration, 6)


def _phases(record: Record | None) -> dict[PhaseName, float]:
    return {phase.name: phase.seconds for phase in record.phases} if record else {}
