"""How an upload study was measured, and what it cannot claim."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.formatting import (
    SPACE,
    count,
    data_bytes,
    listed,
    milliseconds,
    number,
    percent,
    seconds,
)
from podline_studies.reports.provenance import interruptions, plain, versions, when
from podline_studies.reports.sections import Block, Grid, Paragraph, Points, Section
from podline_studies.uploads.analysis.points import Compared, Verdict
from podline_studies.uploads.analysis.summary import Summary


def before(found: Summary) -> Section:
    """What the publishing stage did before: a model's serialisation."""
    title, models = "Before the upload", list(found.about.get("models") or ())
    if not models:
        return Section(title)
    rows = [
        (
            one["model"],
            data_bytes(float(one["bytes"])),
            seconds(math.nan if one["serialise_s"] is None else one["serialise_s"]),
        )
        for one in models
    ]
    return Section(
        title,
        (
            Paragraph(
                "A model is serialised before it is uploaded. What that took when these versions "
                "were published is not within the times above."
            ),
            Grid(("model", "bytes", "to serialise"), tuple(rows), 1),
        ),
    )


def measured(found: Summary) -> Section:
    """The design, each sitting's machine, and the link as it was found."""
    about, sittings = found.about, list(found.about.get("sessions") or ())
    points = [f"Study {about.get('sweep', 'without a name')}; seed {about.get('seed', 'unknown')}."]
    if design := about.get("design"):
        points.append(f"Design: {'; '.join(f'{name} {plain(of)}' for name, of in design.items())}.")
    planned, visits = about.get("planned"), found.uploads[["index", "sitting"]].drop_duplicates()
    of = f" of {planned:,} planned" if planned is not None else ""
    points.append(
        f"{count(len(visits), 'visit')}{of}, {count(len(found.uploads), 'upload')}, each of them "
        f"read back; {count(len(about.get('failed') or ()), 'visit')} failed or disturbed."
    )
    points += interruptions(about.get("interruptions") or ())
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
        str(one.get("session", "–")), str(one.get("machine", "–")), when(one.get("started")),
        when(one.get("ended")), str(one.get("processors", "–")),
        data_bytes(float(one.get("memory_bytes") or math.nan)), str(one.get("kernel", "–")),
    )  # fmt: skip


_LINK_HEAD = ("round trip asked for", "measured", "goodput", "lateness, p99", "processors busy")


def _links(found: Summary) -> Iterator[tuple[str, ...]]:
    for _, rows in found.uploads.groupby("rtt"):
        rtt = float(rows["rtt"].iloc[0])
        median = rows[["link_rtt", "goodput", "late_p99_s", "busy"]].astype(float).median()
        yield (
            milliseconds(rtt), f"{median['link_rtt'] * 1000:.1f}{SPACE}ms",
            f"{median['goodput'] * 8 / 1e6:.0f}{SPACE}Mbit/s",
            f"{median['late_p99_s'] * 1000:.2f}{SPACE}ms", percent(float(median["busy"])),
        )  # fmt: skip


def failures(found: Summary) -> Section:
    """Visits that were not made, or were disturbed, and why."""
    told = [f"{plain(one)}." for one in found.about.get("failed") or ()]
    return Section("What failed", (Points(tuple(told)),) if told else ())


_POWER = 0.9  # that equal stores are called equivalent


def limits(found: Summary) -> Section:
    """What the numbers must not be taken for."""
    return Section("What cannot be claimed", (Points(tuple(_cannot(found))),))


def _cannot(found: Summary) -> Iterator[str]:
    limited = [one for one in found.compared if one.limited]
    if limited:
        yield (
            f"At {_points(limited)} the machine, without the link, takes half the link's limit or "
            "more: what is seen there is its processor, not the link, and nothing is said of the "
            "stores."
        )
    counted = [one for one in found.compared if not one.limited]
    if open_ones := [one for one in counted if _says_little(one)]:
        yield (
            f"At {_points(open_ones)} equivalence is not shown, and hardly could have been: pairs "
            "spread so much that equal stores would be called equivalent with a probability below "
            f"{100 * _POWER:g} %."
        )
    yield from _slower_machine(counted)
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


def _points(of: Sequence[Compared]) -> str:
    """How many, and of which sizes."""
    sizes = dict.fromkeys(one.point.what for one in of)
    return f"{count(len(of), 'point')} ({listed([*sizes])})"


def _says_little(one: Compared) -> bool:
    return any(
        one.verdict(of) == Verdict.OPEN and of.power < _POWER for of in (one.whole, one.transfer)
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
        yield (
            f"At {_points(answers)} the whole differs and the transfer does not: it is how soon "
            "the store answers after the last byte, not the way there."
        )


def _answers_differ(one: Compared) -> bool:
    different = Verdict.DIFFERENT
    return one.verdict(one.whole) == different and one.verdict(one.transfer) != different
