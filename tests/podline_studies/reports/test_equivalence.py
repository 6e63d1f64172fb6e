"""Equivalence is shown where there is, and seldom where there is none."""

import math

import numpy as np
import pytest

from podline_studies.reports.equivalence import Equivalence, equivalence

SIMULATIONS = 1000
USED = [(30, 0.13), (10, 0.04), (5, 0.02)]  # pairs, and what they spread


def simulated(rng: np.random.Generator, ratio: float, n: int, spread: float) -> Equivalence:
    """Pairs in two sessions, each with a pace of its own for both."""
    sessions = np.arange(n) % 2
    pace = rng.normal(0, 0.3, 2)[sessions]
    first = np.exp(pace + math.log(ratio) + rng.normal(0, spread / math.sqrt(2), n))
    second = np.exp(pace + rng.normal(0, spread / math.sqrt(2), n))
    return equivalence(first.tolist(), second.tolist(), sessions.tolist())


@pytest.mark.parametrize(("n", "spread"), USED)
def test_equal_ones_are_judged_equivalent(n: int, spread: float) -> None:
    rng = np.random.default_rng(n)
    found = [simulated(rng, 1.0, n, spread).equivalent for _ in range(SIMULATIONS)]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize(("n", "spread"), USED)
@pytest.mark.parametrize("ratio", [1.15, 1 / 1.15])
def test_a_ratio_of_115_is_seldom_judged_equivalent(n: int, spread: float, ratio: float) -> None:
    rng = np.random.default_rng(n)
    found = [simulated(rng, ratio, n, spread).equivalent for _ in range(SIMULATIONS)]
    assert np.mean(found) <= 0.05


@pytest.mark.parametrize(("n", "spread"), USED)
def test_the_intervals_cover(n: int, spread: float) -> None:
    rng = np.random.default_rng(n)
    covered = []
    for _ in range(SIMULATIONS):
        found = simulated(rng, 1.07, n, spread)
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= 1.07 <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize(("n", "spread"), [(30, 0.01), (30, 0.15), (10, 0.1), (5, 0.05)])
def test_the_power_is_how_often_equal_ones_are_judged_equivalent(n: int, spread: float) -> None:
    rng = np.random.default_rng(n)
    found = [simulated(rng, 1.0, n, spread) for _ in range(SIMULATIONS)]
    share = np.mean([one.equivalent for one in found])
    assert np.median([one.power for one in found]) == pytest.approx(share, abs=0.1)


def test_a_known_case() -> None:
    """By hand: logarithms 0.00, 0.02, 0.04, 0.02; t of 3 at 95 % is 2.353."""
    first = [math.exp(x) for x in (0.00, 0.02, 0.04, 0.02)]
    found = equivalence(first, [1.0] * 4, [1] * 4)
    error = math.sqrt(0.0008 / 3) / 2
    assert found.ratio == pytest.approx(math.exp(0.02))
    assert found.inner_high == pytest.approx(math.exp(0.02 + 2.3534 * error), rel=1e-4)
    assert found.equivalent
    assert not found.different


def test_another_margin() -> None:
    first = [1.06, 1.061, 1.059, 1.06, 1.062]
    wide, narrow = (equivalence(first, [1.0] * 5, [1] * 5, margin=m) for m in (0.1, 0.05))
    assert (wide.equivalent, narrow.equivalent) == (True, False)
    assert wide.low == narrow.low
    assert wide.power > narrow.power  # to show that equal ones are within so little


def test_what_differs_is_shown_to_differ() -> None:
    found = equivalence([1.5, 1.51, 1.49, 1.5, 1.52], [1.0] * 5, [1] * 5)
    assert found.different
    assert not found.equivalent


@pytest.mark.parametrize("low", [0.90, 0.915])
def test_a_difference_of_about_the_margin_that_is_known_well_is_one(low: float) -> None:
    """Not equivalent, and not equal either: more pairs would not change that."""
    rng = np.random.default_rng(0)
    found = simulated(rng, low, 30, 0.02)
    assert found.power == pytest.approx(1.0, abs=0.01)
    assert found.different is not found.equivalent


def test_what_is_known_badly_is_neither() -> None:
    found = simulated(np.random.default_rng(0), 1.0, 5, 0.5)
    assert not found.different
    assert not found.equivalent


def test_too_few_pairs_show_nothing() -> None:
    for n in (0, 1, 3):
        found = equivalence([1.0] * n, [1.0] * n, [1] * n)
        assert (found.n, found.p, found.low, found.equivalent) == (n, None, None, False)
        assert found.power == 0
    assert not equivalence([1.0] * 4, [1.0] * 4, [1, 2, 3, 4]).equivalent  # a block each


def test_pairs_that_are_none() -> None:
    with pytest.raises(ValueError, match="pairs have two times"):
        equivalence([1.0], [1.0, 2.0], [1])
    with pytest.raises(ValueError, match="a time is not positive"):
        equivalence([1.0], [0.0], [1])
