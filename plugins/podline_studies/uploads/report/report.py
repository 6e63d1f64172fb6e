"""The upload study's report, from its frame: its words are in templates/uploads.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from podline_studies.machine import QUIET
from podline_studies.reports import prose
from podline_studies.reports.equivalence import LEAST, MARGIN
from podline_studies.reports.formatting import finite
from podline_studies.reports.page import Report, make
from podline_studies.uploads.analysis.points import KINDS, Compared, Point, Size, Summary, summarise
from podline_studies.uploads.analysis.tables import make_tables
from podline_studies.uploads.analysis.verdicts import POWER, STRICT, Verdict
from podline_studies.uploads.design import LATE
from podline_studies.uploads.frames import UploadCircumstances
from podline_studies.uploads.report.figures import FIGURES


def make_report(uploads: pd.DataFrame, about: UploadCircumstances) -> Report:
    """Make the report of an upload study.

    Args:
        uploads: with `podline_studies.uploads.frames.COLUMNS`.
        about: how it was measured.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(uploads, about)
    words = {"found": found, "verdict": [*Verdict]}
    words |= {"margin": MARGIN, "strict": STRICT, "power": POWER, "with_verdict": with_verdict}
    words |= {"least": LEAST, "quiet": QUIET, "late": LATE}
    title = f"Uploads to a cluster and to a machine: {about['sweep']}"
    sections = prose.read(__package__, "uploads.md", **words)
    return make(title, sections, FIGURES, make_tables(found), last_line(found))


def with_verdict(sizes: Sequence[Compared[Size]], verdict: Verdict) -> list[Compared[Size]]:
    """Those of a verdict, by size."""
    return [one for one in sizes if one.judged.verdict is verdict]


def last_line(found: Summary) -> dict[str, object]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about["sweep"],
        "accelerated": found.about["design"].accelerated,
        "uploads": len(found.uploads),
        "pairs": len(found.pairs),
        "verdicts": {
            f"{comparison}, {kind}": dict(found.counts(comparison, kind))
            for comparison in found.comparisons
            for kind in KINDS
        },
        "sizes": [_numbers(one) for one in found.sizes],
        "points": [_numbers(one) for one in found.points],
    }


def _numbers(one: Compared[Point] | Compared[Size]) -> dict[str, object]:
    of = one.judged.found
    ends = {name: finite(getattr(of, name)) for name in ("ratio", "low", "high", "p")}
    named = {"comparison": str(one.comparison), "kind": one.kind}
    return {**asdict(one.place), **named, "n": of.n, **ends, "verdict": str(one.judged.verdict)}
