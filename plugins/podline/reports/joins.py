"""Advice: which neighbouring stages to join, since what lies between them costs more than they do.

Joined, the second stage needs no start of its own, nothing is fetched and loaded for it, its
libraries are imported already as far as the first has them, and what it alone reads of the first is
not stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podline.reports.pairs import BASELINE, COMBINATION, POINT, Cell, by_cell, successful
from podline.reports.statistics import Estimate, arithmetic, difference

_START = (
    "gap_s", "prepare", "submit", "schedule", "pull", "start", "boot", "defer", "notice", "resume",
    "finish",
)  # fmt: skip
_READ, _WRITTEN = ("fetch", "load"), ("dump", "store")
_FIELDS = (*_START, *_READ, *_WRITTEN, "imports", "bytes_in", "bytes_out")
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
        stages: of `podline.reports.pairs.stages_of`.
    """
    linear = stages.groupby([*COMBINATION, *_RUN], dropna=False)["on_path"].transform("all")
    found = []
    for cell, rows in by_cell(stages[linear.astype(bool)]):
        own = rows.groupby("stage")["own_s"].median()
        names, runs = _in_order(rows), _by_stage(rows)
        for pair in itertools.pairwise(names):
            saving = difference(_saved(runs, names, pair))
            found.append(Join(cell, pair, saving, float(own[[*pair]].min())))
    return found


def _in_order(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows.sort_values("order", kind="stable")["stage"].unique()]


def _by_stage(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a run, a column a field and stage."""
    fields = [name for name in _FIELDS if name in rows]
    return rows.pivot(index=_RUN, columns="stage", values=fields).fillna(0.0)


def _saved(runs: pd.DataFrame, names: Sequence[str], joined: Sequence[str]) -> pd.Series:
    """Seconds saved in each run by joining stages that follow each other."""
    saved = pd.Series(0.0, index=runs.index)
    for first, second in itertools.pairwise(joined):
        saved += _seconds(runs, second, _START + _READ)
        saved += _seconds(runs, first, _WRITTEN) * (1 - _read_later(runs, first, second, names))
        imports = _seconds(runs, first, ("imports",))
        saved += imports.clip(upper=_seconds(runs, second, ("imports",)))
    return saved


def _read_later(runs: pd.DataFrame, first: str, second: str, names: Sequence[str]) -> pd.Series:
    """The share of what `first` stores that a stage after `second` reads, at least.

    A stage that reads more than was stored since `second` has the rest from before.
    """
    stored, since = runs["bytes_out", first], runs["bytes_out", second]
    later = stored * 0.0
    for stage in names[names.index(second) + 1 :]:
        later = later.clip(lower=runs["bytes_in", stage] - since)
        since = since + runs["bytes_out", stage]
    return (later / stored.where(stored > 0)).clip(upper=1.0).fillna(0.0)


def _seconds(runs: pd.DataFrame, stage: str, phases: Sequence[str]) -> pd.Series:
    known = [(phase, stage) for phase in phases if phase in runs]
    return runs[known].sum(axis=1)


def compare(
    runs: pd.DataFrame, stages: pd.DataFrame, joined: Mapping[str, Any] | None
) -> list[Joined]:
    """Compare a join that was made with what is predicted of it.

    Args:
        runs: a row a run.
        stages: of `podline.reports.pairs.stages_of`.
        joined: ``notebook``, the one with ``stages`` joined, and ``of``, the one without; None or
            empty: none was made.
    """
    if not joined:
        return []
    good = successful(runs[runs["backend"] != BASELINE])
    good = good.assign(beside_s=good["wall_s"] - good["code_s"])
    apart, together = (good[good["notebook"] == joined[name]] for name in ("of", "notebook"))
    key = [name for name in (*POINT, "backend") if name != "notebook"]
    both = apart.merge(together, on=key, suffixes=("", "_joined"))
    return [
        Joined(
            cell, joined["notebook"], tuple(joined["stages"]),
            _predicted(stages, cell, joined["stages"]),
            arithmetic(rows["wall_s"] - rows["wall_s_joined"]),
            arithmetic(rows["beside_s"] - rows["beside_s_joined"]),
        )
        for cell, rows in by_cell(both)
    ]  # fmt: skip


def _predicted(stages: pd.DataFrame, cell: Cell, joined: Sequence[str]) -> Estimate | None:
    for other, rows in by_cell(stages):
        if str(other) == str(cell) and set(joined) <= set(rows["stage"]):  # NaN is not NaN
            return difference(_saved(_by_stage(rows), _in_order(rows), joined))
    return None
