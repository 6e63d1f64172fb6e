"""How long a DAG's runs take, one after the other: of each run, or of one task in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from podline.latency import run_summary
from podline.latency.answers import KnownRun, wall_time
from podline.latency.change_point import FEW, last_change
from podline.latency.record import Record
from podline.latency.run_summary import Percentiles
from podline.phases import PHASES, PhaseName


@dataclass(frozen=True)
class Usual:
    """How long the runs that succeeded take, and each of their phases."""

    seconds: Percentiles | None
    phases: dict[PhaseName, Percentiles]


@dataclass(frozen=True)
class Trend:
    """The last runs of a DAG as columns, the oldest first.

    Attributes:
        task_id: the task that all below is of; None: of the whole run.
        total_entries: how many runs there are.
        state: of the run, as Airflow says it.
        seconds: the run's wall time, or the task's; None: it is not over.
        phases: summed up over the last tries of the run's task instances; None: there is none.
        next: the seconds of the runs that succeeded since these last became longer or shorter,
            where they are enough to tell what the next one will take.
    """

    dag_id: str
    task_id: str | None
    total_entries: int
    run_id: list[str]
    start: list[datetime | None]
    state: list[str]
    seconds: list[float | None]
    overhead_share: list[float | None]
    phases: dict[PhaseName, list[float | None]]
    usual: Usual
    next: Percentiles | None


@dataclass(frozen=True)
class _Point:
    """One run of a trend."""

    run: KnownRun
    seconds: float | None
    overhead_share: float | None
    phases: Mapping[PhaseName, float]

    @classmethod
    def of(cls, run: KnownRun, records: Sequence[Record], task_id: str | None) -> "_Point":
        last = run_summary.last_tries(records)
        seconds = wall_time(run, records) if task_id is None else _task_seconds(last)
        share = run_summary.overhead_share(records)
        return cls(run, seconds, share, run_summary.totals(last))

    @property
    def is_usual(self) -> bool:
        return self.run.state == "success" and self.seconds is not None


def of_runs(
    dag_id: str,
    runs: Sequence[KnownRun],
    total: int,
    records: Sequence[Record],
    task_id: str | None = None,
) -> Trend:
    """Return the trend of a DAG, or of one of its tasks.

    Args:
        dag_id: the DAG.
        runs: its last runs, the oldest first.
        total: how many there are.
        records: of these runs.
        task_id: the task.
    """
    wanted = [record for record in records if task_id in (None, record.task_id)]
    by_run = run_summary.by_run(wanted)
    points = [_Point.of(run, by_run.get(run.run_id, []), task_id) for run in runs]
    found = [name for name in PHASES if any(name in point.phases for point in points)]
    usual = [point for point in points if point.is_usual]
    return Trend(
        dag_id=dag_id,
        task_id=task_id,
        total_entries=total,
        run_id=[run.run_id for run in runs],
        start=[run.start_date for run in runs],
        state=[run.state for run in runs],
        seconds=[point.seconds for point in points],
        overhead_share=[point.overhead_share for point in points],
        phases={name: [point.phases.get(name) for point in points] for name in found},
        usual=_usual(usual),
        next=_next([point.seconds or 0.0 for point in usual]),
    )


def _usual(points: Sequence[_Point]) -> Usual:
    phases = {
        name: run_summary.spread(point.phases.get(name) for point in points) for name in PHASES
    }
    return Usual(
        seconds=run_summary.spread(point.seconds for point in points),
        phases={name: spread for name, spread in phases.items() if spread},
    )


def _next(lengths: Sequence[float]) -> Percentiles | None:
    """The lengths of the level that the last are of; one or two alone are taken for none."""
    begun = last_change(lengths)
    if len(lengths) - begun < FEW:
        lengths = lengths[:begun] or lengths
        begun = last_change(lengths)
    return run_summary.spread(lengths[begun:])


def _task_seconds(last: Sequence[Record]) -> float | None:
    """How long a task took in a run: of a mapped one, from its first start to its last end.

    Args:
        last: the last try of each of its instances.

    Returns:
        Seconds; None: it did not begin, or is not over.
    """
    begun = [record for record in last if record.start is not None]
    ends = [record.end for record in begun if record.end is not None]
    if not begun or len(ends) < len(begun):
        return None
    return round(max(ends) - min(record.start or 0.0 for record in begun), 6)
