"""The rows of the breakdown table say where each second of a stage went."""

import pytest

from podline.cli.stage_times import (
    LAUNCH,
    phase_names,
    row_of,
    start_of,
    total_of,
    wall_seconds,
)
from podline.contract import CellTime, Phase, StageResult
from podline.phases import STAGE_PHASES
from tests.support.latency import stage_result


def result_of(stage: str, started: float = 0.0, **seconds: float) -> StageResult:
    """The result of a stage whose phases took so long."""
    phases, now = [], 0.0
    for name, length in seconds.items():
        phases.append(Phase(name, now, length))
        now += length
    cells = (CellTime(3, 0.5, seconds.get("code", 0.0)),)
    return stage_result(tuple(phases), cells, stage=stage, started=started)


def test_a_row_tells_code_from_overhead() -> None:
    row = row_of(result_of("train", boot=0.5, fetch=0.25, code=3.0, store=0.25))
    assert row.stage == "train"
    assert row.phases == {"boot": 0.5, "fetch": 0.25, "code": 3.0, "store": 0.25}
    assert (row.total, row.overhead, row.share) == (4.0, 1.0, 0.25)
    assert [cell.number for cell in row.cells] == [3]


def test_what_the_caller_waited_for_is_the_total() -> None:
    row = row_of(result_of("train", boot=0.5, code=1.5), seconds=2.5)
    assert row.phases[LAUNCH] == 0.5
    assert row.total == 2.5
    assert row.overhead == 1.0


def test_launch_comes_first_and_unknown_phases_last() -> None:
    rows = [
        row_of(result_of("a", boot=1.0, code=1.0, pull=2.0)),
        row_of(result_of("b", code=1.0, store=1.0), seconds=3.0),
    ]
    assert phase_names(rows) == [LAUNCH, "boot", "code", "store", "pull"]


def test_the_phases_of_the_contract_keep_their_order() -> None:
    lengths = dict.fromkeys(reversed(STAGE_PHASES), 1.0)
    assert phase_names([row_of(result_of("a", **lengths))]) == list(STAGE_PHASES)


def test_totals_are_phase_by_phase() -> None:
    first, second = result_of("a", boot=1.0, code=2.0), result_of("b", boot=3.0, dump=1.0)
    rows = [row_of(first, seconds=4.0), row_of(second)]
    total = total_of(rows)
    assert total.phases == {LAUNCH: 1.0, "boot": 4.0, "code": 2.0, "dump": 1.0}
    assert total.total == sum(row.total for row in rows) == 8.0
    assert total.cells == ()


def test_a_stage_without_phases_has_no_share() -> None:
    row = row_of(result_of("a"))
    assert (row.total, row.share) == (0.0, 0.0)
    assert phase_names([]) == []


def test_the_wall_runs_from_the_first_start_to_the_last_end() -> None:
    results = [
        result_of("long", started=100.0, code=10.0),
        result_of("beside", started=102.0, code=1.0),
        result_of("after", started=115.0, code=2.5),
    ]
    assert start_of(results) == 100.0
    assert wall_seconds(results) == pytest.approx(17.5)
