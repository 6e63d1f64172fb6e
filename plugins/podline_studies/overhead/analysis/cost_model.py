"""A model of the overhead: a fixed part a stage, a part a byte read, and a part a weight.

Walls of the pipeline and of the whole notebook are both linear in these (`podline_studies.reports.
regression`), and the overhead is their difference. A product of two of them is one term more where
an F test on the scatter of combinations asks for it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from podline_studies.overhead.analysis.pairs import (
    COMBINATION,
    Cell,
    Pipeline,
    by_cell,
    by_pipeline,
)
from podline_studies.reports.estimates import Array
from podline_studies.reports.regression import Interval, Labels, Prediction, Regression, regress

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
# Terms that are added where data support one: what each is the product of.
_PRODUCTS = {
    "bytes²": ("bytes", "bytes"),
    "weights²": ("weights", "weights"),
    "bytes × weights": ("bytes", "weights"),
}
_ERROR = 0.05  # probability of adding one for nothing, over all of them (Bonferroni)


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
        added: the p value of the F test for a term that is a product, which was added; None: none.
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
    added: float | None
    sizes: pd.DataFrame
    regression: Regression
    residuals: pd.DataFrame

    def unit(self, term: str) -> str:
        """What a term's seconds are for, in words."""
        if term in _PRODUCTS:
            return " times ".join(self.unit(factor) for factor in _PRODUCTS[term])
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
        found = {"stages": float(self.stages)}
        for term in self.terms:
            for factor in _PRODUCTS.get(term, (term,)):
                if factor not in found:
                    found[factor] = self._interpolated(factor, data, model)
        row = [math.prod(found[one] for one in _PRODUCTS.get(term, (term,))) for term in self.terms]
        return self.regression.predict(np.array(row))

    def _interpolated(self, term: str, data: float, model: float) -> float:
        parameter, value = ("data", data) if term == "bytes" else ("model", model)
        known = self.sizes.groupby(parameter)[term].mean()
        if not known.index.min() <= value <= known.index.max():
            raise ValueError(f"{parameter} = {value:g} lies outside of what was measured")
        return float(np.interp(value, known.index, known))


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
    """Predict a model's costs at the sizes it was fitted on, and between two of one model size.

    What it does not reach is left out.
    """
    for weights, measured in model.sizes.groupby("model", dropna=False):
        for data in _between(measured["data"]):
            try:
                found = model.predict(data, float(str(weights)))
            except ValueError:
                continue
            yield Forecast(Cell(*model.pipeline, data, float(str(weights))), found)


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
    terms, found, added = _supported(sizes, terms, rows, groups)
    return Costs(
        pipeline,
        stages=int(rows["stages"].iloc[0]),
        runs=len(rows),
        combinations=len(np.unique(groups)),
        terms=tuple(terms),
        by_parameter=tuple(t for t in _SIZES if t in terms and not _is_told(rows, t)),
        added=added,
        sizes=rows[["data", "model"]].join(sizes).drop_duplicates(ignore_index=True),
        regression=found,
        residuals=_residuals(rows, found),
    )


def _supported(
    sizes: pd.DataFrame, terms: list[str], rows: pd.DataFrame, groups: Labels
) -> tuple[list[str], Regression, float | None]:
    """The terms, one product more if data support it, their regression, and the test's p value."""
    responses, sessions = _responses(rows), rows["sitting"].to_numpy()
    plain = regress(sizes[terms].to_numpy(float), responses, groups, sessions)
    best: tuple[list[str], Regression, float | None] = (terms, plain, None)
    least = _ERROR / len(_PRODUCTS)
    for product, factors in _PRODUCTS.items():
        if not set(factors) <= set(terms):
            continue
        more = [*terms, product]
        try:
            found = regress(sizes[more].to_numpy(float), responses, groups, sessions)
        except ValueError:
            continue  # the sizes do not tell it from the others
        p = _p_of_more(plain, found)
        if p < least:
            best, least = (more, found, p), p
    return best


def _p_of_more(plain: Regression, found: Regression) -> float:
    """The F test's p of a term: by how much less combinations scatter about the ratio's fit."""
    if plain.pooled or found.pooled:
        return 1.0
    before, after = plain.between.of_ratio(), found.between.of_ratio()
    gain = before * plain.between.df - after * found.between.df
    return float(stats.f.sf(gain / after, 1, found.between.df)) if after > 0 else 1.0


def _sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """The terms of each run; a size is the median over the runs of its combination."""
    found = pd.DataFrame({"stages": rows["stages"].astype(float)})
    groups = rows.groupby(COMBINATION, dropna=False)
    for term, (measured, parameter, unit) in _SIZES.items():
        column = measured if _is_told(rows, term) else parameter
        found[term] = (groups[column].transform("median") / unit).fillna(0.0)
    return found.assign(**{name: found[one] * found[two] for name, (one, two) in _PRODUCTS.items()})


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
        of the 95 % interval for a single run, whether it lies `inside`, and whether its combination
        lies `beyond` all others; where no model could be fitted without it, the prediction is
        missing and `reason` says why.
    """
    found = []
    for pipeline, group in by_pipeline(pairs):
        for _, held in by_cell(group):
            rows = held[[*COMBINATION, "repeat", "share"]].copy()
            names = ["predicted", "low", "high", "reason"]
            rows[names] = _predicted(pipeline, group.drop(held.index), held)
            rows["inside"] = rows["share"].between(rows["low"], rows["high"])
            rows["beyond"] = _is_beyond(group.drop(held.index), held)
            found.append(rows)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _is_beyond(rest: pd.DataFrame, held: pd.DataFrame) -> bool:
    """Whether a combination's data or model is larger or smaller than all others'."""
    return any(
        not rest[size].min() <= held[size].iloc[0] <= rest[size].max()
        for size in ("data", "model")
        if held[size].notna().all()
    )


def errors_by_size(held_out: pd.DataFrame) -> pd.DataFrame:
    """Return how far off each combination is predicted that was held out.

    Args:
        held_out: of `hold_out`.

    Returns:
        A row a combination: the mean share `measured`, that `predicted`, the `error` as a share of
        the former, and whether the combination lies `beyond` those that it was predicted from.
    """
    if held_out.empty:
        return held_out
    known = held_out.dropna(subset=["predicted"])
    known = known.assign(measured=np.log1p(known["share"]))
    groups = known.groupby(COMBINATION, dropna=False, as_index=False)
    found = groups.agg({"measured": "mean", "predicted": "first", "beyond": "first"})
    found["measured"] = np.expm1(found["measured"])
    return found.assign(error=found["predicted"] / found["measured"] - 1)


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
