"""The overhead study's report, from its two frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from podline_studies.overhead.analysis.summary import Summary, summarise
from podline_studies.overhead.analysis.tables import make_tables
from podline_studies.overhead.report import (
    costs_text,
    figures,
    hypotheses_text,
    joins_text,
    methods_text,
    model_text,
)
from podline_studies.reports.estimates import Estimate
from podline_studies.reports.page import Report, to_html, to_markdown
from podline_studies.reports.plotting import Drawing, draw
from podline_studies.reports.regression import Interval
from podline_studies.reports.sections import Picture

_SECTIONS = (
    costs_text.headlines,
    methods_text.measured,
    costs_text.overheads,
    costs_text.parts,
    costs_text.operators,
    model_text.model,
    model_text.predictions,
    hypotheses_text.claims,
    joins_text.advice,
    methods_text.failures,
    methods_text.limits,
)
_FIGURES: dict[str, Drawing] = {
    "share": figures.share,
    "parts": figures.parts,
    "stock": figures.stock,
    "residuals": figures.residuals,
    "held-out": figures.held_out,
}


def make_report(runs: pd.DataFrame, stages: pd.DataFrame, about: Mapping[str, Any]) -> Report:
    """Make the report of an overhead study.

    Args:
        runs: a row a measured run, as `run_frames.check_runs` says.
        stages: a row a stage of a run, as `run_frames.check_stages` says.
        about: ``sweep``, ``seed``, ``design``, ``sittings`` (each with ``sitting``, ``machine``,
            ``processors``, ``memory_bytes``, ``kernel``, ``versions``, ``started``, ``ended``),
            ``planned``, ``interruptions``, ``failed``, and ``joined`` (``notebook``, ``of``,
            ``stages``); what is missing is said to be unknown.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(runs, stages, about)
    parts = [part for make in _SECTIONS if (part := make(found)).blocks]
    tables = make_tables(found)
    shown = {block.name for part in parts for block in part.blocks if isinstance(block, Picture)}
    drawn = {
        name + ("-narrow" if narrow else ""): draw(_FIGURES[name], tables[name], narrow)
        for name in _FIGURES if name in shown for narrow in (False, True)
    }  # fmt: skip
    title = f"What the pipeline costs: {about.get('sweep', 'an overhead study')}"
    return Report(
        html=to_html(title, parts, drawn, tables),
        markdown=to_markdown(title, parts),
        figures=drawn,
        tables=tables,
        last_line=last_line(found),
    )


def last_line(found: Summary) -> dict[str, Any]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    exists = {claim.pipeline: claim for claim in found.claims if claim.claim == "exists"}
    known = found.held_out.dropna(subset=["predicted"]) if len(found.held_out) else found.held_out
    return {
        "study": found.about.get("sweep"),
        "runs": found.counts.rows,
        "failed": found.counts.failed,
        "unpaired": found.counts.unpaired,
        "combinations": len(found.combinations),
        "overhead": [
            {**pipeline._asdict(), "share": _numbers(claim.effect.map(lambda ratio: ratio - 1))}
            for pipeline, claim in exists.items()
        ],
        "costs_s": [
            {**one.pipeline._asdict(), **{term: _ends(one.overhead(term)) for term in one.terms}}
            for one in found.costs
        ],
        "claims": [
            {**one.pipeline._asdict(), "claim": one.claim, "verdict": one.verdict.value,
             "effect": _numbers(one.effect)}
            for one in found.claims
        ],
        "held_out": {"runs": len(known), "inside": int(known["inside"].sum()) if len(known) else 0},
        "joins_advised": sum(join.advised for join in found.joins),
    }  # fmt: skip


def _numbers(found: Estimate) -> dict[str, float | None]:
    numbers = {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high}
    return {name: _finite(value) for name, value in numbers.items()}


def _ends(found: Interval) -> dict[str, float | None]:
    numbers = {"value": found.value, "low": found.low, "high": found.high}
    return {name: _finite(value) for name, value in numbers.items()}


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
