"""A linear regression of several responses whose noise is multiplicative, on grouped runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from podline_studies.reports.estimates import Array, quantile_t

Labels = npt.NDArray[Any]

_SPARE = 3  # groups more than terms that are needed for groups to tell how well the terms fit


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def share(self) -> Interval:
        """By what share of the whole a ratio is above 1."""
        return self.map(lambda ratio: ratio - 1)

    def map(self, function: Callable[[float], float]) -> Interval:
        """Return the interval of an increasing function of what this one estimates."""
        return Interval(*map(function, (self.value, self.low, self.high)))


@dataclass(frozen=True)
class Prediction:
    """A ratio as predicted: its 95 % interval, and the one in which a single new run lies."""

    ratio: Interval
    single: Interval


@dataclass(frozen=True)
class MeanSquare:
    """A matrix of mean squares and products (responses by responses), with its degrees of freedom.

    Of residuals relative to the size of what was measured.
    """

    matrix: Array
    df: int

    def of_ratio(self) -> float:
        """Return the mean square of the logarithm of the first response's ratio to the second."""
        return float(self.matrix[0, 0] + self.matrix[1, 1] - 2 * self.matrix[0, 1])


@dataclass(frozen=True)
class Regression:
    """Responses that are linear in the same terms.

    Each response is fitted by least squares on its logarithm, linearised about its group's mean,
    since the noise grows with what is measured. Runs of a group share their terms, and the group
    is the unit of replication: where there are groups enough, the uncertainty is taken from how
    groups scatter about the fit, so that a form that fits badly has wide intervals. That is
    generalised least squares with a random effect of the group, exact for groups of one size.

    Attributes:
        coefficients: responses by terms, in the response's unit for a unit of the term.
        between: how groups scatter about the fit, times the runs in a group.
        within: how runs scatter within their groups; None: one run a group, or not told apart.
        pooled: whether there were too few groups to tell, and `between` is of all runs.
        replicates: runs in a group, as the harmonic mean.
        fitted, residuals: rows by responses; residuals are relative.
    """

    coefficients: Array
    between: MeanSquare
    within: MeanSquare | None
    pooled: bool
    replicates: float
    fitted: Array
    residuals: Array
    _solvers: tuple[Array, ...]

    def covariance(self, first: int, second: int) -> Array:
        """Return the covariance of two responses' coefficients: terms by terms."""
        product = self._solvers[first] @ self._solvers[second].T
        return float(self.between.matrix[first, second]) * product

    def _variance(self, terms: Array, weights: Array) -> float:
        """Of a weighted sum of the responses at some terms."""
        pairs = itertools.product(range(len(weights)), repeat=2)
        return sum(
            float(weights[i] * weights[j] * (terms @ self.covariance(i, j) @ terms))
            for i, j in pairs
        )

    def coefficient(self, term: int, weights: Array) -> Interval:
        """Return a term's coefficient in a weighted sum of the responses."""
        value = float(weights @ self.coefficients[:, term])
        unit = np.eye(self.coefficients.shape[1])[term]
        return _interval(value, self._variance(unit, weights), self.between.df)

    def predict(self, terms: Array) -> Prediction:
        """Predict the ratio of the first response to the second.

        Intervals are on the ratio's logarithm, by the delta method. A new run belongs to a new
        group, so that its variance has the groups' part and the runs'; its degrees of freedom are
        Satterthwaite's (F. E. Satterthwaite 1946, "An approximate distribution of estimates of
        variance components").

        Args:
            terms: those of the new group.

        Raises:
            ValueError: a response would not be positive there.
        """
        first, second = (float(row @ terms) for row in self.coefficients[:2])
        if min(first, second) <= 0:
            raise ValueError("the regression gives no positive time there")
        ratio, slope = math.log(first / second), np.array([1 / first, -1 / second])
        of_fit = self._variance(terms, slope)
        mean = _interval(ratio, of_fit, self.between.df)
        single = _interval(ratio, *self._of_a_run(of_fit))
        return Prediction(mean.map(math.exp), single.map(math.exp))

    def _of_a_run(self, of_fit: float) -> tuple[float, float]:
        """The variance of a new run's logarithm of the ratio about the fit, and its df."""
        between = self.between.of_ratio()
        if self.within is None:
            return of_fit + between, self.between.df
        groups = of_fit + between / self.replicates
        runs = self.within.of_ratio() * (1 - 1 / self.replicates)
        df = (groups + runs) ** 2 / (groups**2 / self.between.df + runs**2 / self.within.df)
        return groups + runs, df

    def lack_of_fit(self) -> tuple[float, float] | None:
        """Return how far groups are off in the ratio, and the F test's p of so much by chance.

        The first is a standard deviation on the logarithm; None where it cannot be told.
        """
        if self.within is None:
            return None
        between, within = self.between.of_ratio(), self.within.of_ratio()
        off = math.sqrt(max(0.0, between - within) / self.replicates)
        return off, float(stats.f.sf(between / within, self.between.df, self.within.df))


def regress(terms: Array, responses: Array, groups: Labels, blocks: Labels) -> Regression:
    """Regress the responses on the terms.

    Args:
        terms: rows by terms, the same in all rows of a group.
        responses: rows by responses, positive; seconds.
        groups: the group of each row.
        blocks: the block of each row: each makes all of its rows longer by a share of
            its own, and the coefficients are those of the mean block.

    Raises:
        ValueError: the terms cannot be told apart, or no residuals are left.
    """
    group, block = _indicators(groups), _deviations(blocks)
    runs = group.sum(axis=0)
    scale = np.exp(group @ ((group.T @ np.log(responses)) / runs[:, None]))
    relative = 1 + np.log(responses / scale)
    designs = [np.column_stack([terms / column[:, None], block]) for column in scale.T]
    if any(np.linalg.matrix_rank(design) < design.shape[1] for design in designs):
        raise ValueError("sizes and sessions do not tell the parts of the model apart")
    solvers = [np.linalg.pinv(design) for design in designs]
    solutions = [solver @ column for solver, column in zip(solvers, relative.T, strict=True)]
    predicted = np.column_stack([d @ s for d, s in zip(designs, solutions, strict=True)])
    residuals, number = relative - predicted, terms.shape[1]
    between, within, pooled = _mean_squares(
        residuals, relative, np.column_stack([group, block]), number + block.shape[1]
    )
    coefficients = np.array(solutions)[:, :number]
    return Regression(
        coefficients,
        between,
        within,
        pooled,
        replicates=len(runs) / float((1 / runs).sum()),
        fitted=terms @ coefficients.T,
        residuals=residuals,
        _solvers=tuple(solver[:number] for solver in solvers),
    )


def _mean_squares(
    residuals: Array, relative: Array, groups: Array, parameters: int
) -> tuple[MeanSquare, MeanSquare | None, bool]:
    """Split the residuals' squares into those between groups and those within; whether pooled."""
    rows, rank = len(relative), int(np.linalg.matrix_rank(groups))
    own = relative - groups @ np.linalg.lstsq(groups, relative, rcond=None)[0]
    whole, inside = residuals.T @ residuals, own.T @ own
    if rank - parameters < _SPARE:
        if rows == parameters:
            raise ValueError("there are as many parts of the model as measurements")
        return MeanSquare(whole / (rows - parameters), rows - parameters), None, True
    between = MeanSquare((whole - inside) / (rank - parameters), rank - parameters)
    within = MeanSquare(inside / (rows - rank), rows - rank) if rows > rank else None
    return between, within, False


def _indicators(labels: Labels) -> Array:
    columns: Array = (labels[:, None] == np.unique(labels)).astype(float)
    return columns


def _deviations(labels: Labels) -> Array:
    """Columns that sum to zero over the labels, one fewer than there are."""
    columns = _indicators(labels)
    return columns[:, :-1] - columns[:, -1:]


def _interval(value: float, variance: float, df: float) -> Interval:
    reach = quantile_t(df) * math.sqrt(max(0.0, variance))
    return Interval(value, value - reach, value + reach)
