"""Counts of latencies add up over nodes, and apart over time."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podline.fleet.latencies import added, bucket, quantile, since

SECONDS = st.lists(st.floats(1e-5, 100), min_size=1, max_size=50)


@given(SECONDS, st.floats(0.01, 1))
def test_a_quantile_is_known_to_five_percent(seconds: list[float], share: float) -> None:
    found = quantile(Counter(map(bucket, seconds)), share)
    within = sum(value <= found * 1.05 for value in seconds)  # type: ignore[operator]
    below = sum(value < found / 1.05 for value in seconds)  # type: ignore[operator]
    assert below < share * len(seconds) + 1e-9 <= within + 1e-6


@given(SECONDS, SECONDS)
def test_what_comes_later_is_known_apart(one: list[float], other: list[float]) -> None:
    first, second = Counter(map(bucket, one)), Counter(map(bucket, other))
    both = added([first, second])
    assert sum(both.values()) == len(one) + len(other)
    assert since(both, first) == second


def test_no_requests_and_no_time() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({bucket(0.0): 1}, 0.5) == pytest.approx(1e-6, rel=0.1)
