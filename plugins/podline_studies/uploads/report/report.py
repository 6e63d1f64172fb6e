"""The upload study's report, from its frame."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

import pandas as pd

from podline_studies.reports.equivalence import Equivalence
from podline_studies.reports.page import Report, to_html, to_markdown
from podline_studies.reports.plotting import Drawing, draw
from podline_studies.uploads.analysis import tables
from podline_studies.uploads.analysis.points import Summary, summarise
from podline_studies.uploads.frames import About
from podline_studies.uploads.report import comparison_text, figures, methods_text

_FIGURES: dict[str, Drawing] = {
    drawing.__name__: drawing for drawing in (figures.times, figures.ratios, figures.shares)
}


def make_report(uploads: pd.DataFrame, about: About) -> Report:
    """Make the report of an upload study.

    Args:
        uploads: with `podline_studies.uploads.frames.COLUMNS`.
        about: the study.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(uploads, about)
    shown = {name: getattr(tables, name)(found.compared) for name in _FIGURES}
    all_tables = shown | {"uploads": found.uploads, "pairs": found.pairs}
    drawn = {
        name + ("-narrow" if narrow else ""): draw(drawing, shown[name], narrow)
        for name, drawing in _FIGURES.items()
        if len(shown[name])
        for narrow in (False, True)
    }
    title = f"Uploads to a cluster and to a machine: {about.sweep}"
    sections = (*comparison_text.sections(found), *methods_text.sections(found))
    parts = [part for part in sections if part.blocks]
    return Report(
        html=to_html(title, parts, drawn, all_tables),
        markdown=to_markdown(title, parts),
        figures=drawn,
        tables=all_tables,
        last_line=last_line(found),
    )


def last_line(found: Summary) -> dict[str, Any]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about.sweep,
        "uploads": len(found.uploads),
        "pairs": len(found.pairs),
        "verdicts": {
            kind: dict(Counter(str(one.verdict(one.tests[kind])) for one in found.compared))
            for kind in tables.KINDS
        },
        "points": [
            {
                **asdict(one.point),
                **{kind: _numbers(of) for kind, of in one.tests.items()},
                "share": {store: _finite(share.mean) for store, share in one.shares.items()},
            }
            for one in found.compared
        ],
    }


def _numbers(of: Equivalence) -> dict[str, float | int | None]:
    ends = {"ratio": of.ratio, "low": of.low, "high": of.high, "p": of.p}
    return {"n": of.n} | {name: _finite(value) for name, value in ends.items()}


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
