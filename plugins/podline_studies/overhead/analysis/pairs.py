"""Runs, each beside the run of the whole notebook that it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from podline.phases import OVERHEAD_PARTS, OWN
from podline_studies.overhead.analysis.drift import pace
from podline_studies.overhead.design import BASELINE, BASELINES, IN_PODS, POD_BASELINE
from podline_studies.overhead.frames import SECONDS
from podline_studies.overhead.measurement import COUNTS

# The parts of an overhead; they add up to it.
PARTS = (*OVERHEAD_PARTS, "residual")

# What is compared: the same work, in the same repeat of the design, in the same session.
POINT = ["notebook", "way", "machine", "steps", "data", "model", "repeat", "sitting"]
# Ways of running, kinds of machines and numbers of training steps are never taken together.
PIPELINE = ["notebook", "way", "backend", "machine", "steps"]
COMBINATION = [*PIPELINE, "data", "model"]
_OVERHEADS = [f"overhead_{part}_s" for part in PARTS]
_PAIR = [
    *[*COMBINATION, "repeat", "sitting", "index", "stages", *COUNTS],
    *["wall_s", "code_s", "baseline_s", "baseline_code_s", "overhead_s", "beside_code_s"],
    *[*_OVERHEADS, "ratio", "share", "code_ratio"],
]


class Pipeline(NamedTuple):
    """What is never taken together with another.

    Attributes:
        notebook: its name.
        way: in which it was run: ``scheduler`` or ``test``.
        backend: one of `podline_studies.overhead.design.BACKENDS`.
        machine: the processor's name; "": not known.
        steps: of training; 0: as the notebook has it.
    """

    notebook: str
    way: str
    backend: str
    machine: str = ""
    steps: int = 0

    def __str__(self) -> str:
        way = "" if self.way == "scheduler" else f", by dags {self.way}"
        steps = f", {self.steps:,} steps" if self.steps else ""
        return f"{self.notebook} on {self.backend}{steps}{way}"


class Cell(NamedTuple):
    """A pipeline at a size: values of the size parameters, NaN where they are the notebook's."""

    notebook: str
    way: str
    backend: str
    machine: str
    steps: int
    data: float
    model: float

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(*self[:5])


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
        yield _pipeline(rows), rows


def by_cell(frame: pd.DataFrame) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Give the rows of each combination of a pipeline and sizes."""
    for _, rows in frame.groupby(COMBINATION, dropna=False):
        yield Cell(*_pipeline(rows), *rows[["data", "model"]].iloc[0]), rows


def _pipeline(rows: pd.DataFrame) -> Pipeline:
    notebook, way, backend, machine, steps = rows[PIPELINE].iloc[0]
    return Pipeline(notebook, way, backend, machine, int(steps))  # of numpy, JSON would have none


def successful(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that count: no warm-ups, no failures, a point's last attempt only.

    `pace` says how much longer each took for its session's drift.
    """
    good = runs[~runs["warmup"] & (runs["state"] == "success") & (runs["wall_s"] > 0)]
    good = good.sort_values(["sitting", "attempt", "started"], kind="stable")
    key = [name for name in COMBINATION if name != "machine"]
    again = good.duplicated([*key, "repeat"], keep="last")
    good = good[~again].sort_values([*COMBINATION, "repeat"], kind="stable", ignore_index=True)
    return good.assign(pace=pace(good, COMBINATION))


def beside(one: pd.DataFrame, other: pd.DataFrame, seconds: Sequence[str]) -> pd.DataFrame:
    """Put each run beside another of the same point.

    Args:
        one: runs, of `successful`.
        other: those to compare with, likewise; a point has one.
        seconds: columns of the other's that are wanted, as `NAME_other`: as long as it would have
            taken when the run began.
    """
    named = other[[*POINT, "pace", *seconds]]
    both = one.merge(named, on=POINT, suffixes=("", "_other"), validate="many_to_one")
    then = both["pace"] / both["pace_other"]
    return both.assign(**{f"{name}_other": both[f"{name}_other"] * then for name in seconds})


def pair(runs: pd.DataFrame) -> pd.DataFrame:
    """Put each run beside its baseline.

    Args:
        runs: a row a run.

    Returns:
        A row a run that has a baseline, with the run's own columns and, all in seconds but the
        ratios: `baseline_s` and `baseline_code_s`, as they would have been when the run began;
        `overhead_s`, the difference of the walls; `overhead_PART_s`, the parts that add up to it;
        `ratio` of the walls and `share`, the overhead's part of the baseline; `beside_code_s`, the
        overhead less the difference of the code's own time, which is mostly noise; `code_ratio`,
        of the code's own time.
    """
    good = successful(runs)
    baselines = good[good["backend"].isin(BASELINES)]
    rest = good[~good["backend"].isin(BASELINES)]
    which = _baseline_of(rest, baselines)
    pairs = pd.concat(
        [
            beside(rest[which == name], baselines[baselines["backend"] == name], SECONDS)
            for name in BASELINES
        ]
    ).sort_values([*COMBINATION, "repeat"], kind="stable", ignore_index=True)
    pairs["baseline_s"], pairs["baseline_code_s"] = pairs["wall_s_other"], pairs["code_s_other"]
    pairs["overhead_s"] = pairs["wall_s"] - pairs["baseline_s"]
    for part in ("kubernetes", "transfer", "pipeline"):
        pairs[f"overhead_{part}_s"] = pairs[f"{part}_s"]
    pairs["overhead_libraries_s"] = pairs["libraries_s"] - pairs["libraries_s_other"]
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
    having = set(baselines.loc[baselines["backend"] == POD_BASELINE, "notebook"])
    in_pods = runs["backend"].isin(IN_PODS) & runs["notebook"].isin(having)
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
