"""All that the overhead study found, in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from podline_studies.machine import QUIET
from podline_studies.overhead.analysis.combinations import Combination, combine, rows_read
from podline_studies.overhead.analysis.cost_model import (
    Costs,
    Forecast,
    Unfitted,
    errors_by_size,
    fit,
    forecast,
    hold_out,
)
from podline_studies.overhead.analysis.drift import drifts
from podline_studies.overhead.analysis.hypotheses import Hypothesis, judge
from podline_studies.overhead.analysis.join_advice import Join, Joined, advise, compare
from podline_studies.overhead.analysis.operator_comparison import (
    Alike,
    Saved,
    against_processes,
    against_stock,
)
from podline_studies.overhead.analysis.pairs import (
    COMBINATION,
    Cell,
    Counts,
    by_cell,
    count,
    pair,
    stages_of,
    successful,
)
from podline_studies.overhead.design import BACKENDS
from podline_studies.overhead.frames import OverheadCircumstances, check_runs, check_stages
from podline_studies.reports.estimates import LEAST

_WARM = 0.5  # seconds: less is the kubelet's look at what it has


@dataclass(frozen=True)
class Failure:
    """Runs of a combination that failed: how many, and why the last one did."""

    cell: Cell
    runs: int
    reason: str


@dataclass(frozen=True)
class Checked:
    """Runs predicted by a model fitted without their combination.

    Attributes:
        predicted: how many.
        inside: of these, in the interval for a single run.
        left: could not be predicted.
    """

    predicted: int
    inside: int
    left: int


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
        errors: of `podline_studies.overhead.analysis.cost_model.errors_by_size`.
        forecasts: what the models predict, for users.
        hypotheses: the thesis', tested.
        undisturbed: the first of them, on the runs alone that began while others took no more than
            `podline_studies.machine.QUIET`; empty: all did.
        joins: neighbouring stages, and what joining them would save.
        joined: what a join that was made saved.
        operators: podline's operator beside Airflow's own.
        alike: podline's pods beside processes.
    """

    about: OverheadCircumstances
    runs: pd.DataFrame
    pairs: pd.DataFrame
    stages: pd.DataFrame
    counts: Counts
    combinations: list[Combination]
    costs: list[Costs]
    unfitted: list[Unfitted]
    held_out: pd.DataFrame
    errors: pd.DataFrame
    forecasts: list[Forecast]
    hypotheses: list[Hypothesis]
    undisturbed: list[Hypothesis]
    joins: list[Join]
    joined: list[Joined]
    operators: list[Saved]
    alike: list[Alike]

    @property
    def notebooks(self) -> list[str]:
        """Those that were run."""
        return sorted(self.runs["notebook"].unique())

    @property
    def missing(self) -> list[str]:
        """The backends that were not run."""
        return [name for name in BACKENDS if name not in self.runs["backend"].values]

    @property
    def machines(self) -> list[str]:
        """The names of those that it was measured on."""
        return sorted({str(one.get("machine")) for one in self.about.get("sessions") or ()})

    @property
    def sizes(self) -> dict[str, list[float]]:
        """What was compared, by parameter; nothing: the notebook's own size."""
        return {of: sorted(self.pairs[of].dropna().unique()) for of in ("data", "model")}

    @property
    def few(self) -> int:
        """Combinations with too few runs for an interval."""
        return sum(one.n < LEAST for one in self.combinations)

    @property
    def main(self) -> str:
        """The kind of machine with the most runs that count, which the page is about.

        Of those with as many, the first by name.
        """
        counted = successful(self.runs)["machine"].value_counts().sort_index()
        return str(counted.idxmax()) if len(counted) else ""

    @property
    def here(self) -> list[Combination]:
        """What each combination cost on that kind of machine."""
        return [one for one in self.combinations if one.cell.machine == self.main]

    @property
    def quiet(self) -> float | None:
        """What others might take before a run, of the processors, by the study's rule.

        None: it had none.
        """
        given = self.runs["quiet"].dropna()
        return float(given.max()) if len(given) else None

    @property
    def busy(self) -> int:
        """How many runs count that began while others took more than the study's rule allows.

        Of a study that had none: than is usual.
        """
        return int(_is_busy(successful(self.runs)).sum())

    @property
    def drifts(self) -> dict[int, float]:
        """By what share an hour runs became longer, by session, where that can be told."""
        found = drifts(successful(self.runs), COMBINATION)
        return {int(str(of)): math.expm1(value) for of, value in found.items() if value}

    @property
    def warm(self) -> bool:
        """Whether no stage waited for its image."""
        return bool(len(self.stages)) and float(self.stages["pull"].max()) < _WARM

    @property
    def seconds(self) -> pd.DataFrame:
        """A row a run that counts, of a notebook alone as well: its wall over `rows` read."""
        good = successful(self.runs)
        sizes = ["notebook", "data", "model"]
        read = {key: rows_read(of) for key, of in good.groupby(sizes, dropna=False)}
        keys = good[sizes].itertuples(index=False, name=None)
        return good.assign(rows=[read.get(key, math.nan) for key in keys])

    @property
    def checked(self) -> Checked:
        """How predictions did on what was held out, on the main kind of machine."""
        if not len(self.held_out):
            return Checked(0, 0, 0)
        here = self.held_out[self.held_out["machine"] == self.main]
        known = here.dropna(subset=["predicted"])
        return Checked(len(known), int(known["inside"].sum()), len(here) - len(known))

    def processors(self, machine: str) -> int | None:
        """How many a kind of machine has; None: not known."""
        known = [one for one in self.about.get("sessions") or () if one.get("machine") == machine]
        return known[0].get("processors") if known else None

    def sessions_on(self, machine: str) -> int:
        """How many sessions there were on a kind of machine."""
        of = self.runs.loc[self.runs["machine"] == machine, "sitting"]
        return int(of.nunique())

    @property
    def versions(self) -> list[tuple[list[str], Mapping[str, str]]]:
        """Backends whose code ran by the same versions, and these, where they are known."""
        found: list[tuple[list[str], Mapping[str, str]]] = []
        for backend, versions in (self.about.get("ran_by") or {}).items():
            alike = next((backends for backends, known in found if known == versions), None)
            if alike is None:
                found.append(([backend], versions))
            else:
                alike.append(backend)
        return found

    def runs_in(self, sessions: Sequence[int]) -> int:
        """How many were measured in some sessions."""
        return int(self.runs["sitting"].isin(sessions).sum())

    @property
    def failures(self) -> list[Failure]:
        """Of each combination, warm-ups apart."""
        failed = self.runs[~self.runs["warmup"] & (self.runs["state"] != "success")]
        return [
            Failure(cell, len(rows), str(rows["failure"].iloc[-1]))
            for cell, rows in by_cell(failed)
        ]


def _is_busy(runs: pd.DataFrame) -> pd.Series[bool]:
    """Whether others took more before a run than its study allows, or, without a rule, usually."""
    return runs["busy"] > runs["quiet"].fillna(QUIET)


def summarise(runs: pd.DataFrame, stages: pd.DataFrame, about: OverheadCircumstances) -> Summary:
    """Make all numbers of the study.

    Args:
        runs: a row a measured run, as `frames.check_runs` says.
        stages: a row a stage of a run, as `frames.check_stages` says.
        about: its circumstances.

    Raises:
        ValueError: a column is missing.
    """
    runs, stages = check_runs(runs), check_stages(stages)
    paired, counted = pair(runs), stages_of(stages, runs)
    models = list(fit(paired))
    fitted = [model for model in models if isinstance(model, Costs)]
    held_out, quiet = hold_out(paired), runs[~_is_busy(runs)]
    return Summary(
        about=about,
        runs=runs,
        pairs=paired,
        stages=counted,
        counts=count(runs),
        combinations=combine(paired),
        costs=fitted,
        unfitted=[model for model in models if isinstance(model, Unfitted)],
        held_out=held_out,
        errors=errors_by_size(held_out),
        forecasts=[one for model in fitted for one in forecast(model)],
        hypotheses=judge(paired, counted),
        undisturbed=judge(pair(quiet), counted.iloc[:0]) if len(quiet) < len(runs) else [],
        joins=advise(counted),
        joined=compare(runs, counted, about.get("joined")),
        operators=against_stock(runs),
        alike=against_processes(runs),
    )
