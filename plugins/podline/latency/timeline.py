"""From what was seen of a try to its phases: contiguous, and in sum as long as the try."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from podline.latency.record import Cell, Phase, Skew, Source
from podline.phases import PhaseName

if TYPE_CHECKING:
    from podline.contract import StageResult
    from podline.latency.observations import Observed

# Seconds to which is known: when something happened in a process or was brought by a watch, when
# a process started, and what a pod's status says.
_FINE, _TICK, _COARSE = 0.001, 0.01, 1.0
_OPEN = math.inf  # a phase that lasts as long as it can
# What a pod's status says of the end of a phase.
_POD_PHASES: tuple[tuple[PhaseName, str], ...] = (
    ("submit", "created"),
    ("schedule", "bound"),
    ("start", "running"),
)


class Timeline:
    """Phases, one after the other.

    Args:
        start, end: of the try (epoch).
    """

    def __init__(self, start: float, end: float) -> None:
        self._zero, self._at = start, 0.0
        self.limit_to(end)
        self.phases: list[Phase] = []

    def until(self, name: PhaseName, at: float, source: Source, precision: float = _FINE) -> None:
        """Add a phase that ends at `at` (epoch): not before it began, and not after the limit."""
        end = min(max(round(at - self._zero, 6), self._at), self._limit)
        start, self._at = self._at, end
        seconds = round(end - start, 6)
        self.phases.append(
            Phase(name=name, start=start, seconds=seconds, source=source, precision=precision)
        )

    def limit_to(self, at: float) -> None:
        """Let no phase end after `at` (epoch)."""
        self._limit = max(self._at, round(at - self._zero, 6))


def stage_phases(start: float, end: float, seen: "Observed", skew: Skew) -> list[Phase]:
    """Return the phases of a try of a stage; what is not known of the image is part of `start`.

    Args:
        start: Airflow's (epoch).
        end: Airflow's (epoch).
        seen: what the worker saw.
        skew: of `clock_skew`.
    """
    line, marks = Timeline(start, end), seen.marks
    if "execute" not in marks and seen.deferred:  # its trigger was lost, and what it knew
        line.until("defer", marks["resumed"], "airflow")
    else:
        line.until("prepare", marks.get("execute", _OPEN), "worker")
    if "execute" in marks:
        began = marks.get("adopted", marks.get("created"))
        line.until("submit", marks.get("heard", _OPEN) if began is None else began, "worker")
        if began is not None:
            line.limit_to(min(marks.get("heard", end), end))
            _add_cluster(line, seen, skew)
            line.limit_to(end)
            _add_way_back(line, seen)
    line.until("finish", end, "airflow")
    return line.phases


def _add_cluster(line: Timeline, seen: "Observed", skew: Skew) -> None:
    """From the creation of what runs the stage, as far as that came."""
    if seen.backend == "process":
        _add_stage(line, seen, skew)
        return
    bound, source, precision = _known(seen, "bound")
    line.until("schedule", bound, source, precision)
    if bound == _OPEN and seen.result is None:
        return
    if (pull := seen.pull) is not None:
        there = pull.until or bound + (_OPEN if pull.seconds is None else pull.seconds)
        line.until("pull", there, "events", _COARSE if pull.until else _FINE)
    running, source, precision = _known(seen, "running")
    if seen.result is not None:
        running, source, precision = seen.result.started - skew.seconds, "stage", _TICK
    line.until("start", running, source, precision)
    if running != _OPEN:
        _add_stage(line, seen, skew)


def _add_stage(line: Timeline, seen: "Observed", skew: Skew) -> None:
    """What the stage measured; where it left nothing, all that it did is one phase."""
    if (result := seen.result) is None:
        line.until("run", _OPEN, "worker")
        return
    zero = result.started - skew.seconds
    *phases, last = result.phases
    for phase in phases:
        line.until(phase.name, zero + phase.start + phase.seconds, "stage")
    stored = seen.marks.get("stored", result.started + last.start + last.seconds)
    line.until(last.name, stored - skew.seconds, "stage")


def _add_way_back(line: Timeline, seen: "Observed") -> None:
    marks = seen.marks
    if seen.deferred:
        line.until("defer", marks.get("triggered", _OPEN), "trigger")
        line.until("notice", marks.get("heard", _OPEN), "trigger")
        line.until("resume", marks.get("resumed", _OPEN), "worker")
    else:
        line.until("notice", marks.get("heard", _OPEN), "worker")


def _known(seen: "Observed", name: str) -> tuple[float, Source, float]:
    """When something happened to the pod (not seen: open), who says so, and how precisely."""
    if name in seen.marks:
        return seen.marks[name], "watch", _FINE
    if name in seen.status:
        return seen.status[name], "status", _COARSE
    return _OPEN, "worker", _FINE


def clock_skew(seen: "Observed") -> Skew:
    """Estimate how far the stage's clock is ahead of the worker's.

    The result is stored before the worker hears of it, and the process starts after it was
    created: two bounds, as in Cristian's algorithm. Where no difference is possible none is
    assumed; else the first bound, which is off by the time of a message only.
    """
    result, marks = seen.result, seen.marks
    if result is None or seen.backend == "process" or "stored" not in marks or "heard" not in marks:
        return Skew()
    low = marks["stored"] - marks["heard"]
    created = marks.get("created", seen.status.get("created"))
    high = None if created is None else result.started + _TICK - created
    possible = low <= 0 and (high is None or high >= 0)
    digits = {"low": round(low, 6), "high": None if high is None else round(high, 6)}
    return Skew(seconds=0.0 if possible else round(low, 6), **digits)


def cells_of(result: "StageResult", start: float, skew: Skew) -> list[Cell]:
    """Return the stage's cells, in seconds after the try's start (epoch)."""
    zero = result.started - skew.seconds - start
    return [
        Cell(number=cell.number, start=round(zero + cell.start, 6), seconds=round(cell.seconds, 6))
        for cell in result.cells
    ]


def outside(start: float, end: float, seen: "Observed") -> tuple[list[Phase], list[Phase]]:
    """Return what lies before and after the try itself: an adopted pod's past, and the cleanup."""
    marks = seen.marks
    before: list[Phase] = []
    after: list[Phase] = []
    created = seen.status.get("created")
    if "adopted" in marks and created is not None and created < start:
        past = round(start - created, 6)
        before = [
            Phase(name="adopted", start=-past, seconds=past, source="status", precision=_COARSE)
        ]
    if marks.get("deleting", 0.0) >= end and "deleted" in marks:
        seconds = round(marks["deleted"] - marks["deleting"], 6)
        since = round(marks["deleting"] - start, 6)
        after = [
            Phase(name="cleanup", start=since, seconds=seconds, source="worker", precision=_FINE)
        ]
    return before, after


def task_phases(
    start: float, end: float, execute: float | None, pod: Mapping[str, float]
) -> list[Phase]:
    """Return the phases of a task that is no stage, as far as they can be known.

    Args:
        start: Airflow's (epoch).
        end: Airflow's (epoch).
        execute: when its own work began (epoch).
        pod: what the status of a stock operator's pod says (epoch, whole seconds).
    """
    line = Timeline(start, end)
    line.until("prepare", _OPEN if execute is None else execute, "worker")
    for phase, mark in _POD_PHASES:
        if mark in pod:
            line.until(phase, pod[mark], "status", _COARSE)
    if "ended" in pod:
        line.until("run", pod["ended"], "status", _COARSE)
        line.until("notice", _OPEN, "airflow")
    else:
        line.until("run", _OPEN, "airflow")
    return line.phases
