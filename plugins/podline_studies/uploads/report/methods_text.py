"""How an upload study was measured, and what it does not show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

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
from podline_studies.reports.provenance import (
    MeasuredSession,
    interruptions,
    plain,
    versions,
    when,
)
from podline_studies.reports.sections import Block, Grid, Paragraph, Points, Section
from podline_studies.uploads.analysis.points import Compared, Summary, Verdict
from podline_studies.uploads.design import Design

_BEFORE = (
    "A model is serialised before it is uploaded. What that took when these versions were "
    "published is not within the times above."
)
_POWER = 0.9  # that equal stores are called equivalent


def sections(found: Summary) -> Iterator[Section]:
    """What surrounds the results."""
    yield _before(found.about.design)
    yield _measured(found)
    failed = tuple(
        f"batch {one.visit}, attempt {one.attempt}, failure {one.failure}."
        for one in found.about.failed
    )
    yield Section("What failed", (Points(failed),) if failed else ())
    yield Section("What cannot be claimed", (Points(tuple(_limits(found))),))


def _before(design: Design) -> Section:
    """What the publishing stage did before: a model's serialisation."""
    rows = tuple(
        (
            point.model,
            data_bytes(point.size),
            seconds(math.nan if point.serialise is None else point.serialise),
        )
        for point in design.points
        if point.model
    )
    grid = Grid(("model", "bytes", "to serialise"), rows)
    return Section("Before the upload", (Paragraph(_BEFORE), grid) if rows else ())


def _measured(found: Summary) -> Section:
    """The design, each session's machine, and the link as it was found."""
    blocks: list[Block] = [Points(tuple(_circumstances(found)))]
    if sessions := found.about.sessions:
        head = ("session", "machine", "started", "ended", "processors", "memory", "kernel")
        rows = tuple(tuple(_session(one)) for one in sessions)
        blocks += [Grid(head, rows, 4), Paragraph(versions(sessions))]
    measured = ("round trip asked for", "measured", "goodput", "lateness, p99", "processors busy")
    blocks.append(Grid(measured, tuple(_links(found))))
    return Section("How it was measured", tuple(blocks))


def _circumstances(found: Summary) -> Iterator[str]:
    about, uploads = found.about, found.uploads
    yield f"Study {about.sweep}; seed {about.design.seed}."
    yield f"Design: {_design(about.design)}."
    made = uploads[["index", "sitting"]].drop_duplicates()
    yield (
        f"Batches: {len(made):,} of {len(about.design.items()):,} planned, with "
        f"{count(len(uploads), 'upload')}, each of them read back; {len(about.failed):,} failed or "
        "disturbed."
    )
    yield from interruptions(about.interruptions)
    windows = [data_bytes(float(size)) for size in sorted(set(uploads["window"].dropna()))]
    yield (
        f"Congestion control: {listed(sorted(set(uploads['congestion'].dropna())))}; send buffers "
        f"of up to {listed(windows)}."
    )


def _design(design: Design) -> str:
    return (
        f"points {plain([str(point) for point in design.points])}; clients "
        f"{plain(design.clients)}; stores {plain(design.stores)}; link {design.rate / 1e6:g} "
        f"Mbit/s, loss {design.loss * 100:g} %, jitter {design.jitter * 1000:g} ms; uploads from a "
        f"{design.place}; pairs a batch {design.pairs}"
    )


def _session(one: MeasuredSession) -> Iterator[str]:
    yield str(one.get("session", "–"))
    yield str(one.get("machine", "–"))
    yield when(one.get("started"))
    yield when(one.get("ended"))
    yield str(one.get("processors", "–"))
    yield data_bytes(float(one.get("memory_bytes") or math.nan))
    yield str(one.get("kernel", "–"))


def _links(found: Summary) -> Iterator[tuple[str, ...]]:
    for _, rows in found.uploads.groupby("rtt"):
        median = rows[["link_rtt", "goodput", "late_p99_s", "busy"]].astype(float).median()
        yield (
            milliseconds(float(rows["rtt"].iloc[0])),
            f"{median['link_rtt'] * 1000:.1f}{SPACE}ms",
            f"{median['goodput'] * 8 / 1e6:.0f}{SPACE}Mbit/s",
            f"{median['late_p99_s'] * 1000:.2f}{SPACE}ms",
            percent(float(median["busy"])),
        )


# --- what the numbers must not be taken for


def _limits(found: Summary) -> Iterator[str]:
    if limited := [one for one in found.compared if one.limited]:
        yield (
            f"At {_points(limited)} the machine, without the link, takes half the link's limit or "
            "more: what is seen there is its processor, not the link, and nothing is said of the "
            "stores."
        )
    counted = [one for one in found.compared if not one.limited]
    if unclear := [one for one in counted if _says_little(one)]:
        yield (
            f"At {_points(unclear)} equivalence is not shown, and hardly could have been: pairs "
            "spread so much that equal stores would be called equivalent with a probability below "
            f"{100 * _POWER:g} %."
        )
    yield from _slower_machine(counted)
    yield (
        "Both stores are behind the same link of one machine, with all of its processors shared: a "
        "store on hardware of its own is not measured."
    )
    if found.uploads["sitting"].nunique() > 1:
        yield "Pairs are of one session each; another day may differ as sessions do."
    yield (
        "The link has no other traffic. Where it loses nothing, nothing is known of lossy ones; "
        "congestion control and buffers are this machine's."
    )


def _points(of: Sequence[Compared]) -> str:
    """How many, and of which sizes."""
    sizes = dict.fromkeys(one.point.what for one in of)
    return f"{count(len(of), 'point')} ({listed([*sizes])})"


def _says_little(one: Compared) -> bool:
    return any(one.verdict(of) == Verdict.OPEN and of.power < _POWER for of in one.tests.values())


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
    different = [one.verdict(of) == Verdict.DIFFERENT for of in (one.whole, one.transfer)]
    return different == [True, False]
