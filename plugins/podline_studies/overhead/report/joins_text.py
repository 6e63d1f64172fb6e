"""Advice which stages to join, and how a join that was made did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podline_studies.overhead.analysis.join_advice import Join, Joined
from podline_studies.overhead.analysis.naming import cell_words, pipeline
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.reports.estimates import Estimate
from podline_studies.reports.formatting import count, estimate, listed, seconds
from podline_studies.reports.sections import Block, Grid, Paragraph, Points, Section

_WHY = (
    "Joining two neighbouring stages saves the second's start, what is stored for it alone, "
    "fetching and loading, and the imports that both have. It is advised where that is surely "
    "more than what the shorter of the two computes. Limits, images and retries of their own may "
    "speak against it."
)
_NONE = "No two neighbouring stages are worth joining for time alone."

_JOIN = ("pipeline", "data", "model", "stages", "n", "saving", "shorter's own work", "advised")
_JOINED = (
    "pipeline", "data", "model", "n", "saving predicted", "measured", "measured, beside the code",
)  # fmt: skip


def advice(found: Summary) -> Section:
    """Return which stages to join, with the seconds saved, as predicted and as measured."""
    blocks: list[Block] = []
    if found.joins:
        grid = Grid(_JOIN, tuple(map(_join, found.joins)), 1, "joins")
        blocks += [Paragraph(_WHY), Points(tuple(_advised(found)) or (_NONE,)), grid]
    if found.joined:
        rows = tuple(map(_joined, found.joined))
        blocks += [Paragraph(_on_average(found.joined)), Grid(_JOINED, rows, 1, "joined")]
    return Section("Advice: stages to join", tuple(blocks))


def _advised(found: Summary) -> Iterator[str]:
    """A sentence for each two stages of a pipeline."""
    for of, pair in dict.fromkeys((join.cell.pipeline, join.stages) for join in found.joins):
        tried = [join for join in found.joins if (join.cell.pipeline, join.stages) == (of, pair)]
        savings = [join.saving.mean for join in tried if join.advised]
        if savings:
            yield (
                f"{pipeline(of)}: join {listed(pair)}, which saves {seconds(min(savings))} to "
                f"{seconds(max(savings))}, at {len(savings)} of {count(len(tried), 'combination')}."
            )


def _join(join: Join) -> tuple[str, ...]:
    return (
        *cell_words(join.cell), listed(join.stages), str(join.saving.n),
        estimate(join.saving, seconds), seconds(join.own), "yes" if join.advised else "no",
    )  # fmt: skip


def _joined(join: Joined) -> tuple[str, ...]:
    return (
        *cell_words(join.cell), str(join.measured.n),
        "–" if join.predicted is None else estimate(join.predicted, seconds),
        estimate(join.measured, seconds), estimate(join.beside_code, seconds),
    )  # fmt: skip


def _on_average(joined: list[Joined]) -> str:
    known = [join for join in joined if join.predicted is not None]
    first = joined[0]
    text = f"{listed(first.stages).capitalize()} were joined, as {first.notebook}, and measured. "
    if not known:
        return text + "The stages' records do not tell what was to be expected."
    return text + (
        f"In the mean over {count(len(known), 'combination')} the saving predicted is "
        f"{_mean(join.predicted for join in known)}; measured, {_mean(j.measured for j in known)}, "
        f"and {_mean(join.beside_code for join in known)} beside the code's own time, whose noise "
        "is none of the join's."
    )


def _mean(estimates: Iterable[Estimate | None]) -> str:
    means = [one.mean for one in estimates if one is not None]
    return seconds(sum(means) / len(means))
