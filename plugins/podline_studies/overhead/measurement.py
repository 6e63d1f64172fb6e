"""What a run took, from the records that its tries left in the store.

A run's wall time goes from the run's start to the last stage's end; that of a baseline is its
process's: on this machine from spawn to exit, in a pod from the container's start until the result
is stored. Either is the sum of `PARTS`, along the critical path.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from podline import settings
from podline.contract import Json, StageResult
from podline.exceptions import PodlineError
from podline.latency import run_summary, timeline
from podline.latency.observations import Moments, Observed, PodTimes
from podline.latency.record import Record, Skew
from podline.phases import OUTSIDE, STAGE_PHASES, phases_of
from podline.store.keys import LATENCY, RESULT
from podline.store.run_history import last_objects
from podline_studies.machine import disturbance
from podline_studies.overhead.design import BASELINE, BASELINES, Combination

if TYPE_CHECKING:
    from podline.store import Store

# The phases of each part; what is in none, and the time between stages, is the pipeline's.
PARTS = {part: phases_of(part) for part in ("kubernetes", "transfer", "libraries", "code")}
PIPELINE = "pipeline"
# What a notebook may say of its own sizes, as metrics.
COUNTS = ("rows_train", "rows_read", "bytes_read", "weights")
_PATIENCE = 20.0  # seconds; a record is kept within some after the end of its try


class MeasuringError(PodlineError):
    """A run left no records to measure it by."""


@dataclass(frozen=True)
class StageTimes:
    """A stage of a run: seconds and bytes.

    Attributes:
        order: by its start.
        start: after the run's start.
        duration: of its last try.
        gap: since its latest parent's end, or the run's start.
        on_path: whether the run's end waited for it.
        phases: of its last try.
    """

    stage: str
    order: int
    start: float
    duration: float
    gap: float
    on_path: bool
    phases: dict[str, float]
    bytes_in: int
    bytes_out: int
    peak_memory: int


@dataclass(frozen=True)
class Measurement(Json):
    """A run of a combination.

    Attributes:
        way: how it ran: ``scheduler`` or ``test`` (`podline_studies.dag_tasks.way`).
        sitting: the number of the session that it was measured in.
        attempt: from 1; more where a run before was disturbed or failed.
        busy: share of the machine's processors that was taken in the second before it; None:
            not known.
        started: the run's start (epoch).
        wall: seconds; None: it failed.
        parts: seconds of each of `PARTS` and of the pipeline; their sum is `wall`.
        counts: what the notebook says of `COUNTS`.
        tries: the most that any of its tasks took: where that is more than one, it was disturbed.
        quiet: the share that may be taken in the second before it; more: it was disturbed. None: in
            a study that did not look.
        versions: of Python and libraries, by which its code ran.
    """

    combination: Combination
    way: str
    sitting: int
    attempt: int
    busy: float | None
    dag_id: str
    run_id: str
    state: str
    failure: str = ""
    started: float | None = None
    wall: float | None = None
    parts: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    stages: tuple[StageTimes, ...] = ()
    tries: int = 0
    quiet: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """Of the combination."""
        return self.combination.index

    @property
    def ended(self) -> float | None:
        """When (epoch); None: it failed."""
        known = self.started is not None and self.wall is not None
        return self.started + self.wall if known else None  # type: ignore[operator]

    @property
    def trouble(self) -> str:
        """Why it does not count; "": it does."""
        if self.state != "success":
            return self.failure
        if self.tries > 1:
            return f"disturbed: a task took {self.tries} tries"
        return disturbance(self.busy, self.quiet)


@dataclass(frozen=True)
class Task:
    """What a task of a run left: its record, and, of a stage, its result."""

    record: Record
    result: StageResult | None


def read_tasks(
    store: "Store", dag_id: str, run_id: str, expected: Iterable[str], patience: float = _PATIENCE
) -> dict[str, Task]:
    """Return what the tasks of a run that has ended left, by task id.

    Args:
        store: where to look.
        dag_id: the run's DAG.
        run_id: the run.
        expected: the ids of tasks whose records are waited for.
        patience: for how long, in seconds.
    """
    deadline = time.monotonic() + patience
    wanted = set(expected)
    while True:
        left = last_objects(store, dag_id, run_id)
        there = {name for name, task in left.items() if LATENCY in task}
        if wanted <= there or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    return {name: _read(store, left[name]) for name in there}


def _read(store: "Store", keys: Mapping[str, str]) -> Task:
    record = Record.model_validate_json(bytes(store.get(keys[LATENCY])))
    result = None
    if RESULT in keys:
        result = StageResult.from_json(bytes(store.get(keys[RESULT])))
    if record.kind == "pod" and result is not None:
        record = _with_stage(record, result)
    return Task(record, result)


def _with_stage(record: Record, result: StageResult) -> Record:
    """The record of a stock operator's pod, with the phases that the stage in it measured."""
    assert record.start is not None
    assert record.end is not None
    ends = {phase.name: record.start + phase.start + phase.seconds for phase in record.phases}
    moments = Moments(execute=ends["prepare"], created=ends.get("submit", ends["prepare"]))
    status = PodTimes(bound=ends.get("schedule"))
    seen = Observed(moments, status, settings.Backend.KUBERNETES, result=result)
    phases = timeline.stage_phases(record.start, record.end, seen, Skew())
    sizes = {"bytes_in": result.bytes_in, "bytes_out": result.bytes_out}
    memory = {"peak_memory": result.peak_memory}
    return record.model_copy(update={"phases": tuple(phases), **sizes, **memory})


def measure(
    tasks: Mapping[str, Task], blank: Measurement, stage_cells: Collection[int]
) -> Measurement:
    """Return the measurement of a run.

    Args:
        tasks: of `read_tasks`.
        blank: what is known of the run otherwise.
        stage_cells: the numbers of the notebook's cells that are a stage's own.

    Raises:
        MeasuringError: the records of a run that succeeded do not tell.
    """
    records = [task.record for task in tasks.values()]
    tries = max((record.try_number for record in records), default=0)
    failures = [f"{r.task_id}: {r.failure}" for r in records if r.state != "success"]
    if blank.state != "success" or failures:
        reason = "; ".join(failures) or blank.failure or "no task says why"
        return replace(blank, state="failed", failure=reason, tries=tries)
    if not records:
        raise MeasuringError(
            f"{blank.dag_id} {blank.run_id} left no record. fix: set [podline] latency to all"
        )
    results = [task.result for task in tasks.values() if task.result]
    counts = {name: of.metrics[name] for of in results for name in COUNTS if name in of.metrics}
    versions = {name: version for of in results for name, version in of.versions.items()}
    found = replace(blank, counts=counts, tries=tries, versions=versions)
    if blank.combination.backend in BASELINES:
        measured = _of_process if blank.combination.backend == BASELINE else _of_container
        return measured(_as_stages_have_it(records[0], stage_cells), found)
    return _of_pipeline(records, found)


def longest(measured: Sequence[Measurement]) -> Measurement:
    """Return, of runs at once, the one that does not count if any does not, or took longest."""
    return max(measured, key=lambda one: (bool(one.trouble), one.wall or 0.0))


def _as_stages_have_it(record: Record, stage_cells: Collection[int]) -> Record:
    """The baseline's record with the time of its cells of imports in that phase, not in `code`."""
    moved = sum(cell.seconds for cell in record.cells if cell.number not in stage_cells)
    by = {"imports": moved, "code": -moved}
    phases = [
        phase.model_copy(update={"seconds": max(0.0, phase.seconds + by.get(phase.name, 0.0))})
        for phase in record.phases
    ]
    return record.model_copy(update={"phases": tuple(phases)})


def _of_process(record: Record, blank: Measurement) -> Measurement:
    if record.gone is None or record.start is None:
        raise MeasuringError(
            f"{blank.dag_id} {blank.run_id} does not say when its process was spawned and gone"
        )
    spawned = next(p.start + p.seconds for p in record.phases if p.name == "submit")
    wall = record.gone - record.start - spawned
    return _of_notebook(record, wall, blank)


def _of_container(record: Record, blank: Measurement) -> Measurement:
    inside = [phase for phase in record.phases if phase.name in STAGE_PHASES]
    if record.start is None or not inside:
        raise MeasuringError(
            f"{blank.dag_id} {blank.run_id} does not say what its container spent its time with"
        )
    wall = inside[-1].start + inside[-1].seconds - inside[0].start
    return _of_notebook(record.model_copy(update={"phases": tuple(inside)}), wall, blank)


def _of_notebook(record: Record, wall: float, blank: Measurement) -> Measurement:
    assert record.start is not None
    stages = [_stage(record, 0, record.start, gap=0.0, on_path=True)]
    return _measured(blank, record.start, wall, [record], stages)


def _of_pipeline(records: list[Record], blank: Measurement) -> Measurement:
    records = sorted(records, key=lambda record: record.start or 0.0)
    # Before the first task `dags test` reads all DAG files, which a scheduler has read before.
    started = records[0].start if blank.way == "test" else records[0].run_start
    assert started is not None
    records = [record.model_copy(update={"run_start": started}) for record in records]
    path = {step.task_id for step in run_summary.critical_path(records)}
    stages = [
        _stage(record, order, started, _gap(record, records), record.task_id in path)
        for order, record in enumerate(records)
    ]
    wall = max(record.end or 0.0 for record in records) - started
    on_path = [record for record in records if record.task_id in path]
    return _measured(blank, started, wall, on_path, stages)


def _measured(
    blank: Measurement,
    started: float,
    wall: float,
    on_path: Sequence[Record],
    stages: Sequence[StageTimes],
) -> Measurement:
    parts = {part: sum(one.seconds(*of) for one in on_path) for part, of in PARTS.items()}
    parts[PIPELINE] = wall - sum(parts.values())
    parts = {part: round(seconds, 6) for part, seconds in parts.items()}
    return replace(blank, started=started, wall=round(wall, 6), parts=parts, stages=tuple(stages))


def _gap(record: Record, records: list[Record]) -> float:
    ends = [other.end or 0.0 for other in records if other.task_id in record.upstream]
    since = max(ends, default=record.run_start)
    return (record.start or 0.0) - (since or 0.0)


def _stage(record: Record, order: int, started: float, gap: float, on_path: bool) -> StageTimes:
    inside = [phase for phase in record.phases if phase.name not in OUTSIDE]
    return StageTimes(
        stage=record.task_id,
        order=order,
        start=round((record.start or 0.0) - started, 6),
        duration=round(record.duration, 6),
        gap=round(gap, 6),
        on_path=on_path,
        phases={phase.name: phase.seconds for phase in inside},
        bytes_in=record.bytes_in or 0,
        bytes_out=record.bytes_out or 0,
        peak_memory=record.peak_memory or 0,
    )
