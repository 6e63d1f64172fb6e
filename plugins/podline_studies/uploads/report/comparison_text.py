"""The stores beside each other, and the clients beside the link's limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from podline_studies.reports.equivalence import MARGIN, Equivalence
from podline_studies.reports.formatting import count, listed, milliseconds, number, percent, seconds
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section
from podline_studies.uploads.analysis import tables
from podline_studies.uploads.analysis.points import Point, Verdict
from podline_studies.uploads.analysis.summary import Summary


def headlines(found: Summary) -> Section:
    """How many points have which verdict, and how one is reached."""
    return Section("", (Points(tuple(_told(found))), Paragraph(_HOW)))


_HOW = (
    "A pair is two uploads of the same bytes, one to each store, in an order of chance. The stores "
    f"are called equivalent where the 90 % interval of the ratio lies within {100 * MARGIN:g} % "
    "(two one-sided tests at 5 %, on logarithms); that no difference is seen is not enough. A cold "
    "upload is a client's first; a warm one follows it, over the same connection. The link's limit "
    "is the bytes at the goodput of plain TCP that was measured at that visit, and one round trip, "
    "or two for a cold upload."
)


def _told(found: Summary) -> Iterator[str]:
    for kind, words in tables.KINDS.items():
        verdicts = Counter(one.verdict(getattr(one, kind)) for one in found.compared)
        told = [f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict]]
        yield f"Of {count(len(found.compared), 'point')}, {words}: {listed(told) or 'none'}."


def ratios(found: Summary) -> Section:
    """Each point: both stores' times, and their ratio."""
    title = "The cluster beside the machine"
    if not found.compared:
        return Section(title)
    rows = [
        (
            *_point_words(one.point), str(one.whole.n),
            seconds(one.seconds["cluster"]), seconds(one.seconds["machine"]),
            _interval(one.transfer), str(one.verdict(one.transfer)),
            _interval(one.whole), str(one.verdict(one.whole)),
        )
        for one in found.compared
    ]  # fmt: skip
    head = (
        *_POINT_HEAD, "n", "cluster, median", "machine, median",
        "transfer: ratio", "", "whole: ratio", "",
    )  # fmt: skip
    return Section(
        title,
        (
            Paragraph(
                "The ratio is the cluster's time over the machine's: above 1, the machine is "
                "faster. In brackets, its 95 % interval."
            ),
            Picture(
                "ratios", "Ratios of the two stores' times with 95 % intervals, and the margin."
            ),
            Grid(head, tuple(rows), len(_POINT_HEAD), "ratios"),
            Picture("times", "Time of an upload over its bytes, by round trip and client."),
        ),
    )


_POINT_HEAD = ("bytes", "round trip", "client", "")


def _point_words(point: Point) -> tuple[str, ...]:
    """A point as a row of a table begins; `_POINT_HEAD` is above it."""
    how = "warm" if point.warm else "cold"
    return point.what, milliseconds(point.rtt), point.client, how


def _interval(of: Equivalence) -> str:
    if of.low is None or of.high is None:
        return number(of.ratio)
    return f"{number(of.ratio)} ({number(of.low)} to {number(of.high)})"


def shares(found: Summary) -> Section:
    """How much of the link's limit each client reached, and how long the store answered."""
    title = "How near to the link's limit"
    if not found.compared:
        return Section(title)
    rows = [
        (
            *_point_words(one.point),
            *(percent(one.shares[store].mean) for store in ("cluster", "machine")),
            *(seconds(one.commits[store]) for store in ("cluster", "machine")),
        )
        for one in found.compared
    ]  # fmt: skip
    head = (
        *_POINT_HEAD, "cluster: of the limit", "machine: of the limit", "cluster: commit",
        "machine: commit",
    )  # fmt: skip
    return Section(
        title,
        (
            Picture("shares", "Share of the link's limit that each client reached, cluster only."),
            Grid(head, tuple(rows), len(_POINT_HEAD), "shares"),
            Paragraph(
                "The commit is what comes after the last byte: the answer to one request, or the "
                "request that puts parts together. The last byte counts as acknowledged with the "
                "last segment but two, since a receiver may keep the last acknowledgement for its "
                "answer. A client that does not say is given the time when it had read the last "
                "byte to be sent."
            ),
        ),
    )


def alone(found: Summary) -> Section:
    """What each store takes when no link is in the way."""
    title = "Without the link"
    if not found.compared:
        return Section(title)
    rows = {
        (one.point.what, one.point.client): [
            seconds(one.alone[side]) for side in ("cluster", "machine")
        ]
        for one in found.compared
    }
    return Section(
        title,
        (
            Paragraph(
                "Each visit uploads once to each store around the link, cold. A point says "
                "something of the stores where this takes the machine less than half of what the "
                "link allows."
            ),
            Grid(
                ("bytes", "client", "cluster, median", "machine, median"),
                tuple((*point, *times) for point, times in rows.items()),
                2,
            ),
        ),
    )
