"""The upload study's report, from its frame."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from podline_studies.reports.equivalence import Equivalence
from podline_studies.reports.page import Report, to_html, to_markdown
from podline_studies.reports.plotting import Drawing, draw
from podline_studies.uploads.analysis import tables
from podline_studies.uploads.analysis.summary import Summary, summarise
from podline_studies.uploads.report import comparison_text, figures, methods_text

_SECTIONS = (
    comparison_text.headlines,
    comparison_text.ratios,
    comparison_text.shares,
    comparison_text.alone,
    methods_text.before,
    methods_text.measured,
    methods_text.failures,
    methods_text.limits,
)
_FIGURES: dict[str, Drawing] = {
    "times": figures.times, "ratios": figures.ratios, "shares": figures.shares,
}  # fmt: skip


def make_report(uploads: pd.DataFrame, about: Mapping[str, Any]) -> Report:
    """Make the report of an upload study.

    Args:
        uploads: a row an upload, as `podline_studies.uploads.analysis.points.check_uploads` says.
        about: ``sweep``, ``seed``, ``stores`` (two ids of connections: cluster and machine),
            ``design``, ``sessions``, ``planned``, ``interruptions``, ``failed``, ``models``
            (``model``, ``bytes``, ``serialise_s`` of each); what is missing is said to be unknown.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(uploads, about)
    shown = {
        "times": tables.times(found.compared), "ratios": tables.ratios(found.compared),
        "shares": tables.shares(found.compared),
    }  # fmt: skip
    all_tables = shown | {"uploads": found.uploads, "pairs": found.pairs}
    drawn = {
        name + ("-narrow" if narrow else ""): draw(_FIGURES[name], shown[name], narrow)
        for name in _FIGURES if len(shown[name]) for narrow in (False, True)
    }  # fmt: skip
    title = f"Uploads to a cluster and to a machine: {about.get('sweep', 'an upload study')}"
    parts = [part for make in _SECTIONS if (part := make(found)).blocks]
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
        "study": found.about.get("sweep"),
        "uploads": len(found.uploads),
        "pairs": len(found.pairs),
        "verdicts": {
            kind: dict(Counter(str(one.verdict(getattr(one, kind))) for one in found.compared))
            for kind in tables.KINDS
        },
        "points": [
            {
                **asdict(one.point),
                **{kind: _numbers(getattr(one, kind)) for kind in tables.KINDS},
                "share": {store: _finite(share.mean) for store, share in one.shares.items()},
            }
            for one in found.compared
        ],
    }


def _numbers(of: Equivalence) -> dict[str, float | int | None]:
    return {
        "n": of.n, "ratio": _finite(of.ratio), "low": _finite(of.low), "high": _finite(of.high),
        "p": _finite(of.p),
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return round(value, 6) if value is not None and math.isfinite(value) else None
