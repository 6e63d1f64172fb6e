"""The upload study's report, from its frame: its words are in templates/uploads.md."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from podline_studies.reports import prose
from podline_studies.reports.equivalence import MARGIN, Equivalence
from podline_studies.reports.formatting import finite
from podline_studies.reports.page import Report, make
from podline_studies.uploads.analysis.points import POWER, Summary, Verdict, summarise
from podline_studies.uploads.analysis.tables import make_tables
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
    words = {"found": found, "verdicts": [*Verdict], "margin": MARGIN, "power": POWER}
    title = f"Uploads to a cluster and to a machine: {about['sweep']}"
    sections = prose.read(__package__, "uploads.md", **words)
    return make(title, sections, FIGURES, make_tables(found), last_line(found))


def last_line(found: Summary) -> dict[str, object]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about["sweep"],
        "uploads": len(found.uploads),
        "pairs": len(found.pairs),
        "verdicts": {kind: dict(found.verdicts(kind)) for kind in ("whole", "transfer")},
        "points": [
            {
                **asdict(one.point),
                **{kind: _numbers(of) for kind, of in one.tests.items()},
                "share": {store: finite(share.mean) for store, share in one.shares.items()},
            }
            for one in found.compared
        ],
    }


def _numbers(of: Equivalence) -> dict[str, float | int | None]:
    ends = {name: finite(getattr(of, name)) for name in ("ratio", "low", "high", "p")}
    return {"n": of.n} | ends
