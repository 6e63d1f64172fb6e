"""What the API says of a run, a try and a DAG: made here from records, read by `podline latency`.

Lengths are in seconds. A time of day that ends in ``_date`` is as Airflow has it (ISO 8601), any
other in seconds since the epoch. Knows no database.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from podline.exceptions import PodlineError
from podline.latency import run_summary
from podline.latency.record import AheadPod, Record, TryFields, epoch
from podline.latency.run_summary import Percentiles, Slow, Step
from podline.phases import OWN, PHASES, WHERE, PhaseName

_SLOWEST = 3  # phases of a DAG that its overview names
_SLOW = 20  # phases of a run that are called slow
_FAILURE = 200  # characters of a failure, among many tries


class NotFound(PodlineError):
    """Airflow knows no such run, task or try."""


@dataclass(frozen=True)
class KnownRun:
    """What Airflow knows of a run.

    Attributes:
        dag_id, run_id, run_type, state, logical_date, start_date, end_date: Airflow's.
        conf: its parameters, without secrets; None: they are not told.
    """

    dag_id: str
    run_id: str
    run_type: str
    state: str
    logical_date: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    conf: Mapping[str, Any] | None


@dataclass(frozen=True)
class Run(KnownRun):
    """A run: what Airflow knows of it, and the records of its tries."""

    records: list[Record]

    def one_try(self, task_id: str, map_index: int, number: int | None) -> "OneTry":
        """Return a try of a task instance.

        Args:
            task_id: the task.
            map_index: of a mapped task, else -1.
            number: the try's; None: the last.

        Raises:
            NotFound: there is none.
        """
        tries = [r for r in self.records if (r.task_id, r.map_index) == (task_id, map_index)]
        tries.sort(key=lambda record: record.order)
        wanted = [record for record in tries if number in (None, record.try_number)]
        if not wanted:
            what = task_id if map_index < 0 else f"{task_id}[{map_index}]"
            which = "" if number is None else f", try {number}"
            raise NotFound(f"the run {self.run_id!r} has no task instance {what!r}{which}")
        numbers = [record.try_number for record in tries if record.try_number]
        return OneTry(self, wanted[-1], numbers)


@dataclass(frozen=True)
class OneTry:
    """One try of a run, and the numbers of its task instance's tries."""

    run: Run
    record: Record
    numbers: list[int]


@dataclass(frozen=True)
class PhaseColumn:
    """One phase of all tries, in the tries' order; None: a try has no such phase."""

    start: list[float | None]
    seconds: list[float | None]


@dataclass(frozen=True)
class Tries:
    """Tries as columns: a third of the bytes, and of the time to write and read them.

    Attributes:
        try_number: None: none has begun.
        phase_now, phase_now_since: what a try that goes on is at, and since when (epoch).
        ahead: what its pod was before it, if that was made ahead.
        critical: whether the run's end waited for it.
        failure: why it failed, in short.
    """

    task_id: list[str]
    map_index: list[int]
    try_number: list[int | None]
    kind: list[str]
    backend: list[str]
    state: list[str]
    partial: list[str]
    start: list[float | None]
    end: list[float | None]
    deferred: list[bool]
    adopted_from: list[int | None]
    ahead: list[AheadPod | None]
    phase_now: list[PhaseName | None]
    phase_now_since: list[float | None]
    critical: list[bool]
    failure: list[str]
    phases: dict[str, PhaseColumn]

    @classmethod
    def of(cls, records: Sequence[Record], path: Sequence[Step] = ()) -> "Tries":
        """Return the tries of records; `path` is the run's critical one."""
        phases: dict[str, PhaseColumn] = defaultdict(
            lambda: PhaseColumn([None] * len(records), [None] * len(records))
        )
        for row, record in enumerate(records):
            for phase in record.phases:
                phases[phase.name].start[row] = phase.start
                phases[phase.name].seconds[row] = phase.seconds
        columns = {name: [getattr(record, name) for record in records] for name in TRY_FIELDS}
        columns["try_number"] = [number or None for number in columns["try_number"]]
        steps = {(step.task_id, step.map_index, step.try_number) for step in path}
        keys = [(record.task_id, record.map_index, record.try_number) for record in records]
        return cls(
            **columns,
            critical=[key in steps for key in keys],
            failure=[" ".join(record.failure.split())[:_FAILURE] for record in records],
            phases={name: phases[name] for name in PHASES if name in phases},
        )


TRY_FIELDS = tuple(
    field.name for field in fields(Tries) if field.name not in ("phases", "critical", "failure")
)


@dataclass(frozen=True)
class RunAnswer(KnownRun):
    """A run, with a page of its tries.

    Attributes:
        start, end: the run's (epoch).
        seconds: its wall time: so far, while it runs.
        usual_seconds: the wall time of the runs before that succeeded, up to where it became longer
            or shorter, if it did.
        totals: of each phase, over all tries.
        where, own: of `podline.phases`.
        compared_with: how many runs before there are that succeeded.
        total_entries, total, limit, offset: how many tries there are, twice, and which of them
            `tries` has.
    """

    start: float | None
    end: float | None
    seconds: float | None
    usual_seconds: Percentiles | None
    overhead_share: float | None
    totals: dict[PhaseName, float]
    where: dict[str, str]
    own: tuple[str, ...]
    critical_path: list[Step]
    slow: list[Slow]
    compared_with: int
    tries: Tries
    total_entries: int
    total: int
    limit: int
    offset: int


class TryAnswer(TryFields):
    """One try: its record, and what is usual beside it.

    Attributes:
        try_number: None: the task was not tried.
        partial: why the record is not whole, if so.
        duration: of the try, in seconds; None: it is not over.
        overhead: all of that but the user's own work.
        where, own: of `podline.phases`.
        usual: of each phase, over the tries before that succeeded, up to where it became longer or
            shorter, if it did.
        tries: the numbers of the task instance's tries.
    """

    try_number: int | None
    partial: str
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    overhead: float | None
    where: dict[str, str]
    own: tuple[str, ...]
    usual: dict[str, Percentiles]
    tries: list[int]


@dataclass(frozen=True)
class RunLine:
    """A run in the list of a DAG's runs."""

    run_id: str
    state: str
    start_date: datetime | None
    start: float | None
    seconds: float | None
    overhead_share: float | None
    failed: bool


@dataclass(frozen=True)
class _AboutDag:
    dag_id: str
    runs: int
    last: float | None  # when the latest began
    seconds: Percentiles | None  # of the runs that succeeded, as all that is usual
    overhead_share: Percentiles | None


@dataclass(frozen=True)
class Overview(_AboutDag):
    """A DAG's last runs in short, with the phases that take longest beside the user's own work."""

    slowest: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class History(_AboutDag):
    """The last runs of a DAG, and each phase of each task over them."""

    run_list: list[RunLine]
    tasks: dict[str, dict[str, Percentiles]]

    @property
    def phases(self) -> list[tuple[str, str, Percentiles]]:
        """Task, phase, and how long that takes."""
        return [(task, name, p) for task, found in self.tasks.items() for name, p in found.items()]

    def in_short(self) -> Overview:
        """Return what the overview of all DAGs says of this one."""
        others = [phase for phase in self.phases if phase[1] not in OWN]
        slowest = sorted(others, key=lambda phase: -phase[2].p50)[:_SLOWEST]
        lines = [{"task_id": task, "phase": name, **vars(p)} for task, name, p in slowest]
        return Overview(**_shared(_AboutDag, self), slowest=lines)


def _shared(kind: type[KnownRun | _AboutDag], found: Run | History) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in fields(kind)}


def of_run(run: Run, before: Sequence[Record], limit: int, offset: int) -> RunAnswer:
    """Return what is said of a run.

    Args:
        run: the run.
        before: the records of the runs that it is compared with.
        limit: how many tries are given.
        offset: how many are passed over.
    """
    path = run_summary.critical_path(run.records)
    return RunAnswer(
        **_shared(KnownRun, run),
        start=epoch(run.start_date),
        end=epoch(run.end_date),
        seconds=run_summary.run_seconds(run.records),
        usual_seconds=run_summary.usual_seconds(run.records, before),
        overhead_share=run_summary.overhead_share(run.records),
        totals=run_summary.totals(run.records),
        where=dict(WHERE.items()),
        own=OWN,
        critical_path=path,
        slow=run_summary.slow_phases(run.records, before)[:_SLOW],
        compared_with=len(run_summary.by_run(before)),
        tries=Tries.of(run.records[offset : offset + limit], path),
        total_entries=len(run.records),
        total=len(run.records),
        limit=limit,
        offset=offset,
    )


def of_try(one: OneTry, before: Sequence[Record]) -> TryAnswer:
    """Return the fields of a try's record, and what is usual beside them.

    Args:
        one: the try.
        before: the records of the runs that it is compared with.
    """
    record, whole = one.record, run_summary.is_whole(one.record)
    over = record.end is not None or whole
    known = {name: getattr(record, name) for name in Record.model_fields}
    return TryAnswer.model_construct(  # of what was checked, or made here
        **known | {"try_number": record.try_number or None},
        start_date=moment(record.start),
        end_date=moment(record.end),
        duration=round(record.duration, 6) if over and record.start is not None else None,
        overhead=round(record.overhead, 6) if whole else None,
        where=dict(WHERE.items()),
        own=OWN,
        usual=run_summary.usual_for(record, before),
        tries=one.numbers,
    )


def moment(at: float | None) -> datetime | None:
    """A time of day (epoch) as Airflow has it."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def of_dag(dag_id: str, runs: Sequence[KnownRun], records: Sequence[Record]) -> History:
    """Return what the last runs of a DAG say together.

    Args:
        dag_id: the DAG.
        runs: the runs, the latest first.
        records: of these runs.
    """
    by_run = run_summary.by_run(records)
    lines = [_run_line(run, by_run[run.run_id]) for run in reversed(runs) if run.run_id in by_run]
    usual = [line for line in lines if line.state == "success"]
    counted = {line.run_id for line in usual}
    return History(
        dag_id=dag_id,
        runs=len(lines),
        last=epoch(runs[0].start_date) if runs else None,
        seconds=run_summary.spread(line.seconds for line in usual),
        overhead_share=run_summary.spread(line.overhead_share for line in usual),
        run_list=lines,
        tasks=run_summary.usual(record for record in records if record.run_id in counted),
    )


def wall_time(run: KnownRun, records: Sequence[Record]) -> float | None:
    """How long a run took, by its records, in seconds; None: it is not over."""
    return run_summary.run_seconds(records) if run.end_date else None


def _run_line(run: KnownRun, records: Sequence[Record]) -> RunLine:
    return RunLine(
        run_id=run.run_id,
        state=run.state,
        start_date=run.start_date,
        start=epoch(run.start_date),
        seconds=wall_time(run, records),
        overhead_share=run_summary.overhead_share(records),
        failed=run.state == "failed",
    )
