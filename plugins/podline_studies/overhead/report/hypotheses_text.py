"""The thesis' claims, and what was found of each."""

from __future__ import annotations

from podline_studies.overhead.analysis.hypotheses import Claim, Verdict
from podline_studies.overhead.analysis.naming import pipeline
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.reports.formatting import estimate, number
from podline_studies.reports.sections import Grid, Paragraph, Points, Section

_CLAIMS = {
    "exists": "There is an overhead",
    "falls": "Its share falls as data grows",
    "training": "Training takes most of the computing",
}
_EFFECTS = {
    "exists": "the pipeline's time over the notebook's",
    "falls": "that ratio at ten times the data, over itself,",
    "training": "training's time over all other code's",
}
_PARTS = {"exists": "combinations", "falls": "model sizes", "training": "combinations"}
_TEST = (
    "A repeat of the design gives one value of the effect, a ratio; a claim is shown, or refuted, "
    "where the 95 % interval over repeats lies wholly on one side of 1. The last column counts "
    "combinations of sizes, of the second claim model sizes. Each test is for itself: of twenty "
    "intervals, one may miss."
)


def claims(found: Summary) -> Section:
    """Return the verdict on each claim for each pipeline, with its effect."""
    title = "Three claims, tested"
    if not found.claims:
        return Section(title)
    ordered = sorted(found.claims, key=lambda claim: [*_CLAIMS].index(claim.claim))
    rows = tuple(
        (
            _CLAIMS[one.claim], pipeline(one.pipeline), one.verdict.value, str(one.effect.n),
            estimate(one.effect, number), f"{one.holding} of {one.combinations}",
        )
        for one in ordered
    )  # fmt: skip
    head = ("claim", "pipeline", "verdict", "repeats", "effect", "shown in")
    texts = tuple(map(_verdict, ordered))
    return Section(title, (Points(texts), Grid(head, rows, 3, "claims"), Paragraph(_TEST)))


def _verdict(claim: Claim) -> str:
    name = f"{_CLAIMS[claim.claim]} ({pipeline(claim.pipeline)}): {claim.verdict.value}"
    if claim.verdict is Verdict.UNTESTED:
        return f"{name}, since {claim.reason}."
    alone = f"{claim.holding} of {claim.combinations} {_PARTS[claim.claim]} show it by themselves"
    return f"{name}; {_EFFECTS[claim.claim]} is {estimate(claim.effect, number)}. {alone}."
