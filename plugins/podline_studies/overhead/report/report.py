"""The overhead study's report, from its two frames: its words are in templates/overhead.md."""

from __future__ import annotations

import pandas as pd

from podline_studies.machine import QUIET
from podline_studies.overhead.analysis.join_advice import worth_joining
from podline_studies.overhead.analysis.pairs import PARTS, by_pipeline
from podline_studies.overhead.analysis.summary import Summary, summarise
from podline_studies.overhead.analysis.tables import STAGE_COLUMNS, make_tables
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
    tables = make_tables(found)
    stages_by_pipeline = [
        (pipeline, row)
        for pipeline, rows in by_pipeline(tables.get("stages", found.stages))
        for _, row in rows.iterrows()
    ]
    sections = prose.read(
        __package__,
        "overhead.md",
        found=found,
        tables=tables,
        parts=PARTS,
        stages=stages_by_pipeline,
        stage_columns=STAGE_COLUMNS,
        advice=worth_joining(found.joins),
        least=LEAST,
        quiet=round(100 * QUIET),
        margin=round(100 * MARGIN),
    )
    title = f"What the pipeline costs: {about.get('sweep', 'an overhead study')}"
    return make(title, sections, FIGURES, tables, last_line(found))


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
            if one.name == "exists"
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
        ],
        "held_out": {"runs": found.checked.predicted, "inside": found.checked.inside},
        "joins_advised": sum(join.advised for join in found.joins),
    }


def _numbers(of: Estimate) -> dict[str, float | None]:
    return {name: finite(getattr(of, name)) for name in ("n", "mean", "low", "high")}
