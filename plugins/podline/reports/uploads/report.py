"""The upload study's report, from its frame."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from podline.reports.circumstances import interruptions, plain, versions, when
from podline.reports.drawing import Drawing, draw
from podline.reports.equivalence import MARGIN, Equivalence
from podline.reports.page import Report, to_html, to_markdown
from podline.reports.sections import Block, Grid, Paragraph, Picture, Points, Section
from podline.reports.uploads import figures, tables
from podline.reports.uploads.points import Compared, Verdict, check_uploads, compare, pair
from podline.reports.wording import SPACE, count, data_bytes, listed, number, percent, seconds

_FIGURES: dict[str, Drawing] = {
    "times": figures.times, "ratios": figures.ratios, "shares": figures.shares,
}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What was found: the uploads that count, their pairs, and each point compared."""

    about: Mapping[str, Any]
    uploads: pd.DataFrame
    pairs: pd.DataFrame
    compared: Sequence[Compared]


def make_report(uploads: pd.DataFrame, about: Mapping[str, Any]) -> Report:
    """Make the report of an upload study.

    Args:
        uploads: a row an upload, as `podline.reports.uploads.points.check_uploads` says.
        about: ``sweep``, ``seed``, ``stores`` (two ids of connections: cluster and machine),
            ``design``, ``sittings``, ``planned``, ``interruptions``, ``failed``, ``models``
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


def summarise(uploads: pd.DataFrame, about: Mapping[str, Any]) -> Summary:
    """Pair the uploads and compare the stores; see `make_report`."""
    counted = check_uploads(uploads)
    cluster, machine = about["stores"]
    pairs = pair(counted, cluster, machine)
    return Summary(about, counted, pairs, compare(counted, pairs, cluster, machine))


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


# --- the sections


def _headlines(found: Summary) -> Section:
    return Section("", (Points(tuple(_told(found))), Paragraph(_HOW)))


_HOW = (
    "A pair is two uploads of the same bytes, one to each store, in an order of chance. The stores "
    f"are called equivalent where the 90 % interval of the ratio lies within {MARGIN:.0%} (two "
    "one-sided tests at 5 %, on logarithms); that no difference is seen is not enough. A cold "
    "upload is a client's first; a warm one follows it, over the same connection. The link's limit "
    "is the bytes at the goodput of plain TCP that was measured at that visit, and one round trip, "
    "or two for a cold upload."
)


def _told(found: Summary) -> Iterator[str]:
    for kind, words in tables.KINDS.items():
        verdicts = Counter(one.verdict(getattr(one, kind)) for one in found.compared)
        told = [f"{verdicts[verdict]} {verdict}" for verdict in Verdict if verdicts[verdict]]
        yield f"Of {count(len(found.compared), 'point')}, {words}: {listed(told) or 'none'}."


def _ratios(found: Summary) -> Section:
    rows = [
        (
            one.point.what, f"{one.point.rtt * 1000:g}{SPACE}ms", one.point.client,
            "warm" if one.point.warm else "cold", str(one.whole.n),
            seconds(one.seconds["cluster"]), seconds(one.seconds["machine"]),
            _interval(one.transfer), str(one.verdict(one.transfer)),
            _interval(one.whole), str(one.verdict(one.whole)),
        )
        for one in found.compared
    ]  # fmt: skip
    head = (
        "bytes", "round trip", "client", "", "n", "cluster, median", "machine, median",
        "transfer: ratio", "", "whole: ratio", "",
    )  # fmt: skip
    if not rows:
        return Section("The cluster beside the machine")
    return Section(
        "The cluster beside the machine",
        (
            Paragraph(
                "The ratio is the cluster's time over the machine's: above 1, the machine is "
                "faster. In brackets, its 95 % interval."
            ),
            Picture(
                "ratios", "Ratios of the two stores' times with 95 % intervals, and the margin."
            ),
            Grid(head, tuple(rows), 4, "ratios"),
            Picture("times", "Time of an upload over its bytes, by round trip and client."),
        ),
    )


def _interval(of: Equivalence) -> str:
    if of.low is None or of.high is None:
        return number(of.ratio)
    return f"{number(of.ratio)} ({number(of.low)} to {number(of.high)})"


def _shares(found: Summary) -> Section:
    if not found.compared:
        return Section("How near to the link's limit")
    rows = [
        (
            one.point.what, f"{one.point.rtt * 1000:g}{SPACE}ms", one.point.client,
            "warm" if one.point.warm else "cold",
            *(percent(one.shares[store].mean) for store in ("cluster", "machine")),
            *(seconds(one.commits[store]) for store in ("cluster", "machine")),
        )
        for one in found.compared
    ]  # fmt: skip
    head = (
        "bytes", "round trip", "client", "", "cluster: of the limit", "machine: of the limit",
        "cluster: commit", "machine: commit",
    )  # fmt: skip
    return Section(
        "How near to the link's limit",
        (
            Picture("shares", "Share of the link's limit that each client reached, cluster only."),
            Grid(head, tuple(rows), 4, "shares"),
            Paragraph(
                "The commit is what comes after the last byte: the answer to one request, or the "
                "request that puts parts together. The last byte counts as acknowledged with the "
                "last segment but two, since a receiver may keep the last acknowledgement for its "
                "answer. A client that does not say is given the time when it had read the last "
                "byte to be sent."
            ),
        ),
    )


def _alone(found: Summary) -> Section:
    rows = {
        (one.point.what, one.point.client): [
            _known(one.alone[side]) for side in ("cluster", "machine")
        ]
        for one in found.compared
    }
    if not rows:
        return Section("Without the link")
    return Section(
        "Without the link",
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


def _before(found: Summary) -> Section:
    models = list(found.about.get("models") or ())
    if not models:
        return Section("Before the upload")
    rows = [
        (one["model"], data_bytes(float(one["bytes"])), _known(one["serialise_s"]))
        for one in models
    ]
    return Section(
        "Before the upload",
        (
            Paragraph(
                "A model is serialised before it is uploaded. What that took when these versions "
                "were published is not within the times above."
            ),
            Grid(("model", "bytes", "to serialise"), tuple(rows), 1),
        ),
    )


def _known(value: float | None) -> str:
    return "unknown" if value is None or math.isnan(value) else seconds(value)


def _measured(found: Summary) -> Section:
    about, sittings = found.about, list(found.about.get("sittings") or ())
    points = [f"Study {about.get('sweep', 'without a name')}; seed {about.get('seed', 'unknown')}."]
    if design := about.get("design"):
        points.append(f"Design: {'; '.join(f'{name} {plain(of)}' for name, of in design.items())}.")
    planned, visits = about.get("planned"), found.uploads[["index", "sitting"]].drop_duplicates()
    of = f" of {planned:,} planned" if planned is not None else ""
    points.append(
        f"{count(len(visits), 'visit')}{of}, {count(len(found.uploads), 'upload')}, each of them "
        f"read back; {count(len(about.get('failed') or ()), 'visit')} failed or disturbed."
    )
    points += interruptions(about)
    windows = sorted(set(found.uploads["window"].dropna()))
    points.append(
        f"Congestion control: {listed(sorted(set(found.uploads['congestion'].dropna())))}; send "
        f"buffers of up to {listed([data_bytes(float(window)) for window in windows])}."
    )
    blocks: list[Block] = [Points(tuple(points))]
    if sittings:
        head = ("sitting", "machine", "started", "ended", "processors", "memory", "kernel")
        blocks += [
            Grid(head, tuple(_sitting(one) for one in sittings), 4),
            Paragraph(versions(sittings)),
        ]
    blocks.append(Grid(_LINK_HEAD, tuple(_links(found)), 1))
    return Section("How it was measured", tuple(blocks))


def _sitting(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one.get("sitting", "–")), str(one.get("machine", "–")), when(one.get("started")),
        when(one.get("ended")), str(one.get("processors", "–")),
        data_bytes(float(one.get("memory_bytes") or math.nan)), str(one.get("kernel", "–")),
    )  # fmt: skip


_LINK_HEAD = ("round trip asked for", "measured", "goodput", "lateness, p99", "processors busy")


def _links(found: Summary) -> Iterator[tuple[str, ...]]:
    for _, rows in found.uploads.groupby("rtt"):
        rtt = float(rows["rtt"].iloc[0])
        median = rows[["link_rtt", "goodput", "late_p99_s", "busy"]].astype(float).median()
        yield (
            f"{rtt * 1000:g}{SPACE}ms", f"{median['link_rtt'] * 1000:.1f}{SPACE}ms",
            f"{median['goodput'] * 8 / 1e6:.0f}{SPACE}Mbit/s",
            f"{median['late_p99_s'] * 1000:.2f}{SPACE}ms", percent(float(median["busy"])),
        )  # fmt: skip


def _failures(found: Summary) -> Section:
    told = [f"{plain(one)}." for one in found.about.get("failed") or ()]
    return Section("What failed", (Points(tuple(told)),) if told else ())


def _limits(found: Summary) -> Section:
    return Section("What cannot be claimed", (Points(tuple(_cannot(found))),))


def _cannot(found: Summary) -> Iterator[str]:
    limited = [one for one in found.compared if one.limited]
    if limited:
        sizes = sorted({one.point.what for one in limited})
        yield (
            f"At {count(len(limited), 'point')} ({listed(sizes)}) the machine, without the link, "
            "takes half the link's limit or more: what is seen there is its processor, not the "
            "link, and nothing is said of the stores."
        )
    yield from _slower_machine([one for one in found.compared if not one.limited])
    yield (
        "Both stores are behind the same link of one machine, with all of its processors shared: a "
        "store on hardware of its own is not measured."
    )
    if found.uploads["sitting"].nunique() > 1:
        yield "Pairs are of one sitting each; another day may differ as sittings do."
    yield (
        "The link has no other traffic. Where it loses nothing, nothing is known of lossy ones; "
        "congestion control and buffers are this machine's."
    )


def _slower_machine(counted: Sequence[Compared]) -> Iterator[str]:
    """What a difference is not a sign of, where the machine's processor is the slower one."""
    ratios = [one.alone["machine"] / one.alone["cluster"] for one in counted]
    times = max((ratio for ratio in ratios if math.isfinite(ratio)), default=1.0)
    if times <= 1 + MARGIN:
        return
    yield (
        f"Without the link the machine takes up to {number(times)} times as long as the cluster. "
        "Where they differ over the link, its processor may be the cause, not where the store is; "
        "where they are equivalent, they are so in spite of it."
    )
    if answers := [one for one in counted if _answers_differ(one)]:
        sizes = sorted({one.point.what for one in answers})
        yield (
            f"At {count(len(answers), 'point')} ({listed(sizes)}) the whole differs and the "
            "transfer does not: it is how soon the store answers after the last byte, not the way "
            "there."
        )


def _answers_differ(one: Compared) -> bool:
    different = Verdict.DIFFERENT
    return one.verdict(one.whole) == different and one.verdict(one.transfer) != different


_SECTIONS = (_headlines, _ratios, _shares, _alone, _before, _measured, _failures, _limits)
