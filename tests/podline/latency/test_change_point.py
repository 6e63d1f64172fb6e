"""Where a series changed its level is found again in series that were made with a known change."""

import random

import pytest

from podline.latency.change_point import is_more, last_change

RUNS = 21  # this run, and the 20 before that it is compared with


def series(
    since: int, factor: float, noise: float, outliers: float, generator: random.Random
) -> list[float]:
    """Runs of 10 s, of which the last ones take longer.

    Args:
        since: how many of them.
        factor: how much longer.
        noise: the standard deviation of their logarithms.
        outliers: the part of runs that takes three times as long by chance.
        generator: of all chance.
    """
    found = []
    for place in range(RUNS):
        length = 10 * generator.lognormvariate(0, noise)
        if place >= RUNS - since:
            length *= factor
        if place < RUNS - 1 and generator.random() < outliers:
            length *= 3
        found.append(length)
    return found


def found_since(since: int, factor: float, noise: float, outliers: float = 0.0) -> list[int]:
    """Since how many runs 200 such series are said to be of their last level; 0: no change."""
    generator = random.Random(f"{since} {factor} {noise}")
    changes = [last_change(series(since, factor, noise, outliers, generator)) for _ in range(200)]
    return [RUNS - place if place else 0 for place in changes]


@pytest.mark.parametrize("since", [1, 3, 8, 15])
@pytest.mark.parametrize("factor", [1.5, 2.0, 0.5])
def test_a_change_is_found_in_the_run_in_which_it_was(since: int, factor: float) -> None:
    assert found_since(since, factor, 0.05) == [since] * 200


@pytest.mark.parametrize("since", [1, 3, 8, 15])
def test_some_runs_that_are_slow_by_chance_hide_no_change(since: int) -> None:
    found = found_since(since, 2.0, 0.05, outliers=0.05)
    assert sum(change > 0 for change in found) >= 195
    assert sum(abs(change - since) <= 1 for change in found) >= 175


@pytest.mark.parametrize("since", [1, 3, 8, 15])
def test_in_much_noise_it_is_found_nearly_always(since: int) -> None:
    found = found_since(since, 2.0, 0.15)
    assert sum(change > 0 for change in found) >= 185
    assert sum(abs(change - since) <= 1 for change in found) >= 150


@pytest.mark.parametrize(("noise", "wrong"), [(0.05, 0), (0.15, 20)])
def test_noise_alone_is_seldom_a_change(noise: float, wrong: int) -> None:
    assert sum(change > 0 for change in found_since(1, 1.0, noise)) <= wrong


def test_the_last_of_several_changes_counts() -> None:
    assert last_change([1.0] * 5 + [2.0] * 5 + [1.0] * 5 + [3.0] * 4) == 15
    assert last_change([2.0] * 8 + [1.0] * 8) == 8  # faster than before, and so it stays


def test_one_slow_run_before_is_no_level() -> None:
    assert last_change([1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0]) == 0


@pytest.mark.parametrize("lengths", [[], [1.0], [1.0, 1.0, 9.0], [1.0, 1.0, 1.0, 1.19]])
def test_few_runs_or_a_moment_are_no_change(lengths: list[float]) -> None:
    assert last_change(lengths) == 0


def test_what_a_user_would_mind() -> None:
    assert is_more(1.3, 1.0)
    assert not is_more(1.2, 1.0)  # a quarter
    assert not is_more(0.2, 0.05)  # 0.2 s
