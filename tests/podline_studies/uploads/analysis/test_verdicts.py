"""What ratios say where the truth is known: intervals cover, and verdicts seldom err."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from podline_studies.uploads.analysis.verdicts import Assessed, Verdict, assessed, holm, judged

SIMULATIONS = 1000
EFFECTS = (1.0, 1.05, 1.10)
# Visits, pairs of each; the spread of a visit's ratio, and of a pair's within it.
STUDIES = {"five visits": (5, 3, 0.02, 0.03), "four of one pair": (4, 1, 0.01, 0.03)}
# A machine slows by 11 % an hour; a pair's uploads are a minute from each other, in either order.
DRIFT = math.log(1.11) / 60


def simulated(
    rng: np.random.Generator, ratio: float, study: str, uneven: bool = False
) -> list[float]:
    """The means of a point's visits.

    Args:
        rng: the source of chance.
        ratio: the true one.
        study: of `STUDIES`.
        uneven: whether visits spread up to three times as much as others.
    """
    visits, pairs, between, within = STUDIES[study]
    scale = rng.uniform(0.5, 1.5, visits) if uneven else np.ones(visits)
    means = math.log(ratio) + rng.normal(0, between, visits) * scale
    noise = rng.normal(0, within, (visits, pairs)) * scale[:, None]
    order = rng.choice([-1, 1], (visits, pairs)) * DRIFT
    return [float(mean) for mean in means + (noise + order).mean(axis=1)]


def is_seldom(errors: list[bool]) -> bool:
    """Whether they are no more than 5 %, as far as so many simulations can tell."""
    return float(stats.binomtest(sum(errors), len(errors), 0.05, "greater").pvalue) > 0.05


def many(ratio: float, study: str, uneven: bool) -> Iterator[Assessed]:
    rng = np.random.default_rng(int(ratio * 100) + uneven)
    for _ in range(SIMULATIONS):
        yield assessed(simulated(rng, ratio, study, uneven))


@pytest.mark.slow
@pytest.mark.parametrize("uneven", [False, True], ids=["even", "heteroscedastic"])
@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ratio", EFFECTS)
def test_intervals_cover_and_what_is_at_the_margin_is_seldom_equivalent(
    ratio: float, study: str, uneven: bool
) -> None:
    found = list(many(ratio, study, uneven))
    covered = [one.found.low <= ratio <= one.found.high for one in found]  # type: ignore[operator]
    assert 0.93 <= np.mean(covered) <= 0.97
    if ratio == 1.10:
        assert is_seldom([one.found.equivalent for one in found])
    if ratio == 1.05:
        assert is_seldom([one.strict.equivalent for one in found])


@pytest.mark.slow
@pytest.mark.parametrize("ratio", EFFECTS)
def test_a_mean_over_chosen_points_covers_however_they_differ(ratio: float) -> None:
    """Twelve points, each with an effect and a spread of its own, four visits of each."""
    rng = np.random.default_rng(int(ratio * 100))
    effects, spreads = rng.normal(0, 0.05, 12), rng.uniform(0.5, 1.5, 12) * 0.05
    effects -= effects.mean()
    points = [str(point) for point in range(12) for _ in range(4)]
    found = [
        assessed(
            (
                math.log(ratio) + np.repeat(effects, 4) + rng.normal(0, np.repeat(spreads, 4))
            ).tolist(),
            points=points,
        )
        for _ in range(SIMULATIONS)
    ]
    covered = [one.found.low <= ratio <= one.found.high for one in found]  # type: ignore[operator]
    assert 0.93 <= np.mean(covered) <= 0.97
    if ratio == 1.10:
        assert is_seldom([one.found.equivalent for one in found])
    if ratio == 1.0:
        assert is_seldom([(one.p or 0.0) < 0.05 for one in found])


@pytest.mark.slow
def test_pairs_of_one_visit_are_no_evidence_of_others() -> None:
    """What they were taken for: fifteen of their own. Their intervals are too narrow by far."""
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(SIMULATIONS):
        visits = rng.normal(0, 0.03, 5)
        found = assessed((np.repeat(visits, 3) + rng.normal(0, 0.01, 15)).tolist()).found
        covered.append(found.low <= 1 <= found.high)  # type: ignore[operator]
    assert np.mean(covered) < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.10, 1 / 1.10])
def test_a_family_at_the_margin_seldom_has_one_that_is_called_equivalent(ratio: float) -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(200):
        family = [assessed(simulated(rng, ratio, "five visits")) for _ in range(10)]
        wrong += any(one.verdict is Verdict.EQUIVALENT for one in judged(family))
    assert wrong / 200 <= 0.05  # they were 3 and 5 %


@pytest.mark.slow
def test_a_family_of_equal_ones_seldom_has_one_that_is_called_different() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        family = [assessed(simulated(rng, 1.0, "five visits")) for _ in range(10)]
        wrong += any(one.verdict is Verdict.DIFFERENT for one in judged(family))
    assert wrong / 200 <= 0.05


def test_holms_correction_by_hand() -> None:
    """Of four: 0.01 by 4, 0.02 by 3, 0.03 by 2, 0.9 by 1; none is below the one before it."""
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([]) == []
    assert holm([0.7, 0.8]) == [1.0, 1.0]


def test_a_ratio_that_alone_would_be_equivalent_is_not_among_many() -> None:
    rng = np.random.default_rng(4)
    one = assessed(rng.normal(0, 0.06, 5).tolist())
    assert one.found.equivalent
    unclear = assessed(rng.normal(0, 0.3, 5).tolist())
    assert judged([one])[0].verdict is Verdict.EQUIVALENT
    assert judged([one, *[unclear] * 30])[0].verdict is Verdict.OPEN
    limited = assessed([0.5] * 5, limited=True)
    assert judged([one, *[limited] * 30])[0].verdict is Verdict.EQUIVALENT


def test_few_visits_say_nothing_and_count_for_nothing() -> None:
    few, many = assessed([0.0, 0.01]), assessed([0.0, 0.01, 0.005, -0.01, 0.0])
    found = judged([few, many])
    assert [one.verdict for one in found] == [Verdict.FEW, Verdict.EQUIVALENT]
    assert few.found.ratio == pytest.approx(math.exp(0.005))
    assert assessed([]).p is None
    assert assessed([math.nan] * 5).found.n == 0


def test_the_narrower_margin_is_told_beside() -> None:
    near = [math.log(1.06) + noise for noise in (0.001, -0.001, 0.0005, -0.0005)]
    (found,) = judged([assessed(near)])
    assert (found.verdict, found.strict_verdict) == (Verdict.EQUIVALENT, Verdict.DIFFERENT)
    assert found.differs


def test_ratios_that_are_all_the_same() -> None:
    same, other = judged([assessed([0.0] * 4), assessed([0.2] * 4)])
    assert same.verdict is Verdict.EQUIVALENT
    assert other.verdict is Verdict.DIFFERENT
