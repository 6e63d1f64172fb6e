"""Where the seconds of each stage went: the rows of a table, from what the stages measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from podline.contract import CellTime, StageResult
from podline.phases import OWN, STAGE_PHASES

# What the caller waits for besides the stage's own phases: its process starts, its result is read.
LAUNCH = "launch"

_ORDER = (LAUNCH, *STAGE_PHASES)


@dataclass(frozen=True)
class Row:
    """A stage's time, in seconds.

    Attributes:
        stage: the stage's name.
        phases: the length of each phase that was measured; together they are the whole time.
        cells: how long each of its cells took, within the phase ``code``.
    """

    stage: str
    phases: dict[str, float]
    cells: tuple[CellTime, ...] = ()

    @property
    def total(self) -> float:
        """The whole time."""
        return sum(self.phases.values())

    @property
    def overhead(self) -> float:
        """All but the notebook's own cells."""
        return self.total - sum(self.phases.get(name, 0.0) for name in OWN)

    @property
    def share(self) -> float:
        """The overhead as a part of the whole, from 0 to 1."""
        return self.overhead / self.total if self.total else 0.0


def row_of(result: StageResult, seconds: float | None = None, stage: str = "") -> Row:
    """Return the row of a stage.

    Args:
        result: what the stage measured.
        seconds: how long the caller waited for it; what the stage did not see itself becomes the
            phase ``launch``, to the 10 ms that the start of a process is known to.
        stage: the name to give the row, by default the stage's.
    """
    phases: dict[str, float] = {phase.name: result.seconds(phase.name) for phase in result.phases}
    if seconds is not None:
        phases = {LAUNCH: seconds - sum(phases.values()), **phases}
    return Row(stage or result.stage, phases, result.cells)


def total_of(rows: Iterable[Row]) -> Row:
    """Return the sum of rows, phase by phase, without cells."""
    phases: dict[str, float] = {}
    for row in rows:
        for phase, seconds in row.phases.items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    return Row("total", phases)


def phase_names(rows: Sequence[Row]) -> list[str]:
    """Return the phases that any row has, in order; those that are not known come last."""
    measured = dict.fromkeys(phase for row in rows for phase in row.phases)
    return [phase for phase in dict.fromkeys((*_ORDER, *measured)) if phase in measured]


def start_of(results: Iterable[StageResult]) -> float:
    """Return when the first stage started, in seconds since the epoch."""
    return min(result.started for result in results)


def wall_seconds(results: Sequence[StageResult]) -> float:
    """Return the seconds from the start of the first stage's process to the end of the last's."""
    ends = [result.started + row_of(result).total for result in results]
    return max(ends) - start_of(results)
