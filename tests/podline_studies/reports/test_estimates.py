"""Estimates against cases whose answer is known."""

import math

import numpy as np
import pytest
from scipy import stats

from podline_studies.reports.estimates import (
    Array,
    Estimate,
    arithmetic,
    contrast,
    difference,
    geometric,
    slope_weights,
)

SIMULATIONS = 1000
N = 8


def holds(estimate: Estimate, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def lognormal(seed: int, sd: float, *shape: int) -> Array:
    random = np.random.default_rng([seed, int(100 * sd)])
    return np.exp(sd * random.standard_normal(shape))


def test_students_t_interval() -> None:
    # W. S. Gosset 1908, "The probable error of a mean": hours of sleep that a drug brings; these
    # numbers are R's, of t.test(sleep$extra[11:20]).
    found = arithmetic([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    assert (found.n, found.mean, found.median) == (10, pytest.approx(2.33), pytest.approx(1.75))
    assert (found.low, found.high) == pytest.approx((0.8976775, 3.7623225), abs=1e-6)


def test_five_values_are_too_few_for_an_interval() -> None:
    found = arithmetic(range(5))
    assert (found.mean, found.low, found.high) == (2.0, None, None)
    assert found.values == (0, 1, 2, 3, 4)


def test_a_session_of_another_level_makes_no_interval_wider() -> None:
    apart = arithmetic([1, 2, 3, 1, 2, 3, 12], "aaaaaab")
    assert (apart.n, apart.mean) == (7, pytest.approx(24 / 7))
    # Of two sessions one value more is needed.
    assert arithmetic([1, 2, 3, 1, 2, 13], "aaaaab").low is None
    reach = stats.t.ppf(0.975, 5) * math.sqrt(4 / 5 / 7)
    assert apart.low == pytest.approx(24 / 7 - reach)


def test_unknown_values_are_left_out_and_none_is_no_number() -> None:
    assert arithmetic([1.0, math.nan]).values == (1.0,)
    none = arithmetic([])
    assert none.n == 0
    assert math.isnan(none.mean)
    assert math.isnan(none.median)


def test_ratios_are_estimated_on_logarithms() -> None:
    found = geometric([0.5, 2.0] * 4)
    assert found.mean == pytest.approx(1)
    assert found.low is not None
    assert found.high == pytest.approx(1 / found.low)
    share = found.map(lambda ratio: ratio - 1)
    assert share.values == pytest.approx((-0.5, 1.0) * 4)
    with pytest.raises(ValueError, match="expected a positive input|math domain error"):
        geometric([1.0, 0.0])


def test_a_difference_that_may_be_negative_is_not_estimated_on_logarithms() -> None:
    assert difference([-1.0, 3.0]).mean == pytest.approx(1)
    assert difference([1.0, 100.0]).mean == pytest.approx(50.5)
    assert difference([8.0, 12.5]).mean == pytest.approx(10)


@pytest.mark.parametrize("sd", [0.05, 0.1, 0.15])
def test_the_interval_of_a_ratio_covers_it(sd: float) -> None:
    pipelines = 1.4 * lognormal(1, sd, SIMULATIONS, N)
    baselines = lognormal(2, sd, SIMULATIONS, N)
    covered = np.mean([holds(geometric(row), 1.4) for row in pipelines / baselines])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("sd", [0.05, 0.1, 0.15])
@pytest.mark.parametrize(("baseline", "overhead"), [(8, 15), (8, 5), (50, 8), (200, 15)])
def test_the_interval_of_an_overhead_covers_it(baseline: float, overhead: float, sd: float) -> None:
    pipelines = (baseline + overhead) * lognormal(3, sd, SIMULATIONS, N)
    differences = pipelines - baseline * lognormal(4, sd, SIMULATIONS, N)
    # The mean of a lognormal lies above its median by this, an interval of the median's below it.
    mean = overhead * math.exp(sd**2 / 2)
    covered = []
    for row in differences:
        found = difference(row)
        plain = found.mean == pytest.approx(np.mean(row))
        covered.append(holds(found, mean if plain else overhead))
    assert 0.93 <= np.mean(covered) <= 0.97


def test_a_contrast_of_whole_blocks_is_the_blocks_own() -> None:
    table = np.arange(24.0).reshape(8, 3)
    found = contrast(table, np.array([-1.0, 0.0, 1.0]))
    assert found.values == (2.0,) * 8
    assert contrast(table, np.full(3, 1 / 3)).values == pytest.approx(table.mean(axis=1))


def test_missing_cells_count_by_what_is_there() -> None:
    table = np.array([[1.0, 11.0], [2.0, 12.0], [3.0, math.nan]])
    found = contrast(table, np.array([0.5, 0.5]))
    assert found.mean == pytest.approx((2.0 + 11.5) / 2)
    # Two of three blocks have the second cell: each counts for one and a half.
    assert found.values == pytest.approx((6.75 - 0.5 - 0.375, 6.75 + 0.375, 6.75 + 0.5))


def test_a_block_that_lacks_more_than_half_is_left_out() -> None:
    table = np.array([[1.0, 1.0, 1.0], [2.0, math.nan, math.nan]])
    assert contrast(table, np.full(3, 1 / 3)).values == (1.0,)
    assert contrast(np.empty((0, 3)), np.full(3, 1 / 3)).n == 0


def test_the_slope_is_that_of_least_squares_within_strata() -> None:
    x = np.array([4.0, 5.0, 6.0, 5.0, 7.0])
    strata = np.array([0, 0, 0, 1, 1])
    y = np.array([1.0, 2.5, 3.0, 10.0, 14.0])
    design = np.column_stack([x, strata == 0, strata == 1]).astype(float)
    expected = np.linalg.lstsq(design, y, rcond=None)[0][0]
    assert slope_weights(x, strata) @ y == pytest.approx(expected)
    with pytest.raises(ValueError, match="one position only"):
        slope_weights(np.array([5.0, 6.0]), np.array([0, 1]))


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_a_slope_over_blocks_covers_the_truth_and_finds_none_where_none_is(missing: float) -> None:
    """The logarithm of a ratio over four sizes, eight repeats, some cells failed."""
    sizes, random = np.array([4.0, 5.0, 6.0, 7.0]), np.random.default_rng(5)
    weights = slope_weights(sizes, np.zeros(4))
    flat = 0.1 * random.standard_normal((SIMULATIONS, N, 4))
    flat += 0.05 * random.standard_normal((SIMULATIONS, N, 1))
    flat[random.random(flat.shape) < missing] = math.nan
    estimates = [contrast(table, weights) for table in flat]
    found = [one for one in estimates if one.high is not None]
    assert len(found) > 0.9 * SIMULATIONS
    assert 0.93 <= np.mean([holds(one, 0.0) for one in found]) <= 0.97
    assert np.mean([one.high is not None and one.high < 0 for one in found]) <= 0.05


def test_a_contrast_covers_where_noise_differs_from_cell_to_cell() -> None:
    noise = np.random.default_rng(5).standard_normal((SIMULATIONS, N, 4))
    tables = noise * np.array([0.02, 0.05, 0.1, 0.2]) + np.array([1.0, 2.0, 3.0, 4.0])
    covered = [holds(contrast(table, np.full(4, 0.25)), 2.5) for table in tables]
    assert 0.93 <= np.mean(covered) <= 0.97
