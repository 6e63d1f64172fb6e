"""How the study was measured, and what it therefore cannot claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podline_studies.overhead.analysis.naming import cell_words
from podline_studies.overhead.analysis.pairs import BASELINE
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.reports.estimates import LEAST
from podline_studies.reports.formatting import count, data_bytes, listed, size
from podline_studies.reports.provenance import interruptions, plain, versions, when
from podline_studies.reports.sections import Block, Grid, Paragraph, Points, Section


def measured(found: Summary) -> Section:
    """Return the section on how it was measured: runs, seed, machines, versions, interruptions."""
    sittings = list(found.about.get("sittings") or ())
    blocks: list[Block] = [Points(tuple(_design(found)))]
    if sittings:
        rows = tuple(_sitting(sitting, found) for sitting in sittings)
        head = ("sitting", "machine", "started", "ended", "processors", "memory", "kernel", "runs")
        blocks.append(Grid(head, rows, 4))
        blocks.append(Paragraph(versions(sittings)))
    return Section("How it was measured", tuple(blocks))


def _design(found: Summary) -> Iterator[str]:
    about, counts = found.about, found.counts
    planned, seed = about.get("planned"), about.get("seed", "not given")
    yield f"Study {about.get('sweep', 'without a name')}; seed {seed}."
    if design := about.get("design"):
        yield f"Design: {'; '.join(f'{name} {plain(of)}' for name, of in design.items())}."
    yield (
        f"{count(counts.rows, 'run')} measured"
        + (f", of {planned:,} planned" if planned is not None else "")
        + f": {counts.baselines} of the whole notebook, {counts.paired} compared with one, "
        f"{counts.unpaired} without one to compare with, {counts.failed} failed, "
        f"{counts.warmups} to warm up, which are left out"
        + (f", {counts.repeated} measured again later." if counts.repeated else ".")
    )
    yield from interruptions(about)
    if "test" in set(found.runs["way"]):
        yield ("Runs by dags test had no scheduler: they are never compared with others.")


def _sitting(sitting: Mapping[str, Any], found: Summary) -> tuple[str, ...]:
    runs = int((found.runs["sitting"] == sitting.get("sitting")).sum())
    memory = sitting.get("memory_bytes")
    return (
        str(sitting.get("sitting", "–")), str(sitting.get("machine", "–")),
        when(sitting.get("started")), when(sitting.get("ended")),
        str(sitting.get("processors", "–")), "–" if memory is None else data_bytes(float(memory)),
        str(sitting.get("kernel", "–")), str(runs),
    )  # fmt: skip


def failures(found: Summary) -> Section:
    """Return the section on runs that failed; without blocks if none did."""
    rows = [
        (*cell_words(one.cell), str(one.runs), one.reason or "no reason is known")
        for one in found.failures
    ]
    told = [f"{plain(one)}." for one in found.about.get("failed") or ()]
    blocks: list[Block] = []
    if rows:
        head = ("pipeline", "data", "model", "runs", "the last one's reason")
        blocks.append(Grid(head, tuple(rows), 1, "failures"))
    if told:
        blocks.append(Points(tuple(told)))
    return Section("What failed", tuple(blocks))


def limits(found: Summary) -> Section:
    """Return the section on what cannot be claimed."""
    return Section("What cannot be claimed", (Points(tuple(_limits(found))),))


def _limits(found: Summary) -> Iterator[str]:
    machines = {str(one.get("machine")) for one in found.about.get("sittings") or ()}
    where = listed(sorted(machines)) or "a machine of which nothing is known"
    yield (
        f"It was measured on {where}, one run at a time: elsewhere, and beside other runs, seconds "
        "differ."
    )
    notebooks = sorted(set(found.runs["notebook"]))
    if notebooks:
        yield f"It is about {listed(notebooks)}: another notebook has another share of code."
    for name in ("data", "model"):
        sizes = sorted(set(found.pairs[name].dropna()))
        if len(sizes) > 1:
            ends = f"{size(sizes[0])} to {size(sizes[-1])}"
            yield f"Sizes of {name} lie from {ends}; beyond, nothing is known."
        elif len(found.pairs):
            yield f"One {name} size only was measured: nothing is known of how it counts."
    missing = [name for name in (BASELINE, "process", "kubernetes", "stock")
               if name not in set(found.runs["backend"])]  # fmt: skip
    if missing:
        yield f"Not measured: {', '.join(missing)}; nothing is compared with it."
    few = sum(one.n < LEAST for one in found.combinations)
    if few:
        yield f"{count(few, 'combination')} with fewer than {LEAST} runs have no interval."
    if found.counts.failed:
        yield "Runs that failed count nowhere else: if long ones fail more, means are too low."
    if found.runs["sitting"].nunique() > 1:
        yield "Comparisons are within a sitting: another day may differ as sittings do."
