"""From what was seen of a try to its phases: contiguous, and in sum as long as the try."""

from typing import TYPE_CHECKING

from podline.latency.observations import PodTimes
from podline.latency.quantity import quantity
from podline.latency.record import AheadPod, Cell, Phase, Skew, Source
from podline.phases import STAGE_PHASES, PhaseName
from podline.settings import Backend

if TYPE_CHECKING:
    from podline.contract import StageResult
    from podline.latency.observations import Observed

# Seconds to which is known: when something happened in a process or was brought by a watch, when
# a process started, and what a pod's status says.
_FINE, _TICK, _COARSE = 0.001, 0.01, 1.0


class Timeline:
    """Phases, one after the other.

    Args:
        start, end: of the try (epoch).
        began: when the first one began (epoch), if not at the try's start.
    """

    def __init__(self, start: float, end: float, began: float | None = None) -> None:
        self._zero, self._at = start, 0.0 if began is None else round(began - start, 6)
        self.limit_to(end)
        self.phases: list[Phase] = []

    def until(
        self, name: PhaseName, at: float | None, source: Source, precision: float = _FINE
    ) -> None:
        """Add a phase; it ends not before it began, and not after the limit.

        Args:
            name: the phase's.
            at: when it ends (epoch); None: not before the limit.
            source: who measured that.
            precision: seconds to which it is known.
        """
        end = self._limit
        if at is not None:
            end = min(max(round(at - self._zero, 6), self._at), end)
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
    line, at = Timeline(start, end), seen.moments
    if at.execute is None and seen.deferred:  # its trigger was lost, and what it knew
        line.until("defer", at.resumed, "airflow")
    else:
        line.until("prepare", at.execute, "worker")
    if at.execute is not None:
        began = at.created if at.adopted is None else at.adopted
        line.until("submit", at.heard if began is None else began, "worker")
        if began is not None:
            line.limit_to(end if at.heard is None else min(at.heard, end))
            _add_cluster(line, seen, skew)
            line.limit_to(end)
            _add_way_back(line, seen)
    line.until("finish", end, "airflow")
    return line.phases


def _add_cluster(line: Timeline, seen: "Observed", skew: Skew) -> None:
    """From the creation of what runs the stage, as far as that came."""
    if seen.backend == Backend.PROCESS:
        _add_stage(line, seen, skew)
        return
    if seen.ahead is None and not _add_node(line, seen):
        return
    running, source, precision = _known(seen.moments.running, seen.status.running)
    if seen.result is not None:
        running, source, precision = seen.result.started - skew.seconds, "stage", _TICK
    line.until("start", running, source, precision)
    if running is not None:
        _add_stage(line, seen, skew)


def _add_node(line: Timeline, seen: "Observed") -> bool:
    """Until the image is on the pod's node; whether it has come to a node."""
    bound, source, precision = _known(seen.moments.bound, seen.status.bound)
    line.until("schedule", bound, source, precision)
    if bound is None and seen.result is None:
        return False
    if (pull := seen.pull) is not None:
        there = pull.until
        if there is None and bound is not None and pull.seconds is not None:
            there = bound + pull.seconds
        line.until("pull", there, "events", _COARSE if pull.until else _FINE)
    return True


def _add_stage(line: Timeline, seen: "Observed", skew: Skew) -> None:
    """What the stage measured; where it left nothing, what it said on its way."""
    if (result := seen.result) is None:
        _add_said(line, seen)
        return
    zero = result.started - skew.seconds
    *phases, last = result.phases
    for phase in phases:
        line.until(phase.name, zero + phase.start + phase.seconds, "stage")
    stored = seen.moments.stored
    if stored is None:
        stored = result.started + last.start + last.seconds
    line.until(last.name, stored - skew.seconds, "stage")


def _add_said(line: Timeline, seen: "Observed") -> None:
    """The phases that a stage said to have ended, and the one that it was at then."""
    ended = seen.ended
    precision = _FINE if seen.backend == Backend.PROCESS else _COARSE  # clocks are not compared
    at = -1
    for place, name in enumerate(STAGE_PHASES):
        if name in ended:
            line.until(name, ended[name], "stage", precision)
            at = place
    line.until("run" if at < 0 else STAGE_PHASES[at + 1], None, "worker")


def so_far(start: float, now: float, seen: "Observed") -> list[Phase]:
    """Return the phases of a try that goes on; the last is the one that it is at.

    Args:
        start: Airflow's (epoch).
        now: the time (epoch).
        seen: what the worker sees.
    """
    phases = stage_phases(start, now, seen, Skew())
    while len(phases) > 1 and not phases[-1].seconds:
        phases.pop()
    return phases


def _add_way_back(line: Timeline, seen: "Observed") -> None:
    at = seen.moments
    if seen.deferred:
        line.until("defer", at.triggered, "trigger")
    line.until("notice", at.heard, "trigger" if seen.deferred else "worker")
    if seen.deferred:
        line.until("resume", at.resumed, "worker")


def _known(watched: float | None, told: float | None) -> tuple[float | None, Source, float]:
    """When something happened to the pod, who says so, and how precisely."""
    if watched is not None:
        return watched, "watch", _FINE
    return (told, "worker", _FINE) if told is None else (told, "status", _COARSE)


def clock_skew(seen: "Observed") -> Skew:
    """Estimate how far the stage's clock is ahead of the worker's.

    The result is stored before the worker hears of it, and the process starts after it was
    created: two bounds, as in Cristian's algorithm. Where no difference is possible none is
    assumed; else the first bound, which is off by the time of a message only.
    """
    result, at = seen.result, seen.moments
    if result is None or seen.backend == Backend.PROCESS or at.stored is None or at.heard is None:
        return Skew()
    low = at.stored - at.heard
    created = seen.status.created if at.created is None else at.created
    high = None if created is None else result.started + _TICK - created
    possible = low <= 0 and (high is None or high >= 0)
    digits = {"low": round(low, 6), "high": None if high is None else round(high, 6)}
    return Skew(seconds=0.0 if possible else round(low, 6), **digits)


def cells_of(result: "StageResult", start: float, skew: Skew) -> list[Cell]:
    """Return the stage's cells, in seconds after the try's start.

    Args:
        result: what the stage measured.
        start: the try's (epoch).
        skew: of `clock_skew`.
    """
    zero = result.started - skew.seconds - start
    return [
        Cell(number=cell.number, start=round(zero + cell.start, 6), seconds=round(cell.seconds, 6))
        for cell in result.cells
    ]


def ahead_of(seen: "Observed", skew: Skew) -> AheadPod | None:
    """Return what a try's pod was before it; None: it was not made ahead.

    Args:
        seen: what the worker saw.
        skew: of `clock_skew`.
    """
    if (pod := seen.ahead) is None:
        return None
    note = seen.result.ahead if seen.result else None
    begun = ready = idle = None
    if note is not None:
        begun, ready = (round(at - skew.seconds, 6) for at in (note.begun, note.ready))
        idle = round(max(0.0, pod.claimed - ready), 6)
    there = max(0.0, pod.claimed - (begun or pod.made))
    asked = {name: quantity(text) * there for name, text in pod.requests.items()}
    return AheadPod(
        made=pod.made,
        begun=begun,
        ready=ready,
        claimed=pod.claimed,
        idle=idle,
        cpu_seconds=asked.get("cpu"),
        byte_seconds=asked.get("memory"),
        void=note.void if note else "",
    )


def outside(start: float, end: float, seen: "Observed") -> tuple[list[Phase], list[Phase]]:
    """Return what lies before and after the try itself: an adopted pod's past, and the cleanup.

    Args:
        start: Airflow's (epoch).
        end: Airflow's (epoch).
        seen: what the worker saw.
    """
    at, created = seen.moments, seen.status.created
    before = after = Timeline(start, end)
    if at.adopted is not None and created is not None and created < start:
        before = Timeline(start, start, began=created)
        before.until("adopted", start, "status", _COARSE)
    if at.deleting is not None and at.deleted is not None and at.deleting >= end:
        after = Timeline(start, at.deleted, began=at.deleting)
        after.until("cleanup", at.deleted, "worker")
    return before.phases, after.phases


def task_phases(start: float, end: float, execute: float | None, pod: PodTimes) -> list[Phase]:
    """Return the phases of a task that is no stage, as far as they can be known.

    Args:
        start: Airflow's (epoch).
        end: Airflow's (epoch).
        execute: when its own work began (epoch).
        pod: what the status of a stock operator's pod says.
    """
    line = Timeline(start, end)
    line.until("prepare", execute, "worker")
    ends: tuple[tuple[PhaseName, float | None], ...] = (
        ("submit", pod.created),
        ("schedule", pod.bound),
        ("start", pod.running),
    )
    for phase, at in ends:
        if at is not None:
            line.until(phase, at, "status", _COARSE)
    if pod.ended is None:
        line.until("run", None, "worker")
    else:
        line.until("run", pod.ended, "status", _COARSE)
        line.until("notice", None, "airflow")
    return line.phases
