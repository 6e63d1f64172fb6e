"""The stores beside each other, and the clients beside the link's limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from podline_studies.reports.equivalence import MARGIN, Equivalence
from podline_studies.reports.formatting import count, listed, milliseconds, number, percent, seconds
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section
from podline_studies.uploads.analysis import tables
from podline_studies.uploads.analysis.points import SIDES, Compared, Point, Summary, Verdict

_POINT_HEAD = ("bytes", "round trip", "client", "")
_HOW = (
    "A pair is two uploads of the same bytes, one to each store, in an order of chance. The stores "
    f"are called equivalent where the 90 % interval of the ratio lies within {100 * MARGIN:g} % "
    "(two one-sided tests at 5 %, on logarithms); that no difference is seen is not enough. A cold "
    "upload is a client's first; a warm one follows it, over the same connection. The link's limit "
    "is the bytes at the goodput of plain TCP that was measured with that batch, and one round "
    "trip, or two for a cold upload."
)
_RATIO = (
    "The ratio is the cluster's time over the machine's: above 1, the machine is faster. In "
    "brackets, its 95 % interval."
)
_COMMIT = (
    "The commit is what comes after the last byte: the answer to one request, or the request that "
    "puts parts together. The last byte counts as acknowledged with the last segment but two, "
    "since a receiver may keep the last acknowledgement for its answer. A client that does not say "
    "is given the time when it had read the last byte to be sent."
)
_ALONE = (
    "Each batch uploads once to each store around the link, cold. A point says something of the "
    "stores where this takes the machine less than half of what the link allows."
)


def sections(found: Summary) -> Iterator[Section]:
    """What was found, the verdicts first."""
    yield Section("", (Points(tuple(_verdicts(found))), Paragraph(_HOW)))
    if found.compared:
        yield _ratios(found.compared)
        yield _shares(found.compared)
        yield _alone(found.compared)


def _verdicts(found: Summary) -> Iterator[str]:
    """How many points have which verdict."""
    for kind, words in tables.KINDS.items():
        verdicts = Counter(one.verdict(one.tests[kind]) for one in found.compared)
        told = [f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict]]
        yield f"Of {count(len(found.compared), 'point')}, {words}: {listed(told) or 'none'}."


def _ratios(compared: Sequence[Compared]) -> Section:
    """Each point: both stores' times, and their ratio."""
    medians = [f"{side}, median" for side in SIDES]
    head = ["n", *medians, "transfer: ratio", "", "whole: ratio", ""]
    rows = tuple(
        (
            *_point(one.point),
            str(one.whole.n),
            *(seconds(one.seconds[side]) for side in SIDES),
            *(text for of in (one.transfer, one.whole) for text in _test(one, of)),
        )
        for one in compared
    )
    return Section.of(
        "The cluster beside the machine",
        Paragraph(_RATIO),
        Picture("ratios", "Ratios of the two stores' times with 95 % intervals, and the margin."),
        Grid((*_POINT_HEAD, *head), rows, len(_POINT_HEAD), "ratios"),
        Picture("times", "Time of an upload over its bytes, by round trip and client."),
    )


def _shares(compared: Sequence[Compared]) -> Section:
    """How much of the link's limit each client reached, and how long the store answered."""
    head = [f"{side}: {what}" for what in ("of the limit", "commit") for side in SIDES]
    rows = tuple(
        (
            *_point(one.point),
            *(percent(one.shares[side].mean) for side in SIDES),
            *(seconds(one.commits[side]) for side in SIDES),
        )
        for one in compared
    )
    return Section.of(
        "How near to the link's limit",
        Picture("shares", "Share of the link's limit that each client reached, cluster only."),
        Grid((*_POINT_HEAD, *head), rows, len(_POINT_HEAD), "shares"),
        Paragraph(_COMMIT),
    )


def _alone(compared: Sequence[Compared]) -> Section:
    """What each store takes when no link is in the way."""
    head = ("bytes", "client", *(f"{side}, median" for side in SIDES))
    rows = dict.fromkeys(
        (one.point.what, one.point.client, *(seconds(one.alone[side]) for side in SIDES))
        for one in compared
    )
    return Section("Without the link", (Paragraph(_ALONE), Grid(head, tuple(rows), 2)))


def _point(point: Point) -> tuple[str, ...]:
    """A point as a row of a table begins; `_POINT_HEAD` is above it."""
    how = "warm" if point.warm else "cold"
    return point.what, milliseconds(point.rtt), point.client, how


def _test(one: Compared, of: Equivalence) -> tuple[str, str]:
    """The ratio with its interval, and the verdict."""
    ratio = number(of.ratio)
    if of.low is not None and of.high is not None:
        ratio += f" ({number(of.low)} to {number(of.high)})"
    return ratio, str(one.verdict(of))
