"""The thesis' hypotheses, each tested for every pipeline, and for each of its model sizes.

A repeat of the design within a session is a block, which gives one value of the effect. A
hypothesis is shown where the 95 % t interval over blocks (`podline_studies.reports.estimates.
contrast`, with the session as a factor) lies wholly on its side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd

from podline_studies.overhead.analysis.combinations import rows_read
from podline_studies.overhead.analysis.pairs import Pipeline, by_pipeline
from podline_studies.reports.estimates import (
    LEAST,
    Estimate,
    arithmetic,
    contrast,
    geometric,
    slope_weights,
)

TRAINING = "train"  # the stage
_CELL = ["data", "model"]
_BLOCK = ["sitting", "repeat"]
_UNKNOWN = -1.0  # stands for a size that is the notebook's own


class Verdict(Enum):
    """What a test says of a hypothesis."""

    SHOWN = "shown"
    REFUTED = "refuted"
    OPEN = "not decided"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis of a pipeline, and what was found.

    Attributes:
        name: ``exists``, ``falls`` or ``training``.
        model: the model size that it is about; None: the mean over all.
        effect: a ratio, which the hypothesis says to be above 1, or, of ``falls``, below.
            ``exists``: the pipeline's wall over the baseline's; ``falls``: that ratio at ten times
            the rows read, over itself; ``training``: the code's time of the stage that trains over
            that of all others. Geometric means over all combinations.
        verdict: by the effect's interval.
        reason: why it was not tested.
        holding: in how many combinations (of ``falls``: model sizes) the interval lies on the
            hypothesis' side.
        combinations: of how many.
    """

    name: str
    pipeline: Pipeline
    model: float | None
    effect: Estimate
    verdict: Verdict
    reason: str
    holding: int
    combinations: int


def judge(pairs: pd.DataFrame, stages: pd.DataFrame) -> list[Hypothesis]:
    """Test the hypotheses: of each pipeline, over all sizes and then of each model size.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
        stages: of `podline_studies.overhead.analysis.pairs.stages_of`.
    """
    found: list[Hypothesis] = []
    for pipeline, rows in by_pipeline(pairs):
        for test in (_exists, _falls):
            found += _by_model(test, pipeline, rows)
    for pipeline, rows in by_pipeline(stages):
        if rows["stage"].nunique() > 1:
            found += _by_model(_training, pipeline, rows)
    return found


_Test = Callable[[Pipeline, "float | None", pd.DataFrame], Hypothesis]


def _by_model(test: _Test, pipeline: Pipeline, rows: pd.DataFrame) -> Iterator[Hypothesis]:
    yield test(pipeline, None, rows)
    if rows["model"].nunique() > 1:
        for model, some in rows.groupby("model"):
            yield test(pipeline, float(str(model)), some)


def _exists(pipeline: Pipeline, model: float | None, rows: pd.DataFrame) -> Hypothesis:
    """Whether the pipeline takes longer than the notebook."""
    return _above("exists", pipeline, model, rows)


def _above(name: str, pipeline: Pipeline, model: float | None, rows: pd.DataFrame) -> Hypothesis:
    """Whether the rows' ratio is above 1 in the mean over combinations."""
    cells = _cells(rows)
    mean = np.full(cells.shape[1], 1 / cells.shape[1])
    effect = contrast(cells.to_numpy(), mean, _sessions(cells)).map(math.exp)
    each = [geometric(of["ratio"], of["sitting"]) for _, of in rows.groupby(_CELL, dropna=False)]
    return _judged(name, pipeline, model, effect, each)


def _falls(pipeline: Pipeline, model: float | None, rows: pd.DataFrame) -> Hypothesis:
    """Whether the ratio falls: its logarithm's slope over the decimal logarithm of rows read."""
    cells = _cells(rows)
    models = cells.columns.get_level_values("model")
    sizes = rows.groupby(rows["data"].fillna(_UNKNOWN))
    read = {float(str(size)): max(rows_read(some), 1.0) for size, some in sizes}
    try:
        effect = _slope(cells, read)
        each = [_slope(cells.loc[:, models == one], read) for one in models.unique()]
    except ValueError:
        reason = "a model size was measured at one data size only"
        return _untested("falls", pipeline, model, reason)
    return _judged("falls", pipeline, model, effect, each)


def _slope(cells: pd.DataFrame, read: Mapping[float, float]) -> Estimate:
    data, models = (cells.columns.get_level_values(name).to_numpy(float) for name in _CELL)
    weights = slope_weights(np.log10([read[size] for size in data]), models)
    return contrast(cells.to_numpy(), weights, _sessions(cells)).map(math.exp)


def _training(pipeline: Pipeline, model: float | None, rows: pd.DataFrame) -> Hypothesis:
    """Whether the stage that trains computes for longer than all others together."""
    trains = rows["stage"] == TRAINING
    code = rows[[*_BLOCK, *_CELL]].assign(
        train=rows["own_s"].where(trains, 0.0), rest=rows["own_s"].where(~trains, 0.0)
    )
    runs = code.groupby([*_BLOCK, *_CELL], dropna=False, as_index=False).sum()
    runs = runs[(runs["train"] > 0) & (runs["rest"] > 0)]
    if runs.empty:
        reason = f"no stage named {TRAINING} has code of its own"
        return _untested("training", pipeline, model, reason)
    return _above("training", pipeline, model, runs.assign(ratio=runs["train"] / runs["rest"]))


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """The ratio's logarithm: a row a block, a column a combination of sizes."""
    keyed = rows[[*_BLOCK, *_CELL]].fillna(_UNKNOWN).assign(value=np.log(rows["ratio"]))
    return keyed.pivot(index=_BLOCK, columns=_CELL, values="value")


def _sessions(cells: pd.DataFrame) -> list[object]:
    return list(cells.index.get_level_values("sitting"))


def _judged(
    name: str,
    pipeline: Pipeline,
    model: float | None,
    effect: Estimate,
    each: Sequence[Estimate],
) -> Hypothesis:
    verdict, reason = _verdict(name, effect), ""
    if verdict is Verdict.UNTESTED:
        reason = f"an interval needs {LEAST} repeats in a session, and there are {effect.n}"
    holding = sum(_verdict(name, one) is Verdict.SHOWN for one in each)
    return Hypothesis(name, pipeline, model, effect, verdict, reason, holding, len(each))


def _verdict(name: str, effect: Estimate) -> Verdict:
    if effect.low is None or effect.high is None:
        return Verdict.UNTESTED
    if effect.low <= 1 <= effect.high:
        return Verdict.OPEN
    return Verdict.SHOWN if (effect.low > 1) == (name != "falls") else Verdict.REFUTED


def _untested(name: str, pipeline: Pipeline, model: float | None, reason: str) -> Hypothesis:
    return Hypothesis(name, pipeline, model, arithmetic(()), Verdict.UNTESTED, reason, 0, 0)
