"""Estimates of times, whose noise is about multiplicative. Knows nothing of podline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]

LEVEL = 0.95
LEAST = 8  # values that a t interval needs
_TIGHT = 0.5  # of logarithms' standard deviation; above it a value may well have been negative


@dataclass(frozen=True)
class Estimate:
    """Where some values lie.

    Attributes:
        values: all of them, in the order given.
        median, mean: NaN without values.
        low, high: the ends of the mean's 95 % t interval; None where there are fewer than `LEAST`
            values.
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


def arithmetic(values: Iterable[float]) -> Estimate:
    """Estimate a mean with Student's t interval.

    Args:
        values: independent ones; NaN are left out.
    """
    known = np.array([value for value in values if not math.isnan(value)])
    if not known.size:
        return Estimate((), math.nan, math.nan, None, None)
    mean, low, high = float(known.mean()), None, None
    if known.size >= LEAST:
        reach = quantile_t(known.size - 1) * float(stats.sem(known))
        low, high = mean - reach, mean + reach
    return Estimate(tuple(known.tolist()), float(np.median(known)), mean, low, high)


def geometric(values: Iterable[float]) -> Estimate:
    """Estimate a geometric mean: a t interval on logarithms.

    Args:
        values: positive ones; NaN are left out.

    Raises:
        ValueError: a value is not positive.
    """
    return arithmetic(map(math.log, values)).map(math.exp)


def difference(values: Iterable[float]) -> Estimate:
    """Estimate a difference of times, on logarithms where that is right.

    That is where all are positive and lie close together. Elsewhere their being positive may be
    chance, and an interval on logarithms would cover too seldom; a plain one does not.
    """
    known = [value for value in values if not math.isnan(value)]
    positive = bool(known) and min(known) > 0
    if positive and (len(known) == 1 or float(np.std(np.log(known), ddof=1)) < _TIGHT):
        return geometric(known)
    return arithmetic(known)


def contrast(table: Array, weights: Array) -> Estimate:
    """Estimate a weighted sum over the cells of a design whose blocks repeat it.

    Each block gives one value of the sum, and the interval is Student's over these: nothing need be
    assumed of how noise differs from cell to cell. Of a block that lacks cells the value is the
    estimate and the block's influence on it (F. R. Hampel 1974, "The influence curve and its role
    in robust estimation"); one that lacks more than half is left out.

    Args:
        table: blocks by cells; NaN where nothing was measured.
        weights: one a cell.
    """
    table = table[np.isfinite(table).mean(axis=1) >= 0.5]
    known = np.isfinite(table)
    if not known.any(axis=0).all():
        return arithmetic(())
    means = np.nanmean(table, axis=0)
    influence = np.where(known, table - means, 0.0) / known.mean(axis=0)
    return arithmetic((means @ weights + influence @ weights).tolist())


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
