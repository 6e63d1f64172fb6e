"""A run's wall time and its parts, from the records of its tries."""

from dataclasses import replace

import pytest

from podline.contract import Heap, Phase, StageResult
from podline.latency.record import Cell
from podline.phases import STAGE_PHASES
from podline.store import Store
from podline.store.keys import LATENCY, TryKey
from podline_studies.overhead import measurement
from podline_studies.overhead.measurement import (
    PARTS,
    PIPELINE,
    MeasuringError,
    Task,
    longest,
    measure,
    read_tasks,
)
from tests.support.study_examples import CHILD, POD, blank, chain, record


def test_the_parts_of_a_run_are_its_wall_time() -> None:
    found = measure(chain(), blank(), ())
    length = sum(POD.values())
    assert found.wall == pytest.approx(3.5 + length)
    assert set(found.parts) == {*PARTS, PIPELINE}
    assert sum(found.parts.values()) == pytest.approx(found.wall)
    # Of what was side by side only that counts which the end waited for.
    assert found.parts["code"] == pytest.approx(4.0)
    assert found.parts["kubernetes"] == pytest.approx(0.42)
    assert found.parts["transfer"] == pytest.approx(0.28)
    assert found.parts["libraries"] == pytest.approx(0.6)
    assert [s.stage for s in found.stages if not s.on_path] == ["beside"]
    assert len(found.stages) == 3
    gaps = {s.stage: s.gap for s in found.stages}
    assert gaps["first"] == pytest.approx(0.5)
    assert gaps["second"] == pytest.approx(3.0 - length)
    assert not found.trouble


def test_under_dags_test_a_run_begins_with_its_first_task() -> None:
    found = measure(chain(), blank(way="test"), ())
    assert found.wall == pytest.approx(3.0 + sum(POD.values()))
    assert found.stages[0].gap == pytest.approx(0.0)


def baseline(**changes: object) -> dict[str, Task]:
    cells = [Cell(number=1, start=0.3, seconds=0.8), Cell(number=2, start=1.1, seconds=2.2)]
    end = 1000 + sum(CHILD.values())
    about = {"kind": "notebook", "backend": "process", "cells": cells, "gone": end + 0.2} | changes
    return {"notebook": Task(record("notebook", 0.0, about.pop("phases", CHILD), **about), None)}


def test_the_baseline_is_its_process_from_spawn_to_exit() -> None:
    found = measure(baseline(), blank("notebook"), stage_cells={2})
    assert found.wall == pytest.approx(sum(CHILD.values()) + 0.2 - 0.1)
    assert sum(found.parts.values()) == pytest.approx(found.wall or 0)
    # Cells of no stage are what the stages have as imports.
    assert found.parts["libraries"] == pytest.approx(0.8)
    assert found.parts["code"] == pytest.approx(2.2)
    assert found.parts["kubernetes"] == 0


def test_a_baseline_that_does_not_say_when_it_was_gone() -> None:
    with pytest.raises(MeasuringError, match="does not say when its process was spawned and gone"):
        measure(baseline(gone=None), blank("notebook"), {2})


def test_the_baseline_in_a_pod_is_its_container_until_the_result_is_stored() -> None:
    phases = POD | {"imports": 0.5, "code": 4.0}
    found = measure(baseline(phases=phases, gone=None), blank("notebook-pod"), stage_cells={2})
    assert found.wall == pytest.approx(sum(phases[name] for name in STAGE_PHASES if name in phases))
    assert sum(found.parts.values()) == pytest.approx(found.wall or 0)
    assert found.parts["libraries"] == pytest.approx(0.5 + 0.8)
    assert found.parts["code"] == pytest.approx(4.0 - 0.8)
    assert found.parts["kubernetes"] == 0


def test_a_baseline_in_a_pod_of_which_nothing_is_known() -> None:
    phases = {"prepare": 0.1, "submit": 0.1, "run": 3.0}
    with pytest.raises(MeasuringError, match="does not say what its container spent its time with"):
        measure(baseline(phases=phases), blank("notebook-pod"), {2})


def test_a_run_without_records() -> None:
    with pytest.raises(MeasuringError, match=r"fix: set \[podline\] latency to all"):
        measure({}, blank(), ())


def test_a_run_that_failed_says_why() -> None:
    tasks = chain(state="failed", failure="cell 3: no memory")
    found = measure(tasks, blank(state="failed"), ())
    assert found.trouble == "second: cell 3: no memory"
    assert found.wall is None
    assert measure({}, blank(state="failed"), ()).trouble == "no task says why"


def test_a_run_with_a_second_try_was_disturbed() -> None:
    found = measure(chain(try_number=2), blank(), ())
    assert found.state == "success"
    assert found.trouble == "disturbed: a task took 2 tries"


def test_a_run_that_began_on_a_busy_machine_does_not_count() -> None:
    found = measure(chain(), replace(blank(), busy=0.9, quiet=0.5), ())
    assert found.trouble == "disturbed: 90% of the processors were taken in the second before it"
    assert not measure(chain(), replace(blank(), busy=0.4, quiet=0.5), ()).trouble
    assert not measure(chain(), replace(blank(), busy=0.9), ()).trouble  # nobody looked


def test_of_runs_at_once_the_longest_counts_or_one_that_does_not() -> None:
    first = measure(chain(), blank(), ())
    assert first.wall is not None
    longer = replace(first, wall=first.wall + 1)
    assert longest([first, longer, first]) is longer
    failed = measure(chain(state="failed", failure="no memory"), blank(state="failed"), ())
    assert longest([longer, failed]) is failed


def test_what_the_notebook_counts() -> None:
    result = _result(metrics={"rows_train": 5.0, "loss": 0.1})
    tasks = {name: Task(task.record, result) for name, task in chain().items()}
    assert measure(tasks, blank(), ()).counts == {"rows_train": 5.0}


def test_a_stock_operator_s_pod_has_the_phases_of_the_stage_in_it(store: Store) -> None:
    pod = {"prepare": 0.1, "submit": 0.4, "schedule": 0.0, "start": 1.0, "run": 2.5, "notice": 1.2}
    where = TryKey("n_stock", "r", "first", -1, 1, "a" * 16)
    text = record("first", 0.0, pod, kind="pod", backend="").model_dump_json(exclude_defaults=True)
    store.put(where.key(LATENCY), text.encode())
    result = _result(started=1000.9)
    store.put(replace(where, nonce="b" * 16).key("result.json"), result.to_json().encode())
    found = read_tasks(store, "n_stock", "r", ["first"])["first"].record
    seconds = {phase.name: phase.seconds for phase in found.phases}
    assert seconds["start"] == pytest.approx(0.4)  # until the process itself began
    assert seconds["code"] == pytest.approx(2.0)
    assert seconds["notice"] == pytest.approx(5.2 - 0.9 - 2.15)
    assert sum(seconds.values()) == pytest.approx(5.2)


def test_a_record_that_does_not_come_is_not_waited_for_long(store: Store) -> None:
    assert read_tasks(store, "n", "r", ["first"], patience=0.1) == {}


def test_all_phases_but_the_pipeline_s_are_in_one_part() -> None:
    names = [name for names in measurement.PARTS.values() for name in names]
    assert len(names) == len(set(names))


def _result(started: float = 1000.0, metrics: dict[str, float] | None = None) -> StageResult:
    phases = (Phase("boot", 0.0, 0.1), Phase("code", 0.1, 2.0), Phase("store", 2.1, 0.05))
    heap, moved = Heap(), (1, 2)
    return StageResult(
        *("first", "n", "p", "h", {}, True, heap, phases, ()),
        metrics or {},
        *moved,
        "e",
        3,
        started,
    )
