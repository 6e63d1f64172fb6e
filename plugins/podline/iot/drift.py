"""Drift: the error of a version's last forecasts beside what its evaluation lets one expect."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Drift:
    """Follows the errors of whichever version answers.

    Attributes:
        window: how many forecasts count.
        threshold: times its own evaluation's error that a version may reach.
        version: the one that answers; the errors are its alone.
        expected: its evaluation's error; None: it is not known, and nothing is too much.
    """

    window: int
    threshold: float
    version: int = 0
    expected: float | None = None
    _losses: deque[float] = field(init=False, repr=False)
    _baseline: deque[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._losses = deque(maxlen=self.window)
        self._baseline = deque(maxlen=self.window)

    def see(
        self, version: int, loss: float, baseline: float, expected: Callable[[], float | None]
    ) -> None:
        """Take in a forecast of which the truth is known.

        Args:
            version: that made it.
            loss: by how much it was off.
            baseline: by how much the forecast without a model was.
            expected: gives the error of a version's evaluation, where it is another one.
        """
        if version != self.version:
            self.version, self.expected = version, expected()
            self._losses.clear()
            self._baseline.clear()
        self._losses.append(loss)
        self._baseline.append(baseline)

    @property
    def mean(self) -> float | None:
        """The mean loss; None: the window is not full yet."""
        return self._mean(self._losses)

    @property
    def baseline(self) -> float | None:
        """The same without a model."""
        return self._mean(self._baseline)

    def is_beyond(self, error: float) -> bool:
        """Whether an error is more than the threshold allows."""
        return self.expected is not None and error > self.threshold * self.expected

    def _mean(self, losses: deque[float]) -> float | None:
        return sum(losses) / self.window if len(losses) == self.window else None
