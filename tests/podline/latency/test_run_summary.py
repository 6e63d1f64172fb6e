"""What records say together."""

import pytest

from podline.latency import run_summary
from podline.latency.record import Record
from tests.support.latency import record


def test_percentiles() -> None:
    found = run_summary.percentiles([3, 1, 2])
    assert (found.n, found.p10, found.p50, found.p90) == (3, 1.2, 2, 2.8)
    assert run_summary.percentiles([5]) == run_summary.Percentiles(1, 5, 5, 5)
    with pytest.raises(ValueError, match="no values"):
        run_summary.percentiles([])


def test_totals_are_in_the_order_of_the_phases() -> None:
    found = run_summary.totals([record("a"), record("b", phases={"finish": 1.0, "boot": 0.5})])
    assert found == {"prepare": 0.1, "boot": 0.5, "code": 0.8, "finish": 1.1}
    assert list(found) == ["prepare", "boot", "code", "finish"]


def test_the_overhead_is_all_but_the_users_own_work() -> None:
    assert run_summary.overhead_share([record("a")]) == pytest.approx(0.2)
    plain = record("b", phases={"prepare": 0.5, "run": 0.5})
    assert run_summary.overhead_share([plain]) == pytest.approx(0.5)


def test_what_is_not_known_is_no_part_of_the_share() -> None:
    unknown = record("a", phases={}, end=1010)
    assert run_summary.overhead_share([unknown]) is None
    assert run_summary.overhead_share([unknown, record("b")]) == pytest.approx(0.2)


def test_the_critical_path_follows_who_was_waited_for() -> None:
    records = [
        record("a"),
        record("b", 1.5, upstream=["a"]),
        record("c", 1.2, upstream=["a"], phases={"code": 3.0}),
        record("d", 4.5, upstream=["b", "c"]),
    ]
    path = run_summary.critical_path(records)
    assert [step.task_id for step in path] == ["a", "c", "d"]
    assert [step.waited for step in path] == pytest.approx([0.5, 0.2, 0.3])


def test_the_critical_path_takes_the_last_try() -> None:
    first = record("a", state="failed")
    again = record("a", 5.0, try_number=2)
    (step,) = run_summary.critical_path([again, first])
    assert (step.try_number, step.waited) == (2, 5.5)


def test_what_was_not_tried_again_is_the_last() -> None:
    first = record("a")
    untried = {"try_number": 0, "state": "upstream_failed", "start": None, "end": None}
    now = first.model_copy(update=untried)
    assert run_summary.last_tries([now, first]) == [now]


def test_a_forged_circle_ends() -> None:
    records = [record("a", upstream=["b"]), record("b", 1.0, upstream=["a"])]
    assert len(run_summary.critical_path(records)) == 2


def test_a_run_without_an_end_has_no_path() -> None:
    assert run_summary.critical_path([record("a", end=None, phases={})]) == []
    assert run_summary.run_seconds([record("a", end=None, phases={})]) is None


def test_the_wall_time_is_from_the_runs_start() -> None:
    assert run_summary.run_seconds([record("a"), record("b", 2.0)]) == pytest.approx(3.5)


def runs(*codes: float) -> list[list[Record]]:
    """A run a second, each with one stage whose code takes as long as is said."""
    return [
        [record("a", n, run_id=f"r{n}", run_start=999.5 + n, phases={"prepare": 0.1, "code": code})]
        for n, code in enumerate(codes)
    ]


def slow(found: list[list[Record]]) -> list[tuple[str, float, float, str, int]]:
    """What the last of some runs was slow in, beside those before."""
    *before, last = found
    return [
        (one.phase, one.seconds, one.usual.p50, one.since_run_id, one.runs)
        for one in run_summary.slow_phases(last, [record for run in before for record in run])
    ]


def test_slow_is_what_takes_longer_than_before() -> None:
    assert slow(runs(1, 1, 1, 1, 1)) == []
    assert slow(runs(1, 1, 1, 1, 3)) == [("code", 3.0, 1.0, "r4", 1)]
    assert slow(runs(3, 3, 3, 3, 1)) == []


@pytest.mark.parametrize("since", [1, 3, 8, 15])
def test_what_became_slow_some_runs_ago_still_is(since: int) -> None:
    found = runs(*[10 + n % 3 for n in range(21 - since)], *[20 + n % 3 for n in range(since)])
    ((phase, _, usual, run, count),) = slow(found)
    assert (phase, usual, run, count) == ("code", 11.0, f"r{21 - since}", since)


def test_the_phase_that_lost_most_is_first() -> None:
    before = [found for run in runs(1, 1, 1, 1, 1) for found in run]
    late = record("a", phases={"prepare": 0.9, "code": 1.5})
    found = run_summary.slow_phases([late], before)
    assert [(one.phase, one.seconds) for one in found] == [("prepare", 0.9), ("code", 1.5)]


def test_a_few_milliseconds_are_not_slow() -> None:
    before = [found for run in runs(1, 1, 1, 1, 1) for found in run]
    late = record("a", phases={"prepare": 0.25, "code": 1.0})
    assert run_summary.slow_phases([late], before) == []


def test_two_runs_are_too_few_to_compare_with() -> None:
    assert slow(runs(1, 1, 100)) == []


def test_of_a_mapped_task_the_slowest_instance_is_compared() -> None:
    before = [
        record("a", run_id=f"r{n}", run_start=n, map_index=index, phases={"code": 1.0 + index})
        for n in range(4)
        for index in range(3)
    ]
    here = [record("a", run_id="r9", map_index=i, phases={"code": 1.0 + 2 * i}) for i in range(3)]
    (found,) = run_summary.slow_phases(here, before)
    assert (found.seconds, found.usual.p50) == (5.0, 3.0)


def test_what_is_usual_ends_where_it_became_longer() -> None:
    found = runs(1, 1, 1, 1, 1, 3, 3, 3)
    before = [record for run in found[:-1] for record in run]
    usual = run_summary.usual_for(found[-1][0], before)
    assert (usual["code"].n, usual["code"].p50) == (5, 1.0)
    assert usual["prepare"].n == 7
    wall = run_summary.usual_seconds(found[-1], before)
    assert wall == run_summary.percentiles([1.6, 1.6, 1.6, 1.6, 1.6])
    assert run_summary.usual_seconds(found[-1], []) is None


def test_failed_tries_are_not_what_is_usual() -> None:
    assert run_summary.usual([record("a", state="failed")]) == {}
