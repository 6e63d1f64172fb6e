"""Estimates of times, whose noise is about multiplicative. Knows nothing of podline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

LEVEL = 0.95
LEAST = 6  # values of one session that a t interval needs: tests/…/test_coverage.py shows it holds
_TIGHT = 0.5  # of logarithms' standard deviation; above it a value may well have been negative


@dataclass(frozen=True)
class Estimate:
    """Where some values lie.

    Attributes:
        values: all of them, in the order given.
        median, mean: NaN without values.
        low, high: the ends of the mean's 95 % t interval; None where there are fewer than `LEAST`
            values, and one more for each further session.
    """

    values: tuple[float, ...]
    median: float
    mean: float
    low: float | None
    high: float | None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def share(self) -> Estimate:
        """By what share of the whole a ratio is above 1."""
        return self.map(lambda ratio: ratio - 1)

    def map(self, function: Callable[[float], float]) -> Estimate:
        """Return the estimate of an increasing function of what this one estimates."""
        return Estimate(
            tuple(map(function, self.values)),
            function(self.median),
            function(self.mean),
            None if self.low is None else function(self.low),
            None if self.high is None else function(self.high),
        )


def arithmetic(values: Iterable[float], sessions: Iterable[object] = ()) -> Estimate:
    """Estimate a mean with Student's t interval.

    Args:
        values: independent ones but for their session; NaN are left out.
        sessions: in which each was measured: a factor, so that the spread is taken within each.
            None given: one for all.
    """
    found = np.array(list(values), float)
    labels = np.array([str(one) for one in sessions] or [""] * found.size)
    known, labels = found[~np.isnan(found)], labels[~np.isnan(found)]
    if not known.size:
        return Estimate((), math.nan, math.nan, None, None)
    mean, low, high = float(known.mean()), None, None
    spread, free = within(known, labels)
    if free >= LEAST - 1:
        reach = quantile_t(free) * spread / math.sqrt(known.size)
        low, high = mean - reach, mean + reach
    return Estimate(tuple(known.tolist()), float(np.median(known)), mean, low, high)


def within(values: Array, sessions: Labels) -> tuple[float, int]:
    """Return the standard deviation within sessions, and its degrees of freedom."""
    places = np.unique(sessions, return_inverse=True)[1]
    numbers = np.bincount(places)
    rest = values - (np.bincount(places, values) / numbers)[places]
    free = len(values) - len(numbers)
    return math.sqrt(float(rest @ rest) / free) if free else math.nan, free


def geometric(values: Iterable[float], sessions: Iterable[object] = ()) -> Estimate:
    """Estimate a geometric mean: a t interval on logarithms.

    Args:
        values: positive ones; NaN are left out.
        sessions: of `arithmetic`.

    Raises:
        ValueError: a value is not positive.
    """
    return arithmetic(map(math.log, values), sessions).map(math.exp)


def difference(values: Iterable[float], sessions: Iterable[object] = ()) -> Estimate:
    """Estimate a difference of times, on logarithms where that is right.

    That is where all are positive and lie close together. Elsewhere their being positive may be
    chance, and an interval on logarithms would cover too seldom; a plain one does not.

    Args:
        values: of times; NaN are left out.
        sessions: of `arithmetic`.
    """
    found = list(values)
    known = [value for value in found if not math.isnan(value)]
    positive = bool(known) and min(known) > 0
    if positive and (len(known) == 1 or float(np.std(np.log(known), ddof=1)) < _TIGHT):
        return geometric(found, sessions)
    return arithmetic(found, sessions)


def contrast(table: Array, weights: Array, sessions: Iterable[object] = ()) -> Estimate:
    """Estimate a weighted sum over the cells of a design whose blocks repeat it.

    Each block gives one value of the sum, and the interval is Student's over these: nothing need be
    assumed of how noise differs from cell to cell. Of a block that lacks cells the value is the
    estimate and the block's influence on it (F. R. Hampel 1974, "The influence curve and its role
    in robust estimation"); one that lacks more than half is left out.

    Args:
        table: blocks by cells; NaN where nothing was measured.
        weights: one a cell.
        sessions: of each block, as `arithmetic` has them.
    """
    whole = np.isfinite(table).mean(axis=1) >= 0.5
    labels = [label for label, kept in zip(sessions, whole, strict=False) if kept]
    table = table[whole]
    known = np.isfinite(table)
    if not known.any(axis=0).all():
        return arithmetic(())
    means = np.nanmean(table, axis=0)
    influence = np.where(known, table - means, 0.0) / known.mean(axis=0)
    return arithmetic((means @ weights + influence @ weights).tolist(), labels)


def slope_weights(positions: Array, strata: Array) -> Array:
    """Return the weights that make of cells' values their slope, common to all strata.

    Least squares with an intercept for each stratum.

    Args:
        positions: one a cell.
        strata: the stratum of each cell.

    Raises:
        ValueError: in no stratum do the positions differ.
    """
    centred = positions.astype(float).copy()
    for stratum in np.unique(strata):
        centred[strata == stratum] -= positions[strata == stratum].mean()
    square = float(centred @ centred)
    if not square:
        raise ValueError("there is one position only")
    return centred / square


def quantile_t(df: float) -> float:
    """Return the quantile of Student's t that bounds 95 % on both sides."""
    return float(stats.t.ppf((1 + LEVEL) / 2, df))
