"""How long runs take, one after the other."""

from datetime import UTC, datetime

import pytest

from podline.latency import trend
from podline.latency.answers import KnownRun
from tests.support.latency import record

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(run_id: str, state: str = "success") -> KnownRun:
    end = None if state == "running" else START
    return KnownRun("d", run_id, "manual", state, None, START, end, None)


def test_a_run_that_goes_on_has_no_length_yet() -> None:
    records = [record("a", run_id="1"), record("a", run_id="2")]
    found = trend.of_runs("d", [run("1"), run("2", "running")], 9, records)
    assert found.seconds == [1.5, None]
    assert found.phases["code"] == [0.8, 0.8]
    assert found.total_entries == 9


@pytest.mark.parametrize("state", ["failed", "running"])
def test_only_runs_that_succeeded_are_usual(state: str) -> None:
    records = [record("a", run_id="1"), record("a", run_id="2", phases={"code": 50.0})]
    found = trend.of_runs("d", [run("1"), run("2", state)], 2, records)
    assert found.usual.seconds is not None
    assert (found.usual.seconds.n, found.usual.seconds.p90) == (1, 1.5)
    assert found.usual.phases["code"].p90 == 0.8


def test_the_last_tries_count() -> None:
    again = record("a", 5.0, run_id="1", try_number=2)
    found = trend.of_runs("d", [run("1")], 1, [record("a", run_id="1", state="failed"), again])
    assert found.phases["code"] == [0.8]
    assert found.seconds == [6.5]


def test_a_mapped_task_takes_from_its_first_start_to_its_last_end() -> None:
    records = [record("a", 2.0 * index, run_id="1", map_index=index) for index in range(3)]
    found = trend.of_runs("d", [run("1")], 1, [*records, record("b", 50.0, run_id="1")], "a")
    assert found.seconds == [5.0]
    assert found.phases["code"] == [pytest.approx(2.4)]


def test_a_task_that_is_not_over_has_no_length() -> None:
    records = [record("a", run_id="1"), record("a", run_id="1", map_index=1, end=None, phases={})]
    assert trend.of_runs("d", [run("1")], 1, records, "a").seconds == [None]


def test_a_run_without_the_task_has_a_gap() -> None:
    found = trend.of_runs("d", [run("1"), run("2")], 2, [record("a", run_id="2")], "a")
    assert found.seconds == [None, 1.0]
    assert found.phases["code"] == [None, 0.8]
    assert found.usual.seconds is not None
    assert found.usual.seconds.n == 1


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([1, 1, 1, 1, 4, 4, 4], 4.5), ([1, 1, 1, 1, 1, 1, 9], 1.5), ([2, 3], 3.0), ([], None)],
    ids=["as the last ones", "one slow run is none", "too few to tell", "none"],
)
def test_the_next_run_is_as_those_since_the_last_change(
    codes: list[float], expected: float | None
) -> None:
    names = [str(n) for n in range(len(codes))]
    records = [
        record("a", run_id=name, phases={"code": code})
        for name, code in zip(names, codes, strict=True)
    ]
    found = trend.of_runs("d", [run(name) for name in names], len(names), records)
    assert (found.next and found.next.p50) == expected
