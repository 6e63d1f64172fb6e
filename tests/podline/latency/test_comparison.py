"""Two runs side by side."""

from datetime import UTC, datetime
from typing import Any

from podline.latency import comparison
from podline.latency.answers import Run
from podline.latency.comparison import Side
from podline.latency.record import Record
from tests.support.latency import record

START = datetime(2026, 1, 1, tzinfo=UTC)


def side(*records: Record, parameters: dict[str, Any] | None = None, over: bool = True) -> Side:
    end = START if over else None
    run = Run("d", "r", "manual", "success", None, START, end, parameters, [*records])
    return Side(run, parameters, None)


def test_the_largest_difference_comes_first() -> None:
    one = side(record("a"), record("b"), record("c"))
    other = side(
        record("a", phases={"code": 1.2}),
        record("b", phases={"code": 0.1, "run": 0.2}),
        record("c"),
    )
    found = comparison.of_sides(one, other).tasks
    assert [task.task_id for task in found] == ["b", "a", "c"]
    assert found[0].seconds == (1.0, 0.3)
    assert found[0].phases["code"] == (0.8, 0.1)
    assert found[0].phases["run"] == (None, 0.2)
    assert found[0].phases["prepare"] == (0.1, None)


def test_what_one_run_alone_has_counts_in_full() -> None:
    one = side(record("a"), record("b", map_index=0))
    other = side(record("a", phases={"code": 1.5}), record("b", map_index=1, state="failed"))
    found = comparison.of_sides(one, other).tasks
    assert [(task.task_id, task.map_index) for task in found] == [("b", 0), ("b", 1), ("a", -1)]
    assert (found[0].seconds, found[0].state) == ((1.0, None), ("success", None))
    assert (found[1].seconds, found[1].state) == ((None, 1.0), (None, "failed"))


def test_a_try_that_goes_on_has_no_length() -> None:
    found = comparison.of_sides(
        side(record("a", end=None, phases={}), over=False), side(record("a"))
    )
    assert found.tasks[0].seconds == (None, 1.0)
    assert [run.seconds for run in found.runs] == [None, 1.5]


def test_the_last_tries_are_compared() -> None:
    again = record("a", 5.0, try_number=2, phases={"code": 3.0})
    found = comparison.of_sides(side(record("a", state="failed"), again), side(record("a")))
    assert found.tasks[0].seconds == (3.0, 1.0)


def test_parameters_that_differ_come_first() -> None:
    one = side(parameters={"same": [1], "rows": 1, "gone": "x"})
    found = comparison.of_sides(one, side(parameters={"same": [1], "rows": 2, "new": None}))
    assert [(one.name, one.values, one.changed) for one in found.parameters] == [
        ("rows", (1, 2), True),
        ("gone", ("x", None), True),
        ("same", ([1], [1]), False),
        ("new", (None, None), False),
    ]


def test_parameters_that_are_not_told() -> None:
    assert comparison.of_sides(side(), side()).parameters == []
