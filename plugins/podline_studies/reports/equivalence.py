"""Whether two ways of doing a thing take as long: shown, not only not refuted.

Two one-sided tests (D. J. Schuirmann 1987, "A comparison of the two one-sided tests procedure and
the power approach for assessing the equivalence of average bioavailability"): equivalent at 5 %
where the 90 % interval of the ratio lies within the margin. On logarithms, by Student's t, of pairs
that were measured close together; the session is a block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from podline_studies.reports.estimates import within

MARGIN = 0.10  # the ratio may lie between 1 / (1 + MARGIN) and 1 + MARGIN
ERROR = 0.05  # probability of calling equivalent what is at the margin
LEAST = 4  # pairs


@dataclass(frozen=True)
class Equivalence:
    """What pairs of times say of their ratio.

    Attributes:
        n: pairs.
        ratio: the geometric mean of the first over the second; NaN without pairs.
        low, high: the ends of its 95 % interval; None: too few pairs.
        inner_low, inner_high: of its 90 % interval, which the test goes by.
        spread: the standard deviation of the ratio's logarithm within a session.
        free: its degrees of freedom.
        p: of the two one-sided tests; None: too few pairs.
        power: the probability that equal ones, with pairs that spread so, are called equivalent.
    """

    n: int
    ratio: float
    low: float | None = None
    high: float | None = None
    inner_low: float | None = None
    inner_high: float | None = None
    spread: float = math.nan
    free: int = 0
    p: float | None = None
    power: float = 0.0

    @property
    def equivalent(self) -> bool:
        """Whether equivalence is shown."""
        return self.p is not None and self.p < ERROR

    @property
    def different(self) -> bool:
        """Whether it is shown that the two differ, by enough that they are not equivalent."""
        if self.low is None or self.high is None or self.equivalent:
            return False
        return self.low > 1 or self.high < 1


def equivalence(
    first: Sequence[float],
    second: Sequence[float],
    sessions: Sequence[object],
    *,
    margin: float = MARGIN,
) -> Equivalence:
    """Test whether two take as long.

    Args:
        first: times in seconds, pair by pair.
        second: of the other.
        sessions: the session of each pair.
        margin: by which the ratio may differ from 1.

    Raises:
        ValueError: they are not of one length, or a time is not positive.
    """
    if not len(first) == len(second) == len(sessions):
        raise ValueError("pairs have two times and a session each")
    if any(time <= 0 for time in (*first, *second)):
        raise ValueError("a time is not positive")
    logs = np.log(np.asarray(first, float)) - np.log(np.asarray(second, float))
    spread, free = within(logs, np.asarray(sessions, dtype=str))
    mean = float(logs.mean()) if len(logs) else math.nan
    if len(logs) < LEAST or free < 1:
        return Equivalence(len(logs), math.exp(mean))
    error, reach = spread / math.sqrt(len(logs)), math.log1p(margin)
    outer, inner = (float(stats.t.ppf(level, free)) * error for level in (0.975, 1 - ERROR))
    return Equivalence(
        n=len(logs),
        ratio=math.exp(mean),
        low=math.exp(mean - outer),
        high=math.exp(mean + outer),
        inner_low=math.exp(mean - inner),
        inner_high=math.exp(mean + inner),
        spread=spread,
        free=free,
        p=_p(mean, error, free, reach),
        power=_power(error, free, reach),
    )


def _p(mean: float, error: float, free: int, reach: float) -> float:
    """The greater of the two tests' p values."""
    if not error:
        return 0.0 if abs(mean) < reach else 1.0
    above = stats.t.sf((mean + reach) / error, free)
    below = stats.t.cdf((mean - reach) / error, free)
    return float(max(above, below))


def _power(error: float, free: int, reach: float) -> float:
    """Of equal ones, with Student's t moved by the margin in the noncentral one's place.

    S.-C. Chow and J.-P. Liu, "Design and Analysis of Bioavailability and Bioequivalence Studies".
    """
    if not error:
        return 1.0
    reached = stats.t.cdf(reach / error - stats.t.ppf(1 - ERROR, free), free)
    return max(0.0, 2 * float(reached) - 1)
