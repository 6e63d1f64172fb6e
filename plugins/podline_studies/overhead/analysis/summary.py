"""All that the overhead study found, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podline_studies.overhead.analysis.combinations import Combination, combine
from podline_studies.overhead.analysis.cost_model import (
    Costs,
    Forecast,
    Unfitted,
    fit,
    forecast,
    hold_out,
)
from podline_studies.overhead.analysis.hypotheses import Claim, judge
from podline_studies.overhead.analysis.join_advice import Join, Joined, advise, compare
from podline_studies.overhead.analysis.operator_comparison import Saved, against_stock
from podline_studies.overhead.analysis.pairs import Cell, Counts, by_cell, count, pair, stages_of
from podline_studies.overhead.analysis.run_frames import check_runs, check_stages


@dataclass(frozen=True)
class Failure:
    """Runs of a combination that failed: how many, and why the last one did."""

    cell: Cell
    runs: int
    reason: str


@dataclass(frozen=True)
class Summary:
    """What was found.

    Attributes:
        about: the study's circumstances, as given.
        runs: a row a measured run.
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
        stages: of `podline_studies.overhead.analysis.pairs.stages_of`.
        counts: what became of the runs.
        combinations: what each cost.
        costs: a model of each pipeline's overhead.
        unfitted: why there is none of the others.
        held_out: of `podline_studies.overhead.analysis.cost_model.hold_out`.
        forecasts: what the models predict, for users.
        claims: the thesis', tested.
        joins: neighbouring stages, and what joining them would save.
        joined: what a join that was made saved.
        operators: podline's operator beside Airflow's own.
    """

    about: Mapping[str, Any]
    runs: pd.DataFrame
    pairs: pd.DataFrame
    stages: pd.DataFrame
    counts: Counts
    combinations: list[Combination]
    costs: list[Costs]
    unfitted: list[Unfitted]
    held_out: pd.DataFrame
    forecasts: list[Forecast]
    claims: list[Claim]
    joins: list[Join]
    joined: list[Joined]
    operators: list[Saved]

    @property
    def backends(self) -> list[str]:
        """Those that have a baseline."""
        return sorted(self.pairs["backend"].unique())

    @property
    def failures(self) -> list[Failure]:
        """Of each combination, warm-ups apart."""
        failed = self.runs[~self.runs["warmup"] & (self.runs["state"] != "success")]
        return [
            Failure(cell, len(rows), str(rows["failure"].iloc[-1]))
            for cell, rows in by_cell(failed)
        ]


def summarise(runs: pd.DataFrame, stages: pd.DataFrame, about: Mapping[str, Any]) -> Summary:
    """Make all numbers of the study.

    Args:
        runs: a row a measured run, as `run_frames.check_runs` says.
        stages: a row a stage of a run, as `run_frames.check_stages` says.
        about: its circumstances.

    Raises:
        ValueError: a column is missing.
    """
    runs, stages = check_runs(runs), check_stages(stages)
    paired, counted = pair(runs), stages_of(stages, runs)
    models = list(fit(paired))
    fitted = [model for model in models if isinstance(model, Costs)]
    return Summary(
        about=about,
        runs=runs,
        pairs=paired,
        stages=counted,
        counts=count(runs),
        combinations=combine(paired),
        costs=fitted,
        unfitted=[model for model in models if isinstance(model, Unfitted)],
        held_out=hold_out(paired),
        forecasts=[one for model in fitted for one in forecast(model)],
        claims=judge(paired, counted),
        joins=advise(counted),
        joined=compare(runs, counted, about.get("joined")),
        operators=against_stock(runs),
    )
