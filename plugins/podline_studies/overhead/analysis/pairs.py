"""Runs, each beside the run of the whole notebook that it is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from podline.phases import OVERHEAD_PARTS, OWN
from podline.settings import Backend
from podline_studies.overhead.design import BASELINE, BASELINES, POD_BASELINE, STOCK, TUNED
from podline_studies.overhead.frames import SECONDS
from podline_studies.overhead.measurement import COUNTS

# The parts of an overhead; they add up to it.
PARTS = (*OVERHEAD_PARTS, "residual")

# What is compared: the same work, in the same repeat of the design, on the same machine.
POINT = ["notebook", "way", "data", "model", "repeat", "sitting"]
# Two ways of running are never compared or taken together.
PIPELINE = ["notebook", "way", "backend"]
COMBINATION = [*PIPELINE, "data", "model"]
_OVERHEADS = [f"overhead_{part}_s" for part in PARTS]
_PAIR = [
    *[*COMBINATION, "repeat", "sitting", "index", "stages", *COUNTS],
    *["wall_s", "code_s", "baseline_s", "baseline_code_s", "overhead_s", "beside_code_s"],
    *[*_OVERHEADS, "ratio", "share", "code_ratio"],
]


_IN_PODS = (Backend.KUBERNETES.value, STOCK, TUNED)


class Pipeline(NamedTuple):
    """A notebook, the way in which it was run (``scheduler`` or ``test``), and its backend."""

    notebook: str
    way: str
    backend: str

    def __str__(self) -> str:
        way = "" if self.way == "scheduler" else f", by dags {self.way}"
        return f"{self.notebook} on {self.backend}{way}"


class Cell(NamedTuple):
    """A pipeline at a size: values of the size parameters, NaN where they are the notebook's."""

    notebook: str
    way: str
    backend: str
    data: float
    model: float

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(*self[:3])


@dataclass(frozen=True)
class Counts:
    """What became of the measured runs.

    Attributes:
        rows: all.
        warmups: left out.
        failed: warm-ups apart.
        repeated: succeeded, but so did a later attempt at the same point.
        baselines: runs of the whole notebook.
        paired: runs that have their baseline.
        unpaired: runs that have none, and that nothing is said of.
    """

    rows: int
    warmups: int
    failed: int
    repeated: int
    baselines: int
    paired: int
    unpaired: int


def by_pipeline(frame: pd.DataFrame) -> Iterator[tuple[Pipeline, pd.DataFrame]]:
    """Give the rows of each pipeline."""
    for _, rows in frame.groupby(PIPELINE, dropna=False):
        yield Pipeline(*rows[PIPELINE].iloc[0]), rows


def by_cell(frame: pd.DataFrame) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Give the rows of each combination of a pipeline and sizes."""
    for _, rows in frame.groupby(COMBINATION, dropna=False):
        yield Cell(*rows[COMBINATION].iloc[0]), rows


def successful(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that count: no warm-ups, no failures, a point's last attempt only."""
    good = runs[~runs["warmup"] & (runs["state"] == "success") & (runs["wall_s"] > 0)]
    good = good.sort_values(["sitting", "attempt", "started"], kind="stable")
    again = good.duplicated([*COMBINATION, "repeat"], keep="last")
    return good[~again].sort_values([*COMBINATION, "repeat"], kind="stable", ignore_index=True)


def pair(runs: pd.DataFrame) -> pd.DataFrame:
    """Put each run beside its baseline.

    Args:
        runs: a row a run.

    Returns:
        A row a run that has a baseline, with the run's own columns and, all in seconds but the
        ratios: `baseline_s` and `baseline_code_s`; `overhead_s`, the difference of the walls;
        `overhead_PART_s`, the parts that add up to it; `ratio` of the walls and `share`, the
        overhead's part of the baseline; `beside_code_s`, the overhead less the difference of the
        code's own time, which is mostly noise; `code_ratio`, of the code's own time.
    """
    good = successful(runs)
    names = {name: f"baseline_{name}" for name in SECONDS} | {"wall_s": "baseline_s"}
    base = good.loc[good["backend"].isin(BASELINES), [*POINT, "backend", *SECONDS]]
    base = base.rename(columns=names | {"backend": "beside"})
    pairs = good[~good["backend"].isin(BASELINES)]
    pairs = pairs.assign(beside=_baseline_of(pairs, base))
    pairs = pairs.merge(base, on=[*POINT, "beside"], validate="many_to_one")
    pairs["overhead_s"] = pairs["wall_s"] - pairs["baseline_s"]
    for part in ("kubernetes", "transfer", "pipeline"):
        pairs[f"overhead_{part}_s"] = pairs[f"{part}_s"]
    pairs["overhead_libraries_s"] = pairs["libraries_s"] - pairs["baseline_libraries_s"]
    known = pairs[_OVERHEADS[:-1]].sum(axis=1)
    pairs["overhead_residual_s"] = pairs["overhead_s"] - known
    own = pairs["code_s"] - pairs["baseline_code_s"]
    pairs["beside_code_s"] = pairs["overhead_s"] - own
    pairs["ratio"] = pairs["wall_s"] / pairs["baseline_s"]
    pairs["share"] = pairs["ratio"] - 1
    pairs["code_ratio"] = pairs["code_s"] / pairs["baseline_code_s"].replace(0, np.nan)
    return pairs[_PAIR]


def _baseline_of(runs: pd.DataFrame, baselines: pd.DataFrame) -> pd.Series[str]:
    """The baseline of each run: of pods, the notebook in a pod, where the study has that."""
    having = set(baselines.loc[baselines["beside"] == POD_BASELINE, "notebook"])
    in_pods = runs["backend"].isin(_IN_PODS) & runs["notebook"].isin(having)
    return in_pods.map({True: POD_BASELINE, False: BASELINE})


def stages_of(stages: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the stages of the pipelines' runs that count, in order.

    Args:
        stages: a row a stage of a run.
        runs: a row a run.

    Returns:
        The rows with `own_s`, the seconds of the user's own work, and `overhead_s`, all else that
        the stage took.
    """
    key = [*COMBINATION, "repeat", "sitting", "attempt"]
    good = successful(runs)
    counted = good.loc[~good["backend"].isin(BASELINES), key]
    found = stages[~stages["warmup"]].merge(counted, on=key)
    found["own_s"] = found[[name for name in OWN if name in found]].sum(axis=1)
    found["overhead_s"] = found["duration_s"] - found["own_s"]
    return found.sort_values([*key, "order"], kind="stable", ignore_index=True)


def count(runs: pd.DataFrame) -> Counts:
    """Count what became of the runs."""
    warm = runs["warmup"]
    succeeded = runs[~warm & (runs["state"] == "success") & (runs["wall_s"] > 0)]
    good = successful(runs)
    baselines = int(good["backend"].isin(BASELINES).sum())
    paired = len(pair(runs))
    return Counts(
        rows=len(runs),
        warmups=int(warm.sum()),
        failed=int((~warm & (runs["state"] != "success")).sum()),
        repeated=len(succeeded) - len(good),
        baselines=baselines,
        paired=paired,
        unpaired=len(good) - baselines - paired,
    )
