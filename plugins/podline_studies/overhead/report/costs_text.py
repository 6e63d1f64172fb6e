"""What a run costs, where it goes, and what podline's operator saves."""

from __future__ import annotations

from collections.abc import Iterator

from podline_studies.overhead.analysis import tables
from podline_studies.overhead.analysis.cost_model import Costs
from podline_studies.overhead.analysis.hypotheses import Claim
from podline_studies.overhead.analysis.naming import cell_words, pipeline
from podline_studies.overhead.analysis.pairs import PARTS, by_pipeline
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.reports.estimates import LEAST
from podline_studies.reports.formatting import (
    count,
    estimate,
    interval,
    listed,
    number,
    percent,
    seconds,
)
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section

_DEFINITIONS = (
    "The overhead of a run is its wall time less that of the whole notebook, run in one process at "
    "the same sizes, in the same repeat and sitting; its share is of the latter. Intervals are of "
    f"95 %, by Student's t over repeats, and given from {LEAST} repeats on; with fewer, each value "
    "is listed. Means of times and ratios are geometric, where values are positive and close."
)
_PARTS = (
    "Mean seconds, which add up: Kubernetes (scheduling, pulling, starting), transfer (fetching, "
    "loading, dumping, storing), libraries (imports beyond the notebook's own), the pipeline (all "
    "else within and between tasks), and a residual: the difference of the code itself, less "
    "what the notebook's own process takes to start."
)
_STAGES = (
    "By stage, in the mean over all runs and sizes: the time before it, Kubernetes, transfer, "
    "libraries, its own code, the rest, and all of it."
)
_COLUMNS = ("between", "kubernetes", "transfer", "libraries", "own", "rest", "total")
_CODE = (
    "The code itself should take as long in either, so that its difference is mostly noise: "
    "beside it the overhead is known best. The last column is the ratio of the code's time in the "
    "pipeline to that in the notebook: well above 1, the pipeline had less of the machine; well "
    "below, more."
)
_SHARE_PICTURE = Picture(
    "share",
    "Overhead as a share of the notebook's own time, over the data size, on logarithmic axes. "
    "Dots are runs, lines means, bands 95 % intervals. Each panel has a scale of its own.",
)
_PARTS_PICTURE = Picture(
    "parts", "Parts of the overhead, by combination. Each panel has a scale of its own."
)
_STOCK_PICTURE = Picture(
    "stock", "Overhead with either operator: means with 95 % intervals; grey dots are runs."
)


def headlines(found: Summary) -> Section:
    """Return the most important findings, and what the words mean."""
    return Section("", (Points(tuple(_headlines(found))), Paragraph(_DEFINITIONS)))


def _headlines(found: Summary) -> Iterator[str]:
    if not len(found.runs):
        yield "Nothing was measured."
    elif not found.combinations:
        yield (
            "Nothing can be compared: no run succeeded at a size, repeat and sitting at which the "
            "whole notebook did."
        )
    for claim in found.claims:
        if claim.claim == "exists":
            yield _on_average(found, claim)


def _on_average(found: Summary, claim: Claim) -> str:
    of = [one.share.mean for one in found.combinations if one.cell.pipeline == claim.pipeline]
    effect = claim.effect.map(lambda ratio: ratio - 1)
    spread = f", {percent(min(of))} to {percent(max(of))} by size" if len(of) > 1 else ""
    return (
        f"{pipeline(claim.pipeline)} took {estimate(effect, percent)} longer than the notebook "
        f"alone, in the mean over {count(len(of), 'combination')} of sizes{spread}."
        f"{''.join(_in_terms(model) for model in found.costs if model.pipeline == claim.pipeline)}"
    )


def _in_terms(model: Costs) -> str:
    terms = [
        f"{interval(model.overhead(term), seconds)} for {model.unit(term)}" for term in model.terms
    ]
    return f" That is about {listed(terms)}."


def overheads(found: Summary) -> Section:
    """Return a row a combination: its overhead and share."""
    rows = [
        (
            *cell_words(one.cell), str(one.n), seconds(one.baseline.median),
            estimate(one.overhead, seconds), seconds(one.overhead.median),
            estimate(one.share, percent), percent(one.share.median),
            estimate(one.beside_code, seconds), estimate(one.code_ratio, number),
        )
        for one in found.combinations
    ]  # fmt: skip
    head = (
        "pipeline", "data", "model", "n", "notebook, median", "overhead, mean", "median",
        "share, mean", "median", "overhead beside the code", "code's time, a ratio",
    )  # fmt: skip
    title, grid = "What a run costs", Grid(head, tuple(rows), 1, "combinations")
    if not rows:
        return Section(title)
    sized = bool(found.pairs["data"].notna().any())
    return Section.of(title, _SHARE_PICTURE if sized else None, grid, Paragraph(_CODE))


def parts(found: Summary) -> Section:
    """Return a row a combination: the parts of its overhead."""
    rows = [
        (
            *cell_words(one.cell), *(seconds(one.parts[part]) for part in PARTS),
            seconds(sum(one.parts.values())),
        )
        for one in found.combinations
    ]  # fmt: skip
    title, head = "Where it goes", ("pipeline", "data", "model", *PARTS, "overhead")
    if not rows:
        return Section(title)
    grid, each = Grid(head, tuple(rows), 1, "parts"), _stages(found)
    why = Paragraph(_STAGES) if each else None
    return Section.of(title, Paragraph(_PARTS), _PARTS_PICTURE, grid, why, each)


def _stages(found: Summary) -> Grid | None:
    """A row a stage of a pipeline: where its seconds go."""
    if found.stages.empty:
        return None
    rows = tuple(
        (pipeline(of), str(row["stage"]), *(seconds(row[f"{name}_s"]) for name in _COLUMNS))
        for of, table in by_pipeline(tables.stages(found.stages))
        for _, row in table.iterrows()
    )
    return Grid(("pipeline", "stage", *_COLUMNS), rows, 2, "stages")


def operators(found: Summary) -> Section:
    """Return a row a combination: podline's operator beside Airflow's."""
    rows = [
        (
            one.cell.notebook, *cell_words(one.cell)[1:], str(one.saved.n),
            seconds(one.ours.median), seconds(one.stock.median), estimate(one.saved, seconds),
            estimate(one.ratio, number),
        )
        for one in found.operators
    ]  # fmt: skip
    title = "podline's operator and Airflow's own"
    if not rows:
        return Section(title)
    head = (
        "notebook", "data", "model", "n", "podline, median", "Airflow, median", "saved, mean",
        "ratio",
    )  # fmt: skip
    mean = sum(one.saved.mean for one in found.operators) / len(rows)
    text = (
        "The same stages as pods, by podline's operator and by a plain KubernetesPodOperator. "
        f"podline's takes {seconds(mean)} less in the mean over {count(len(rows), 'combination')}."
    )
    drawn = len(tables.stock(found.pairs, found.combinations)) > 0
    grid = Grid(head, tuple(rows), 1, "operators")
    return Section.of(title, Paragraph(text), _STOCK_PICTURE if drawn else None, grid)
