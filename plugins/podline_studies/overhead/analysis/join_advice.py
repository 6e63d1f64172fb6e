"""Advice: which neighbouring stages to join, since what lies between them costs more than they do.

Joined, the second stage needs no start of its own, nothing is fetched and loaded for it, its
libraries are imported already as far as the first has them, and what it alone reads of the first is
not stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from podline.phases import phases_of
from podline_studies.overhead.analysis.pairs import (
    COMBINATION,
    POINT,
    Cell,
    Pipeline,
    by_cell,
    successful,
)
from podline_studies.overhead.design import BASELINES
from podline_studies.overhead.frames import JoinMade
from podline_studies.reports.estimates import Array, Estimate, arithmetic, difference

# What a stage has: the time before it and the phases that it would not need as a part of another,
# what it reads and writes, and imports.
_FIELDS = {
    "start": ["gap_s", *phases_of("kubernetes", "pipeline")],
    "read": ["fetch", "load"],
    "written": ["dump", "store"],
    "imports": ["imports"],
    "bytes_in": ["bytes_in"],
    "bytes_out": ["bytes_out"],
}
_RUN = ["repeat", "sitting", "attempt"]


@dataclass(frozen=True)
class Join:
    """Two neighbouring stages of one combination.

    Attributes:
        cell: which.
        stages: their names.
        saving: seconds that joining them would save, as predicted.
        own: seconds of the shorter one's own work, in the median.
    """

    cell: Cell
    stages: tuple[str, str]
    saving: Estimate
    own: float

    @property
    def advised(self) -> bool:
        """Whether keeping them apart costs more than one of them does, the interval included."""
        least = self.saving.mean if self.saving.low is None else self.saving.low
        return least > self.own


@dataclass(frozen=True)
class Joined:
    """A join that was made and measured, for one combination.

    Attributes:
        cell: with the stages apart.
        notebook: the one with them joined.
        stages: that were joined.
        predicted: seconds saved; None: the stages apart do not tell.
        measured: seconds by which the run is shorter, pairwise.
        beside_code: the same of all but the code's own time, which is less noisy.
    """

    cell: Cell
    notebook: str
    stages: tuple[str, ...]
    predicted: Estimate | None
    measured: Estimate
    beside_code: Estimate


def advise(stages: pd.DataFrame) -> list[Join]:
    """Predict what joining each two neighbouring stages would save.

    Pipelines of which some stage is not on the critical path are left out: joining could make
    them slower.

    Args:
        stages: of `podline_studies.overhead.analysis.pairs.stages_of`.
    """
    linear = stages.groupby([*COMBINATION, *_RUN], dropna=False)["on_path"].transform("all")
    found = []
    for cell, rows in by_cell(stages[linear.astype(bool)]):
        own = rows.groupby("stage")["own_s"].median()
        names, runs = _in_order(rows), _by_stage(rows)
        for pair in itertools.pairwise(names):
            saving = difference(_saved(runs, names, pair).tolist(), _sessions(rows))
            found.append(Join(cell, pair, saving, float(own[[*pair]].min())))
    return found


@dataclass(frozen=True)
class Advice:
    """Two stages of a pipeline that should be joined.

    Attributes:
        pipeline, stages: which.
        savings: seconds, of each combination at which it is advised.
        tried: at how many combinations it was asked.
    """

    pipeline: Pipeline
    stages: tuple[str, str]
    savings: list[float]
    tried: int


def worth_joining(joins: Sequence[Join]) -> list[Advice]:
    """Return what to join, of the neighbouring stages of all combinations."""
    tried: dict[tuple[Pipeline, tuple[str, str]], list[Join]] = {}
    for join in joins:
        tried.setdefault((join.cell.pipeline, join.stages), []).append(join)
    return [
        Advice(*which, savings, len(of))
        for which, of in tried.items()
        if (savings := [join.saving.mean for join in of if join.advised])
    ]


def _sessions(rows: pd.DataFrame) -> list[object]:
    """Of the runs, in the order of `_by_stage`."""
    return list(rows.groupby(_RUN).first().index.get_level_values("sitting"))


def _in_order(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows.sort_values("order", kind="stable")["stage"].unique()]


def _by_stage(rows: pd.DataFrame) -> dict[tuple[str, str], Array]:
    """The runs' values of each field and stage."""
    fields = pd.DataFrame({name: rows[columns].sum(axis=1) for name, columns in _FIELDS.items()})
    wide = rows[["stage", *_RUN]].join(fields).pivot(index=_RUN, columns="stage").fillna(0.0)
    return {
        (field, str(stage)): wide[field, stage].to_numpy()
        for field in _FIELDS
        for stage in wide[field]
    }


def _saved(
    runs: Mapping[tuple[str, str], Array], names: Sequence[str], joined: Sequence[str]
) -> Array:
    """Seconds saved in each run by joining stages that follow each other."""
    saved = np.zeros_like(runs["start", joined[0]])
    for first, second in itertools.pairwise(joined):
        saved += runs["start", second] + runs["read", second]
        saved += runs["written", first] * (1 - _read_later(runs, names, first, second))
        saved += np.minimum(runs["imports", first], runs["imports", second])
    return saved


def _read_later(
    runs: Mapping[tuple[str, str], Array], names: Sequence[str], first: str, second: str
) -> Array:
    """The share of what `first` stores that a stage after `second` reads, at least.

    A stage that reads more than was stored since `second` has the rest from before.
    """
    stored, since = runs["bytes_out", first], runs["bytes_out", second]
    later = np.zeros_like(stored)
    for stage in names[names.index(second) + 1 :]:
        later = np.maximum(later, runs["bytes_in", stage] - since)
        since = since + runs["bytes_out", stage]
    share: Array = np.minimum(later, stored) / np.maximum(stored, 1.0)
    return share


def compare(runs: pd.DataFrame, stages: pd.DataFrame, joined: JoinMade | None) -> list[Joined]:
    """Compare a join that was made with what is predicted of it.

    Args:
        runs: a row a run.
        stages: of `podline_studies.overhead.analysis.pairs.stages_of`.
        joined: which; None: none was made.
    """
    if not joined:
        return []
    good = successful(runs[~runs["backend"].isin(BASELINES)])
    good = good.assign(beside_s=good["wall_s"] - good["code_s"])
    apart, together = (good[good["notebook"] == of] for of in (joined["of"], joined["notebook"]))
    key = [name for name in (*POINT, "backend") if name != "notebook"]
    both = apart.merge(together, on=key, suffixes=("", "_joined"))
    then = both["pace"] / both["pace_joined"]
    both = both.assign(
        saved_s=both["wall_s"] - both["wall_s_joined"] * then,
        saved_beside_s=both["beside_s"] - both["beside_s_joined"] * then,
    )
    return [
        Joined(
            cell,
            joined["notebook"],
            tuple(joined["stages"]),
            predicted=_predicted(stages, cell, joined["stages"]),
            measured=arithmetic(rows["saved_s"], rows["sitting"]),
            beside_code=arithmetic(rows["saved_beside_s"], rows["sitting"]),
        )
        for cell, rows in by_cell(both)
    ]


def _predicted(stages: pd.DataFrame, cell: Cell, joined: Sequence[str]) -> Estimate | None:
    for other, rows in by_cell(stages):
        if str(other) == str(cell) and set(joined) <= set(rows["stage"]):  # NaN is not NaN
            saved = _saved(_by_stage(rows), _in_order(rows), joined)
            return difference(saved.tolist(), _sessions(rows))
    return None
