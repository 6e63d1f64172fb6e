"""The overhead study's report, from its two frames: its words are in templates/overhead.md."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from podline_studies.machine import QUIET
from podline_studies.overhead.analysis.combinations import Combination
from podline_studies.overhead.analysis.join_advice import worth_joining
from podline_studies.overhead.analysis.operator_comparison import OURS, Alike
from podline_studies.overhead.analysis.pairs import PARTS, Pipeline
from podline_studies.overhead.analysis.summary import Summary, summarise
from podline_studies.overhead.analysis.tables import make_tables
from podline_studies.overhead.design import AT_ONCE, BACKENDS, POD_BASELINE
from podline_studies.overhead.frames import OverheadCircumstances
from podline_studies.overhead.report.figures import FIGURES
from podline_studies.reports import prose
from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.estimates import LEAST, Estimate
from podline_studies.reports.formatting import finite
from podline_studies.reports.page import Report, make


def make_report(runs: pd.DataFrame, stages: pd.DataFrame, about: OverheadCircumstances) -> Report:
    """Make the report of an overhead study.

    Args:
        runs: a row a measured run, as `frames.check_runs` says.
        stages: a row a stage of a run, as `frames.check_stages` says.
        about: how it was measured; what is missing is said to be unknown.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(runs, stages, about)
    tables, told = make_tables(found), answers(found)
    sections = prose.read(
        __package__,
        "overhead.md",
        found=found,
        tables=tables,
        parts=PARTS,
        answers=told,
        elsewhere=_elsewhere(told),
        errors=_errors(found),
        advice=worth_joining(found.joins),
        least=LEAST,
        usual=round(100 * QUIET),
        margin=round(100 * MARGIN),
        at_once=list(AT_ONCE),
    )
    title = f"What the pipeline costs: {about.get('sweep', 'an overhead study')}"
    return make(title, sections, FIGURES, tables, last_line(found))


@dataclass(frozen=True)
class Answer:
    """What a pipeline costs on one kind of machine.

    Attributes:
        pipeline: which.
        ratio: of its wall to the notebook's, in the mean over sizes.
        combinations: what it cost by size.
        parts: mean seconds of each of `pairs.PARTS`, over all runs.
        alike: pods beside processes; None: not measured, or not about pods.
        notebook: likewise of the whole notebook.
    """

    pipeline: Pipeline
    ratio: Estimate
    combinations: list[Combination]
    parts: dict[str, float]
    alike: Alike | None
    notebook: Alike | None

    @property
    def ratios(self) -> list[float]:
        """The mean ratio of each size."""
        return [one.ratio.mean for one in self.combinations]

    @property
    def seconds(self) -> list[float]:
        """The mean overhead of each size, to which its parts add up."""
        return [sum(one.parts.values()) for one in self.combinations]

    @property
    def largest(self) -> list[tuple[str, float]]:
        """The parts, the largest first."""
        return sorted(self.parts.items(), key=lambda part: -part[1])


def answers(found: Summary) -> list[Answer]:
    """Return what each pipeline costs: first podline's pods, and the machine of most runs."""
    given = [
        Answer(
            one.pipeline,
            one.effect,
            of := [c for c in found.combinations if c.cell.pipeline == one.pipeline],
            {part: sum(c.parts[part] * c.n for c in of) / sum(c.n for c in of) for part in PARTS},
            _alike(found, one.pipeline),
            _alike(found, one.pipeline._replace(backend=POD_BASELINE)),
        )
        for one in found.hypotheses
        if one.name == "exists" and one.model is None
    ]
    rank = {**{name: place for place, name in enumerate(BACKENDS)}, OURS: -1}

    def order(one: Answer) -> tuple[object, ...]:
        of = one.pipeline
        return of.machine != found.main, of.machine, of.notebook, of.steps, rank[of.backend]

    return sorted(given, key=order)


def _elsewhere(told: list[Answer]) -> list[Answer]:
    """The first answer's pipeline on other kinds of machines."""
    here = [one.pipeline._replace(machine="") for one in told]
    return [one for one, which in zip(told[1:], here[1:], strict=True) if which == here[0]]


def _alike(found: Summary, pipeline: Pipeline) -> Alike | None:
    return next((one for one in found.alike if one.pipeline == pipeline), None)


def _errors(found: Summary) -> dict[str, list[float]]:
    """How far off podline's pods are predicted at sizes held out, by where these lie."""
    if found.errors.empty:
        return {}
    pods = found.errors["backend"] == OURS
    here = found.errors[pods & (found.errors["machine"] == found.main)]
    beyond = here["beyond"].astype(bool)
    return {
        "within what others reach": here.loc[~beyond, "error"].tolist(),
        "larger or smaller than all others": here.loc[beyond, "error"].tolist(),
    }


def last_line(found: Summary) -> dict[str, object]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about.get("sweep"),
        "runs": found.counts.rows,
        "failed": found.counts.failed,
        "unpaired": found.counts.unpaired,
        "combinations": len(found.combinations),
        "overhead": [
            {**one.pipeline._asdict(), "share": _numbers(one.effect.share)}
            for one in found.hypotheses
            if one.name == "exists" and one.model is None
        ],
        "costs_s": [
            {
                **one.pipeline._asdict(),
                **{
                    term: {name: finite(end) for name, end in vars(one.overhead(term)).items()}
                    for term in one.terms
                },
            }
            for one in found.costs
        ],
        "claims": [
            {
                **one.pipeline._asdict(),
                "claim": one.name,
                "verdict": one.verdict.value,
                "effect": _numbers(one.effect),
            }
            for one in found.hypotheses
            if one.model is None
        ],
        "held_out": {"runs": found.checked.predicted, "inside": found.checked.inside},
        "joins_advised": sum(join.advised for join in found.joins),
    }


def _numbers(of: Estimate) -> dict[str, float | None]:
    return {name: finite(getattr(of, name)) for name in ("n", "mean", "low", "high")}
