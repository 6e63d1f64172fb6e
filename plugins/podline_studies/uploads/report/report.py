"""The upload study's report, from its frame: its words are in templates/uploads.md."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from podline_studies.reports import prose
from podline_studies.reports.equivalence import MARGIN, Equivalence
from podline_studies.reports.page import Report, make
from podline_studies.reports.plotting import Drawing
from podline_studies.uploads.analysis import tables
from podline_studies.uploads.analysis.points import POWER, Summary, Verdict, summarise
from podline_studies.uploads.frames import About
from podline_studies.uploads.report import figures

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
    behind = {name: getattr(tables, name)(found.compared) for name in _FIGURES}
    sections = prose.read(
        __package__, "uploads.md", found=found, verdicts=[*Verdict], margin=MARGIN, power=POWER
    )
    title = f"Uploads to a cluster and to a machine: {about.sweep}"
    all_tables = behind | {"uploads": found.uploads, "pairs": found.pairs}
    return make(title, sections, _FIGURES, all_tables, last_line(found))


def last_line(found: Summary) -> dict[str, Any]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about.sweep,
        "uploads": len(found.uploads),
        "pairs": len(found.pairs),
        "verdicts": {kind: dict(found.verdicts(kind)) for kind in ("whole", "transfer")},
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
