"""What ratios of times say, by the means of visits, and corrected for how many are asked.

The pairs of a visit share what was so at that time, and are not independent; visits are. So a ratio
is Student's t on the means of its visits' logarithms; over several points, which are chosen and no
sample, on what visits are off their point's mean. Of a family of tests, S. Holm's correction
("A simple sequentially rejective multiple test procedure", 1979) keeps the probability that any of
them errs below 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from podline_studies.reports.equivalence import ERROR, MARGIN, Equivalence, equivalence

STRICT = 0.05  # the narrower margin, which is told beside
POWER = 0.9  # that equal stores are called equivalent; below it, "not shown" says little


class Verdict(StrEnum):
    """What a ratio says of two stores."""

    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    OPEN = "not shown"
    LIMITED = "limited by a store's own speed"
    FEW = "too few visits"


@dataclass(frozen=True)
class Assessed:
    """What the means of visits say of a ratio, alone.

    Attributes:
        found: the ratio with its intervals, and whether it is within `MARGIN`; its n are visits.
        strict: the same within `STRICT`.
        p: of no difference; None: too few visits.
        limited: whether a store's own speed is the limit, so that it says nothing of the way there.
    """

    found: Equivalence
    strict: Equivalence
    p: float | None
    limited: bool = False


@dataclass(frozen=True)
class Judged(Assessed):
    """The same as one of a family.

    Attributes:
        verdict: by `MARGIN`; `strict_verdict`: by `STRICT`.
        differs: whether no difference is refuted, be it within a margin or not.
    """

    verdict: Verdict = Verdict.FEW
    strict_verdict: Verdict = Verdict.FEW
    differs: bool = False

    @property
    def unclear(self) -> bool:
        """Whether equivalence is not shown, and hardly could have been."""
        return self.verdict is Verdict.OPEN and self.found.power < POWER


def assessed(
    logs: Sequence[float], limited: bool = False, points: Sequence[object] | None = None
) -> Assessed:
    """Test a ratio.

    Args:
        logs: the mean logarithm of each visit's ratios; NaN are left out.
        limited: whether a store's own speed is the limit.
        points: the point of each visit; None: all are of one.
    """
    known = [place for place, value in enumerate(logs) if math.isfinite(value)]
    ratios, ones = np.exp([logs[place] for place in known]).tolist(), [1.0] * len(known)
    of = ones if points is None else [points[place] for place in known]
    wide, strict = (equivalence(ratios, ones, of, margin=margin) for margin in (MARGIN, STRICT))
    return Assessed(wide, strict, _p_none(wide), limited)


def judged(family: Sequence[Assessed]) -> list[Judged]:
    """Judge ratios that answer one question; those that say nothing are no part of the family."""
    asked = [one for one in family if one.p is not None and not one.limited]
    different = dict(zip(map(id, asked), holm([one.p or 0.0 for one in asked]), strict=True))
    within = {
        margin: dict(zip(map(id, asked), holm([_p(one, margin) for one in asked]), strict=True))
        for margin in (MARGIN, STRICT)
    }

    def verdict(one: Assessed, margin: float) -> Verdict:
        if one.limited:
            return Verdict.LIMITED
        if one.p is None:
            return Verdict.FEW
        if within[margin][id(one)] < ERROR:
            return Verdict.EQUIVALENT
        return Verdict.DIFFERENT if different[id(one)] < ERROR else Verdict.OPEN

    return [
        Judged(
            one.found,
            one.strict,
            one.p,
            one.limited,
            verdict(one, MARGIN),
            verdict(one, STRICT),
            different.get(id(one), 1.0) < ERROR,
        )
        for one in family
    ]


def holm(ps: Sequence[float]) -> list[float]:
    """Return the p values of a family of tests, corrected for their number."""
    order = sorted(range(len(ps)), key=ps.__getitem__)
    found = dict(zip(order, _stepped([ps[place] for place in order]), strict=True))
    return [found[place] for place in range(len(ps))]


def _stepped(ps: Sequence[float]) -> Iterator[float]:
    """Of p values in order: none is below the one before it."""
    last = 0.0
    for place, p in enumerate(ps):
        last = max(last, min(1.0, (len(ps) - place) * p))
        yield last


def _p_none(of: Equivalence) -> float | None:
    """Of no difference, by the two-sided test; None: too few visits."""
    if of.p is None:
        return None
    if not of.spread:
        return float(of.ratio == 1)
    return 2 * float(stats.t.sf(abs(math.log(of.ratio)) * math.sqrt(of.n) / of.spread, of.free))


def _p(one: Assessed, margin: float) -> float:
    of = one.found if margin == MARGIN else one.strict
    return 1.0 if of.p is None else of.p
