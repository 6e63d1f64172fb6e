"""The stage's clock: contiguous phases from the stage's start, by a monotonic clock.

That is the start of its process, or of a process with a head start the moment its task came.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from podline.contract import CellTime, Phase
from podline.phases import StagePhase


def process_age() -> float:
    """Seconds since this process was started, to 10 ms; nothing known (not Linux): 0."""
    try:
        with open("/proc/self/stat", encoding="ascii") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


class Clock:
    """Measures phases one after the other: the end of one is the start of the next."""

    def __init__(self, age: float | None = None) -> None:
        """Begin.

        Args:
            age: seconds since the stage's start; None: that of its process.
        """
        age = process_age() if age is None else age
        self.started = time.time() - age
        self._zero = time.monotonic() - age
        self._since = 0.0
        self.phases: list[Phase] = []
        self.cells: list[CellTime] = []

    def now(self) -> float:
        """Seconds since the start of the process."""
        return time.monotonic() - self._zero

    def wall(self) -> float:
        """The time of day, in seconds since the epoch, as far as it was right at the start."""
        return self.started + self.now()

    def end(self, phase: StagePhase) -> None:
        """End a phase, which began where the one before ended."""
        now = self.now()
        self.phases.append(Phase(phase, self._since, now - self._since))
        self._since = now

    @contextmanager
    def cell(self, number: int) -> Iterator[None]:
        """Time a cell."""
        start = self.now()
        try:
            yield
        finally:
            self.cells.append(CellTime(number, start, self.now() - start))
