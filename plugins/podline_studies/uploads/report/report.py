"""The upload study's report, from its frame: its words are in templates/uploads.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from podline_studies.machine import QUIET
from podline_studies.reports import prose
from podline_studies.reports.equivalence import LEAST, MARGIN
from podline_studies.reports.formatting import finite, listed
from podline_studies.reports.page import Report, make
from podline_studies.uploads.analysis.points import KINDS, Compared, Point, Size, Summary, summarise
from podline_studies.uploads.analysis.tables import make_tables
from podline_studies.uploads.analysis.verdicts import POWER, STRICT, Judged, Verdict
from podline_studies.uploads.design import LATE, in_bytes
from podline_studies.uploads.design import Point as PlannedPoint
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
    words: dict[str, object] = {"found": found, "limited": Verdict.LIMITED}
    words |= {"in_words": in_words, "by_words": by_words, "planned": planned}
    words |= {"margin": MARGIN, "strict": STRICT, "power": POWER}
    words |= {"least": LEAST, "quiet": QUIET, "late": LATE}
    title = f"Uploads to a cluster and to a machine: {about['sweep']}"
    sections = prose.read(__package__, "uploads.md", **words)
    return make(title, sections, FIGURES, make_tables(found), last_line(found))


def in_words(of: Judged) -> str:
    """The least margin that a ratio keeps to, and whether it differs; or why neither is known."""
    margins = {STRICT: of.strict_verdict, MARGIN: of.verdict}
    kept = [margin for margin, verdict in margins.items() if verdict is Verdict.EQUIVALENT]
    if not kept:
        return str(of.verdict)
    return f"within {100 * kept[0]:g} %" + (" yet different" if of.differs else "")


def by_words(sizes: Iterable[Compared[Size]]) -> dict[str, list[str]]:
    """Of each thing that is said of ratios, the sizes of which it is said."""
    found: dict[str, list[str]] = {}
    for one in sizes:
        found.setdefault(in_words(one.judged), []).append(one.place.what)
    return found


def planned(points: Iterable[PlannedPoint]) -> list[str]:
    """Points in words; those of the same round trips and pairs once."""
    found: dict[tuple[bool, tuple[float, ...], int], list[str]] = {}
    for one in points:
        what = one.model or in_bytes(one.size)
        found.setdefault((bool(one.arm), one.rtts, one.pairs), []).append(what)
    return [
        f"{listed([*dict.fromkeys(whats)])}{' over each other link' if other else ''} "
        f"({', '.join(f'{rtt * 1000:g}' for rtt in rtts)} ms; {pairs} pairs each)"
        for (other, rtts, pairs), whats in found.items()
    ]


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
