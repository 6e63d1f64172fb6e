"""A model of the overhead: a fixed part a stage, a part a byte read, and a part a weight.

Walls of the pipeline and of the whole notebook are both linear in these (`podline_studies.reports.
regression`), and the overhead is their difference.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from podline_studies.overhead.analysis.pairs import (
    COMBINATION,
    Cell,
    Pipeline,
    by_cell,
    by_pipeline,
)
from podline_studies.reports.estimates import Array
from podline_studies.reports.regression import Interval, Prediction, Regression, regress

# Walls of pipeline and whole notebook, and what of them is not the code's own time.
_RESPONSES = ("wall_s", "baseline_s", "beside_code_s", "baseline_beside_code_s")
_OVERHEAD = np.array([1.0, -1.0, 0.0, 0.0])
_BASELINE = np.array([0.0, 1.0, 0.0, 0.0])
_BESIDE_CODE = np.array([0.0, 0.0, 1.0, -1.0])
# Of each size: the column, the parameter that it falls back to where that is not known, the unit.
_SIZES = {"bytes": ("bytes_read", "data", 1e9), "weights": ("weights", "model", 1e6)}
# What a term's coefficient is for; and where the parameter stands for it.
_UNITS = {"stages": "a stage", "bytes": "a GB read", "weights": "a million weights"}
_PARAMETERS = {"bytes": "10⁹ of the data parameter", "weights": "10⁶ of the model parameter"}


@dataclass(frozen=True)
class Unfitted:
    """Why there is no model of a pipeline's overhead."""

    pipeline: Pipeline
    reason: str


@dataclass(frozen=True)
class Costs:
    """The model of a pipeline's overhead.

    Attributes:
        pipeline: which.
        stages: of the pipeline.
        runs: how many it was fitted on.
        combinations: of these.
        terms: ``stages``, and ``bytes`` (per GB) and ``weights`` (per million) where they varied.
        by_parameter: the terms whose size no run tells, so that the parameter stands for it.
        sizes: of each combination: data, model, and its terms.
        regression: of the pipeline's wall and the baseline's, in seconds.
        residuals: a row a run and wall, ``pipeline`` or ``notebook``: the seconds fitted, and how
            far off it is, as a share.
    """

    pipeline: Pipeline
    stages: int
    runs: int
    combinations: int
    terms: tuple[str, ...]
    by_parameter: tuple[str, ...]
    sizes: pd.DataFrame
    regression: Regression
    residuals: pd.DataFrame

    def unit(self, term: str) -> str:
        """What a term's seconds are for, in words."""
        return _PARAMETERS[term] if term in self.by_parameter else _UNITS[term]

    def overhead(self, term: str) -> Interval:
        """Seconds of overhead for a stage, a GB, or a million weights."""
        return self._coefficient(term, _OVERHEAD)

    def beside_code(self, term: str) -> Interval | None:
        """The same less the difference of the code's own time, which is mostly noise.

        None where some run has nothing but code.
        """
        if len(self.regression.coefficients) < len(_RESPONSES):
            return None
        return self._coefficient(term, _BESIDE_CODE)

    def baseline(self, term: str) -> Interval:
        """Seconds of the whole notebook, likewise; for ``stages``: its fixed part, as a whole."""
        of_term = self._coefficient(term, _BASELINE)
        times = self.stages if term == "stages" else 1
        return of_term.map(lambda seconds: seconds * times)

    def _coefficient(self, term: str, weights: Array) -> Interval:
        responses = len(self.regression.coefficients)
        return self.regression.coefficient(self.terms.index(term), weights[:responses])

    def predict(self, data: float, model: float) -> Prediction:
        """Predict the ratio of the walls of pipeline and whole notebook.

        Bytes and weights between those measured are interpolated along a straight line.

        Args:
            data: value of the parameter of the data's size.
            model: value of the parameter of the model's size.

        Raises:
            ValueError: a size lies outside of those measured, or the model does not reach it.
        """
        row = [float(self.stages)]
        for term in self.terms[1:]:
            parameter, value = ("data", data) if term == "bytes" else ("model", model)
            known = self.sizes.groupby(parameter)[term].mean()
            if not known.index.min() <= value <= known.index.max():
                raise ValueError(f"{parameter} = {value:g} lies outside of what was measured")
            row.append(float(np.interp(value, known.index, known)))
        return self.regression.predict(np.array(row))


@dataclass(frozen=True)
class Forecast:
    """What a model predicts at a size: the ratio of the walls of pipeline and whole notebook."""

    cell: Cell
    prediction: Prediction

    @property
    def share(self) -> Interval:
        """The overhead as a part of the notebook's wall."""
        return self.prediction.ratio.share

    @property
    def single(self) -> Interval:
        """The same of a single run."""
        return self.prediction.single.share


def forecast(model: Costs) -> Iterator[Forecast]:
    """Predict a model's costs at the sizes it was fitted on, and between each two of the data.

    What it does not reach is left out.
    """
    for data in _between(model.sizes["data"]):
        for weights in sorted(model.sizes["model"].unique()):
            try:
                found = model.predict(data, weights)
            except ValueError:
                continue
            yield Forecast(Cell(*model.pipeline, data, weights), found)


def _between(sizes: pd.Series) -> list[float]:
    """The sizes, and between each two their geometric mean to two digits."""
    known = sorted(set(sizes.dropna())) or [math.nan]
    means = [math.sqrt(one * other) for one, other in itertools.pairwise(known)]
    return sorted({*known, *(float(f"{mean:.2g}") for mean in means)})


def fit(pairs: pd.DataFrame) -> Iterator[Costs | Unfitted]:
    """Fit a model for each pipeline.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
    """
    for pipeline, rows in by_pipeline(pairs):
        try:
            yield _fit(pipeline, rows)
        except ValueError as error:
            yield Unfitted(pipeline, str(error))


def _fit(pipeline: Pipeline, rows: pd.DataFrame) -> Costs:
    if rows["stages"].nunique() > 1:
        raise ValueError("its runs do not all have the same stages")
    sizes = _sizes(rows)
    terms = ["stages", *(term for term in _SIZES if sizes[term].nunique() > 1)]
    groups = rows.groupby(COMBINATION, dropna=False).ngroup().to_numpy()
    if len(np.unique(groups)) < 2:
        raise ValueError("one combination only was measured")
    found = regress(
        sizes[terms].to_numpy(float), _responses(rows), groups, rows["sitting"].to_numpy()
    )
    return Costs(
        pipeline,
        stages=int(rows["stages"].iloc[0]),
        runs=len(rows),
        combinations=len(np.unique(groups)),
        terms=tuple(terms),
        by_parameter=tuple(term for term in terms[1:] if not _is_told(rows, term)),
        sizes=rows[["data", "model"]].join(sizes).drop_duplicates(ignore_index=True),
        regression=found,
        residuals=_residuals(rows, found),
    )


def _sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """The terms of each run; a size is the median over the runs of its combination."""
    found = pd.DataFrame({"stages": rows["stages"].astype(float)})
    groups = rows.groupby(COMBINATION, dropna=False)
    for term, (measured, parameter, unit) in _SIZES.items():
        column = measured if _is_told(rows, term) else parameter
        found[term] = (groups[column].transform("median") / unit).fillna(0.0)
    return found


def _is_told(rows: pd.DataFrame, term: str) -> bool:
    """Whether some run of each combination tells a size."""
    told = rows.groupby(COMBINATION, dropna=False)[_SIZES[term][0]].count()
    return bool((told > 0).all())


def _responses(rows: pd.DataFrame) -> Array:
    beside = rows["wall_s"] - rows["code_s"], rows["baseline_s"] - rows["baseline_code_s"]
    found = np.column_stack([rows["wall_s"], rows["baseline_s"], *beside])
    return found if (found > 0).all() else found[:, :2]


def _residuals(rows: pd.DataFrame, found: Regression) -> pd.DataFrame:
    which = rows[[*COMBINATION, "repeat", "sitting"]]
    walls = zip(("pipeline", "notebook"), found.fitted.T, found.residuals.T, strict=False)
    return pd.concat(
        which.assign(wall=wall, fitted_s=fitted, residual=residual)
        for wall, fitted, residual in walls
    )


def hold_out(pairs: pd.DataFrame) -> pd.DataFrame:
    """Predict each combination from a model fitted without it.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.

    Returns:
        A row a run: its combination, `share` as measured, `predicted`, the ends `low` and `high`
        of the 95 % interval for a single run, and whether it lies `inside`; where no model could
        be fitted without it, these are missing and `reason` says why.
    """
    found = []
    for pipeline, group in by_pipeline(pairs):
        for _, held in by_cell(group):
            rows = held[[*COMBINATION, "repeat", "share"]].copy()
            names = ["predicted", "low", "high", "reason"]
            rows[names] = _predicted(pipeline, group.drop(held.index), held)
            rows["inside"] = rows["share"].between(rows["low"], rows["high"])
            found.append(rows)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _predicted(
    pipeline: Pipeline, rest: pd.DataFrame, held: pd.DataFrame
) -> tuple[float, float, float, str]:
    try:
        if rest.empty:
            raise ValueError("one combination only was measured")
        costs = _fit(pipeline, rest)
        terms = _sizes(held)[list(costs.terms)].iloc[0].to_numpy(float)
        single = costs.regression.predict(terms).single.share
    except ValueError as error:
        return math.nan, math.nan, math.nan, str(error)
    return single.value, single.low, single.high, ""
