"""What each combination cost."""

import pytest

from podline_studies.overhead.analysis import tables
from podline_studies.overhead.analysis.combinations import combine
from podline_studies.overhead.analysis.pairs import pair
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.simulated_sweep import Truth, baseline, overhead


def test_intervals_hold_the_truth_about_as_often_as_they_say(sweep: Sweep) -> None:
    found = [one for one in combine(pair(sweep.runs)) if one.cell.notebook == "household_power"]
    assert len(found) == 3 * 12
    truth, held = Truth(), 0
    for one in found:
        data, model = int(one.cell.data), int(one.cell.model)
        share = overhead(truth, one.cell.backend, data, model) / baseline(truth, data, model)
        assert one.n == 8
        assert one.share.low is not None
        assert one.share.high is not None
        held += one.share.low <= share <= one.share.high
    assert held >= 31  # of 36: fewer have a chance of 1 in 1,000


def test_parts_add_up_to_the_mean_overhead(sweep: Sweep) -> None:
    for one in combine(pair(sweep.runs)):
        mean = sum(one.overhead.values) / one.n
        assert sum(one.parts.values()) == pytest.approx(mean)


def test_beside_the_code_the_overhead_is_known_better(sweep: Sweep) -> None:
    found = {(one.cell.backend, *one.cell[-2:]): one for one in combine(pair(sweep.runs))}
    largest = found["kubernetes", 10_000_000, 10_000_000]
    widths = [
        (found.high or 0) - (found.low or 0) for found in (largest.beside_code, largest.overhead)
    ]
    assert 0 < widths[0] < widths[1] / 3


def test_two_runs_have_no_interval(small: Sweep) -> None:
    found = combine(pair(small.runs))
    assert all(one.overhead.low is None and len(one.overhead.values) == 2 for one in found)
    rows = tables.combinations(found)
    assert rows["share_low"].isna().all()
    assert rows["share_mean"].notna().all()
