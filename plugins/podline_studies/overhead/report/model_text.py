"""A model of the overhead, how well it fits, and what it predicts."""

from __future__ import annotations

from collections.abc import Iterator

from podline_studies.overhead.analysis.cost_model import Costs, Forecast
from podline_studies.overhead.analysis.naming import cell_words, pipeline
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.reports.formatting import count, interval, listed, number, percent, seconds
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section

_FORM = (
    "Pipeline and notebook each take a fixed time, a time for each byte read and one for each "
    "weight; the overhead is the difference. The notebook's figure for a stage is its whole fixed "
    "part. Noise is taken to grow with the time, and each sitting to be faster or slower by a "
    "share of its own."
)
_RESIDUALS = Picture("residuals", "How far runs are from the model, over the model's time.")
_HELD_OUT = Picture(
    "held-out",
    "Shares as measured, over those predicted by a model fitted without their combination; "
    "bars hold 95 % of single runs.",
)


def model(found: Summary) -> Section:
    """Return the parameters of each pipeline's model, and how it fits."""
    rows = [
        (
            pipeline(one.pipeline), one.unit(term), interval(one.overhead(term), seconds),
            _beside_code(one, term), interval(one.baseline(term), seconds),
        )
        for one in found.costs for term in one.terms
    ]  # fmt: skip
    head = ("pipeline", "for", "overhead", "beside the code's own time", "notebook")
    unfitted = [
        Paragraph(f"{pipeline(one.pipeline)}: no model was fitted, since {one.reason}.")
        for one in found.unfitted
    ]
    title = "A model of it"
    if not rows:
        return Section(title, tuple(unfitted))
    grid, fits = Grid(head, tuple(rows), 2, "costs"), Points(tuple(map(_fit, found.costs)))
    return Section(title, (Paragraph(_FORM), grid, fits, _RESIDUALS, *unfitted))


def _beside_code(model: Costs, term: str) -> str:
    found = model.beside_code(term)
    return "–" if found is None else interval(found, seconds)


def _fit(model: Costs) -> str:
    runs, cells = count(model.runs, "run"), count(model.combinations, "combination")
    unknown = listed(model.by_parameter)
    stands = f" Its runs do not tell their {unknown}: parameters stand for them." if unknown else ""
    return f"{pipeline(model.pipeline)}, {runs} of {cells}: {_lack_of_fit(model)}.{stands}"


def _lack_of_fit(model: Costs) -> str:
    if model.regression.pooled:
        return "too few to see whether the form is right, so that intervals take it to be"
    lack = model.regression.lack_of_fit()
    if lack is None:
        return "each was measured once, so that noise and lack of fit are one"
    off, chance = lack
    if chance >= 0.05:
        return f"they are no further off the form than noise is (p = {number(chance)})"
    return (
        f"they are off the form by about {percent(off)}, more than by noise "
        f"(p = {number(chance)}), and intervals are the wider for it"
    )


def predictions(found: Summary) -> Section:
    """Return what runs will cost, and how such predictions did on combinations held out."""
    title = "What a run will cost"
    if not found.forecasts:
        return Section(title)
    rows = tuple((*cell_words(one.cell), *_shares(one)) for one in found.forecasts)
    head = ("pipeline", "data", "model", "share", "95 % CI", "95 % of single runs")
    return Section.of(
        title, Points(tuple(_examples(found))), Grid(head, rows, 1, "predictions"),
        Paragraph(_check(found)), _HELD_OUT if "predicted" in _tested(found) else None,
    )  # fmt: skip


def _shares(found: Forecast) -> tuple[str, str, str]:
    ratio, single = found.prediction.ratio, found.prediction.single
    return (
        percent(ratio.value - 1),
        f"{percent(ratio.low - 1)} to {percent(ratio.high - 1)}",
        f"{percent(single.low - 1)} to {percent(single.high - 1)}",
    )


def _examples(found: Summary) -> Iterator[str]:
    """A sentence for each pipeline, of the middle of its sizes."""
    for one in found.costs:
        known = [f for f in found.forecasts if f.cell.pipeline == one.pipeline]
        if known:
            middle = known[len(known) // 2]
            _, data, weights = cell_words(middle.cell)
            share, whole, single = _shares(middle)
            yield (
                f"{pipeline(one.pipeline)}: with data of size {data} and a model of size {weights} "
                f"a run will cost {share} more than the notebook alone (95 % CI {whole}; a single "
                f"run {single})."
            )


def _tested(found: Summary) -> dict[str, int]:
    """How many runs were predicted from other combinations, lie inside, and were not predicted."""
    if not len(found.held_out):
        return {}
    known = found.held_out["predicted"].notna()
    inside = int(found.held_out.loc[known, "inside"].sum())
    counted = {"predicted": int(known.sum()), "inside": inside, "left": int((~known).sum())}
    return counted if counted["predicted"] else {}


def _check(found: Summary) -> str:
    tested = _tested(found)
    if not tested:
        return "No combination could be held out of the fit, so that predictions are not checked."
    left = f"; {count(tested['left'], 'run')} could not be predicted without their combination"
    return (
        f"Checked on combinations held out of the fit, one at a time: {tested['inside']} of "
        f"{count(tested['predicted'], 'run')} ({percent(tested['inside'] / tested['predicted'])}) "
        "lie inside the interval that was predicted for a single run"
        f"{left if tested['left'] else ''}."
    )
