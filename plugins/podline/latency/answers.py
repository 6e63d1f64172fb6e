"""What the API says of a run, a try and a DAG: made here from records, read by `podline latency`.

Times of day are seconds since the epoch, and all lengths are in seconds. Knows no database.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from podline.exceptions import PodlineError
from podline.latency import run_summary
from podline.latency.record import Record
from podline.latency.run_summary import Percentiles, Slow, Step
from podline.phases import OWN, PHASES, WHERE

_SLOWEST = 3  # phases of a DAG that its overview names
_SLOW = 20  # phases of a run that are called slow


class NotFound(PodlineError):
    """Airflow knows no such run, task or try."""


@dataclass(frozen=True)
class _AboutRun:
    dag_id: str
    run_id: str
    state: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Run(_AboutRun):
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
        tries.sort(key=lambda record: record.try_number)
        wanted = [record for record in tries if number in (None, record.try_number)]
        if not wanted:
            what = task_id if map_index < 0 else f"{task_id}[{map_index}]"
            which = "" if number is None else f", try {number}"
            raise NotFound(f"the run {self.run_id!r} has no task instance {what!r}{which}")
        return OneTry(self, wanted[-1], [record.try_number for record in tries])


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
    """Tries as columns: a third of the bytes, and of the time to write and read them."""

    task_id: list[str]
    map_index: list[int]
    try_number: list[int]
    kind: list[str]
    backend: list[str]
    state: list[str]
    partial: list[str]
    start: list[float | None]
    end: list[float | None]
    deferred: list[bool]
    adopted_from: list[int | None]
    phases: dict[str, PhaseColumn]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Tries":
        """Return the tries of records."""
        phases: dict[str, PhaseColumn] = defaultdict(
            lambda: PhaseColumn([None] * len(records), [None] * len(records))
        )
        for row, record in enumerate(records):
            for phase in record.phases:
                phases[phase.name].start[row] = phase.start
                phases[phase.name].seconds[row] = phase.seconds
        columns = {name: [getattr(record, name) for record in records] for name in TRY_FIELDS}
        return cls(**columns, phases={name: phases[name] for name in PHASES if name in phases})


TRY_FIELDS = tuple(field.name for field in fields(Tries) if field.name != "phases")


@dataclass(frozen=True)
class RunAnswer(_AboutRun):
    """A run, with a page of its tries.

    Attributes:
        usual_seconds: the wall time of the runs before.
        totals: of each phase, over all tries.
        where, own: of `podline.phases`.
        compared_with: how many runs before there are.
        total, limit, offset: how many tries there are, and which of them `tries` has.
    """

    seconds: float | None
    usual_seconds: Percentiles | None
    overhead_share: float | None
    totals: dict[str, float]
    where: dict[str, str]
    own: tuple[str, ...]
    critical_path: list[Step]
    slow: list[Slow]
    compared_with: int
    tries: Tries
    total: int
    limit: int
    offset: int


@dataclass(frozen=True)
class RunLine:
    """A run in the list of a DAG's runs."""

    run_id: str
    start: float | None
    seconds: float | None
    overhead_share: float | None
    failed: bool


@dataclass(frozen=True)
class _AboutDag:
    dag_id: str
    runs: int
    last: float | None  # when the latest began
    seconds: Percentiles | None
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


def _shared(kind: type[_AboutRun | _AboutDag], found: Run | History) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in fields(kind)}


def of_run(run: Run, before: Sequence[Record], limit: int, offset: int) -> RunAnswer:
    """Return what is said of a run.

    Args:
        run: the run.
        before: the records of the runs that it is compared with.
        limit: how many tries are given.
        offset: how many are passed over.
    """
    lengths = run_summary.spread(map(run_summary.run_seconds, run_summary.by_run(before)))
    return RunAnswer(
        **_shared(_AboutRun, run),
        seconds=run_summary.run_seconds(run.records),
        usual_seconds=lengths,
        overhead_share=run_summary.overhead_share(run.records),
        totals=run_summary.totals(run.records),
        where=dict(WHERE.items()),
        own=OWN,
        critical_path=run_summary.critical_path(run.records),
        slow=run_summary.slow_phases(run.records, run_summary.usual(before))[:_SLOW],
        compared_with=lengths.n if lengths else 0,
        tries=Tries.of(run.records[offset : offset + limit]),
        total=len(run.records),
        limit=limit,
        offset=offset,
    )


def of_try(one: OneTry, before: Sequence[Record]) -> Mapping[str, object]:
    """Return the fields of a try's record, and what is usual beside them.

    Args:
        one: the try.
        before: the records of the runs that it is compared with.
    """
    record = one.record
    return {
        **record.model_dump(),
        "duration": round(record.duration, 6),
        "overhead": round(record.overhead, 6) if run_summary.is_whole(record) else None,
        "where": WHERE,
        "own": OWN,
        "usual": run_summary.usual(before).get(record.task_id, {}),
        "tries": one.numbers,
    }


def of_dag(dag_id: str, last: float | None, records: Sequence[Record]) -> History:
    """Return what the last runs of a DAG say together.

    Args:
        dag_id: the DAG.
        last: when the latest of its runs began.
        records: of these runs.
    """
    by_run = run_summary.by_run(records)
    return History(
        dag_id=dag_id,
        runs=len(by_run),
        last=last,
        seconds=run_summary.spread(map(run_summary.run_seconds, by_run)),
        overhead_share=run_summary.spread(map(run_summary.overhead_share, by_run)),
        run_list=[_run_line(run) for run in by_run],
        tasks=run_summary.usual(records),
    )


def _run_line(records: Sequence[Record]) -> RunLine:
    run_id, start = records[0].run_id, records[0].run_start
    seconds, share = run_summary.run_seconds(records), run_summary.overhead_share(records)
    failed = any(record.state == "failed" for record in run_summary.last_tries(records))
    return RunLine(run_id, start, seconds, share, failed)
