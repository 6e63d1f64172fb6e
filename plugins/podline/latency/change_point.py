"""Where a series of lengths came to another level for the last time.

A series is split where its two sides lie nearest to their medians: one slow run moves a mean, but
no median. The split counts where the sides are further apart than a user would mind and than their
own noise explains. What follows it is looked at in the same way, for a later change.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import median, median_high, median_low

FEW = 3  # values, below which there is no level
SECONDS = 0.2  # by which levels must differ,
SHARE = 0.25  # and by this part of the lower one
_SURE = 3.0  # standard errors by which they must differ, too
_SIGMA = 1.4826  # median absolute deviations: the standard deviation of normal noise
_OF_MEDIANS = 1.57  # the variance of a median, of so many times that of a mean


def last_change(lengths: Sequence[float]) -> int:
    """Return the place of the first value of the level that the last value is of.

    Args:
        lengths: in seconds, the oldest first.

    Returns:
        The place; 0: all are of one level, or too few to tell.
    """
    begun = 0
    while (place := _split(lengths[begun:])) > 0:
        begun += place
    return begun


def is_more(length: float, usual: float) -> bool:
    """Whether a length is so much above a usual one that a user would mind."""
    return length - usual > max(SECONDS, SHARE * usual)


def _split(lengths: Sequence[float]) -> int:
    """The best place at which a series can be split; 0: there is none."""
    if len(lengths) <= FEW:
        return 0
    costs = [a + b for a, b in zip(_costs(lengths), _costs(lengths[::-1])[::-1], strict=True)]
    places = sorted(range(FEW, len(lengths)), key=costs.__getitem__)
    return next((place for place in places if _are_apart(lengths[:place], lengths[place:])), 0)


def _costs(lengths: Iterable[float]) -> list[float]:
    """How far all values before a place lie from their median, summed up: for each place."""
    known: list[float] = []
    costs = [0.0]
    for length in lengths:
        insort(known, length)
        half = len(known) // 2
        costs.append(sum(known[-half:]) - sum(known[:half]) if half else 0.0)
    return costs


def _are_apart(before: Sequence[float], after: Sequence[float]) -> bool:
    middle = median(before)
    # Of two values in the middle the one that says less.
    level = min((median_low(after), median_high(after)), key=lambda found: abs(found - middle))
    least = max(SECONDS, SHARE * min(middle, level))
    if abs(level - middle) <= least:
        return False
    rest = [abs(length - middle) for length in before] + [abs(length - level) for length in after]
    error = _SIGMA * median(rest)
    if len(after) > 1:
        error *= sqrt(_OF_MEDIANS * (1 / len(before) + 1 / len(after)))
    return abs(level - middle) > _SURE * error
