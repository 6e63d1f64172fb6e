"""The update study's report, from its frame: its words are in templates/updates.md."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from podline_studies.reports import prose
from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.formatting import finite
from podline_studies.reports.page import Report, make
from podline_studies.updates.analysis.points import (
    GOAL_S,
    GOAL_TIMES,
    OURS,
    TOLD,
    Compared,
    Summary,
    Taken,
    summarise,
)
from podline_studies.updates.analysis.tables import make_tables
from podline_studies.updates.batch import PARTS
from podline_studies.updates.frames import UpdateCircumstances
from podline_studies.updates.report.figures import FIGURES


def make_report(updates: pd.DataFrame, about: UpdateCircumstances) -> Report:
    """Make the report of an update study.

    Args:
        updates: with `podline_studies.updates.frames.COLUMNS`.
        about: how it was measured.

    Raises:
        ValueError: a column is missing.
    """
    found = summarise(updates, about)
    words = {"found": found, "parts": PARTS, "own": [OURS, TOLD]}
    words |= {"ours": OURS, "margin": MARGIN, "goal_s": GOAL_S, "goal_times": GOAL_TIMES}
    title = f"From publish to the first prediction over a slow link: {about['sweep']}"
    sections = prose.read(__package__, "updates.md", **words)
    return make(title, sections, FIGURES, make_tables(found), last_line(found))


def last_line(found: Summary) -> dict[str, object]:
    """Return the most important numbers, as JSON can have them: no NaN, times in seconds."""
    return {
        "study": found.about["sweep"],
        "updates": len(found.updates),
        "refused": {way: refused for way, (refused, _) in found.refused.items()},
        "within": {way: {"met": found.within(way), "of": found.many(way)} for way in (OURS, TOLD)},
        "points": [_taken(one) for one in found.taken],
        "compared": [_compared(one) for one in found.compared],
    }


def _taken(one: Taken) -> dict[str, object]:
    seconds = {name: finite(getattr(one.seconds, name)) for name in ("mean", "low", "high")}
    about = {"side": one.side, "way": one.way, "n": one.seconds.n, "limit": finite(one.limit)}
    return asdict(one.point) | about | seconds


def _compared(one: Compared) -> dict[str, object]:
    ends = {name: finite(getattr(one.times, name)) for name in ("ratio", "low", "high")}
    about = {"of": one.of, "side": one.side, "way": one.way}
    about |= {"first": one.first, "second": one.second}
    return asdict(one.point) | about | {"n": one.times.n} | ends
