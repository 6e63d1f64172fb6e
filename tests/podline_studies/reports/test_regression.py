"""The regression against certified values, and simulations whose truth is known."""

import math

import numpy as np
import pytest

from podline_studies.reports.estimates import Array
from podline_studies.reports.regression import regress

# A design as it is measured: five stages, GB, and millions of weights; eight runs a combination.
STAGES, N, SIMULATIONS = 5, 8, 1000
SIZES, WEIGHTS = (0.001, 0.01, 0.1, 1.0), (0.01, 1.0, 10.0)
CELLS = np.array([(STAGES, size, weights) for size in SIZES for weights in WEIGHTS])
TERMS = np.repeat(CELLS, N, axis=0)
GROUPS = np.repeat(np.arange(len(CELLS)), N)
BLOCKS = np.tile(np.arange(N) // 4, len(CELLS))
# Seconds: for a stage, a GB, and a million weights.
OVERHEAD, BASELINE = np.array([3.0, 2.0, 0.5]), np.array([1.2, 20.0, 8.0])
TRUTH = np.array([OVERHEAD + BASELINE, BASELINE])
PIPELINE_LESS_BASELINE = np.array([1.0, -1.0])


def simulated(seed: int, sd: float, off: float = 0.0, blocks: float = 0.0) -> Array:
    """Walls of pipeline and baseline; `off`: sd of combinations, `blocks`: of a session, on logs."""
    random = np.random.default_rng(seed)
    noise = sd * random.standard_normal((len(TERMS), 2))
    noise += off * random.standard_normal((len(CELLS), 2))[GROUPS]
    noise += blocks * np.array([[1.0], [-1.0]])[BLOCKS]
    return (TERMS @ TRUTH.T) * np.exp(noise)


def test_groups_of_one_size_count_as_their_means() -> None:
    walls = simulated(1, 0.1)
    found = regress(TERMS, walls, GROUPS, np.zeros(len(TERMS), int))
    means = np.exp(np.log(walls).reshape(len(CELLS), N, 2).mean(axis=1))
    for response in range(2):
        design = CELLS / means[:, [response]]
        solution, squares, _, _ = np.linalg.lstsq(design, np.ones(len(CELLS)), rcond=None)
        assert found.coefficients[response] == pytest.approx(solution)
        covariance = np.linalg.inv(design.T @ design) * squares / (len(CELLS) - 3)
        assert found.covariance(response, response) == pytest.approx(covariance)


def test_parts_are_found_where_there_is_no_noise() -> None:
    found = regress(TERMS, simulated(1, 1e-9), GROUPS, BLOCKS)
    assert found.coefficients == pytest.approx(TRUTH, rel=1e-6)
    assert np.abs(found.residuals).max() < 1e-6
    cell = np.array([STAGES, 0.5, 3.0])
    expected = (cell @ TRUTH[0]) / (cell @ TRUTH[1])
    assert found.predict(cell).ratio.value == pytest.approx(expected)


@pytest.mark.parametrize(("sd", "off", "blocks"), [(0.05, 0, 0), (0.15, 0, 0.2), (0.1, 0.1, 0)])
def test_intervals_cover_the_fixed_and_the_per_byte_part(
    sd: float, off: float, blocks: float
) -> None:
    """So they do where combinations are off the line (`off`), which runs alone would not tell."""
    covered = np.zeros(3)
    inside = ratios = 0
    random = np.random.default_rng(99)
    for seed in range(SIMULATIONS):
        found = regress(TERMS, simulated(seed, sd, off, blocks), GROUPS, BLOCKS)
        parts = [found.coefficient(term, PIPELINE_LESS_BASELINE) for term in range(3)]
        covered += [
            part.low <= truth <= part.high for part, truth in zip(parts, OVERHEAD, strict=True)
        ]
        # A new combination, and one run of it.
        cell = np.array([STAGES, 10 ** random.uniform(-3, 0), 10 ** random.uniform(-2, 1)])
        ratio = (cell @ TRUTH[0]) / (cell @ TRUTH[1])
        predicted = found.predict(cell)
        ratios += predicted.ratio.low <= ratio <= predicted.ratio.high
        noise = math.sqrt(2 * (sd**2 + off**2)) * random.standard_normal()
        inside += predicted.single.low <= ratio * math.exp(noise) <= predicted.single.high
    assert ((covered / SIMULATIONS >= 0.93) & (covered / SIMULATIONS <= 0.97)).all()
    assert 0.93 <= ratios / SIMULATIONS <= 0.97
    assert 0.93 <= inside / SIMULATIONS <= 0.97


def test_a_form_that_fits_badly_is_told_and_has_wide_intervals() -> None:
    straight = simulated(1, 0.05)
    # Every second combination of the pipeline takes half as long again.
    bent = straight * np.column_stack([1 + 0.5 * (GROUPS % 2), np.ones(len(GROUPS))])
    fits = [regress(TERMS, walls, GROUPS, BLOCKS) for walls in (straight, bent)]
    (_, by_chance), (off, not_by_chance) = (fit.lack_of_fit() or (0, 0) for fit in fits)
    assert not_by_chance < 0.001 < 0.05 < by_chance
    assert 0.1 < off < 0.4
    fixed = [fit.coefficient(0, PIPELINE_LESS_BASELINE) for fit in fits]
    assert fixed[1].high - fixed[1].low > 3 * (fixed[0].high - fixed[0].low)


def test_with_few_combinations_all_runs_say_how_large_the_noise_is() -> None:
    few = np.isin(GROUPS, (0, 4, 7, 11))
    found = regress(TERMS[few], simulated(1, 0.1)[few], GROUPS[few], BLOCKS[few])
    assert found.pooled
    assert found.between.df == 4 * N - 3 - 1
    assert found.lack_of_fit() is None


def test_one_run_a_combination_is_enough() -> None:
    once = np.arange(len(TERMS)) % N == 0
    found = regress(TERMS[once], simulated(1, 0.05)[once], GROUPS[once], BLOCKS[once])
    assert found.between.df == len(CELLS) - 3
    predicted = found.predict(CELLS[5])
    assert predicted.single.low < predicted.ratio.low < predicted.ratio.value


def test_what_cannot_be_told_apart_is_refused() -> None:
    walls = simulated(1, 0.1)
    twice = np.column_stack([TERMS, TERMS[:, 1]])
    with pytest.raises(ValueError, match="do not tell the parts of the model apart"):
        regress(twice, walls, GROUPS, BLOCKS)
    with pytest.raises(ValueError, match="do not tell"):
        regress(TERMS, walls, GROUPS, GROUPS)


def test_as_many_measurements_as_parts_leave_no_noise_to_see() -> None:
    three = [0, 4 * N, 11 * N]
    with pytest.raises(ValueError, match="as many parts of the model as measurements"):
        regress(TERMS[three], simulated(1, 0.1)[three], GROUPS[three], np.zeros(3, int))


def test_no_time_is_predicted_to_be_negative() -> None:
    found = regress(TERMS, simulated(1, 0.1), GROUPS, BLOCKS)
    with pytest.raises(ValueError, match="no positive time"):
        found.predict(np.array([1.0, -100.0, 0.0]))
