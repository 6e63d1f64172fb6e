"""What is made of Airflow's rows and the records beside them; the API's tests ask a real database."""

import json
from typing import Any

import pytest

from podline.latency import record_reader, record_store
from podline.latency.record import Record
from podline.latency.record_reader import Known, TryId
from tests.support.latency import phase, record

ID = TryId("r", "a", -1, 1)


def row(**changes: Any) -> Known:
    """Airflow's row of the try of `record("a")`, which was queued 0.2 s before."""
    known = Known(ID, "success", 1000.0, 1001.0, 999.7, 999.8, "StageOperator")
    return known._replace(**changes)


def read(known: Known, text: str | None) -> Record:
    made = record_reader._record("d", known, text, 999.5)
    (found,) = record_reader._with_waiting({known.id: made}, {known.id: known})
    return found


def lengths(found: Record) -> dict[str, float]:
    return {phase.name: round(phase.seconds, 6) for phase in found.phases}


def test_a_record_with_what_came_before() -> None:
    found = read(row(), record_store.to_json(record("a")))
    assert not found.partial
    seconds = {"prepare": 0.1, "code": 0.8, "finish": 0.1}
    assert lengths(found) == {"scheduled": 0.3, "queued": 0.2, **seconds}


def test_airflows_own_times_count() -> None:
    """The worker's start is a little off, and a failed try ends when its process does."""
    text = record_store.to_json(record("a", state="failed"))
    found = read(row(state="failed", start=999.98, end=1001.5), text)
    assert not found.partial
    assert lengths(found)["prepare"] == 0.12
    assert lengths(found)["finish"] == 0.6
    assert found.duration == pytest.approx(1.52)


def plain(state: str) -> str:
    """The record of a task that is no stage, as JSON."""
    return record_store.to_json(
        record("a", kind="task", state=state, phases={"prepare": 0.2, "run": 0.8})
    )


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_plain_tasks_work_is_not_longer_for_its_supervisors_being_late(state: str) -> None:
    found = read(row(state=state, start=999.98, end=1005.5, operator="x"), plain(state))
    inside = found.phases[2:]
    assert not found.partial
    assert [(phase.name, phase.seconds) for phase in inside] == [
        ("prepare", 0.22),
        ("run", 0.8),
        ("finish", 4.5),
    ]
    assert [phase.source for phase in inside][1:] == ["worker", "airflow"]
    assert sum(phase.seconds for phase in inside) == pytest.approx(found.duration)
    assert found.overhead == pytest.approx(4.72)


def test_a_plain_task_that_succeeded_has_no_such_end() -> None:
    found = read(row(operator="x"), plain("success"))
    assert lengths(found).keys() == {"scheduled", "queued", "prepare", "run"}


def test_the_record_of_a_task_that_somebody_marked_failed_is_cut() -> None:
    """It went on until its next heartbeat."""
    cell = {"number": 2, "start": 0.1, "seconds": 0.8}
    text = record_store.to_json(record("a", state="failed", cells=[cell]))
    found = read(row(state="failed", end=1000.5), text)
    assert not found.partial
    inside = {name: lengths(found)[name] for name in ("prepare", "code", "finish")}
    assert inside == {"prepare": 0.1, "code": 0.4, "finish": 0.0}
    assert found.cells[0].seconds == pytest.approx(0.4)


def test_a_supervisor_that_was_slow_to_note_the_start_is_believed() -> None:
    cell = {"number": 2, "start": 0.1, "seconds": 0.8}
    found = read(row(start=1000.08), record_store.to_json(record("a", cells=[cell])))
    assert not found.partial
    assert lengths(found)["prepare"] == 0.02
    assert found.duration == pytest.approx(0.92)
    assert found.cells[0].start == pytest.approx(0.02)


def test_a_retry_waits_since_it_was_due() -> None:
    known = row(id=ID._replace(try_number=2))
    found = read(known, record_store.to_json(record("a", try_number=2)))
    assert lengths(found)["scheduled"] == 0.1


def test_of_a_deferred_try_airflow_has_overwritten_what_came_before() -> None:
    found = read(row(), record_store.to_json(record("a", deferred=True)))
    assert not {"scheduled", "queued"} & lengths(found).keys()


def test_a_try_that_goes_on_is_no_partial_one() -> None:
    found = read(row(state="running", end=None), None)
    assert not found.partial
    assert lengths(found) == {"scheduled": 0.1, "queued": 0.2}
    assert found.kind == "stage"


def test_a_try_without_a_record_is_what_airflow_knows() -> None:
    found = read(row(), None)
    assert "left no record" in found.partial
    assert found.duration == pytest.approx(1.0)


def test_a_try_that_never_started() -> None:
    assert read(row(state="", start=None, end=None, queued=None), None).phases == ()


@pytest.mark.parametrize("state", ["upstream_failed", "skipped", "removed", "success"])
def test_what_airflow_ended_untried_is_whole_and_took_no_time(state: str) -> None:
    found = read(row(id=ID._replace(try_number=0), state=state, queued=None), None)
    assert (found.partial, found.start, found.end, found.phases) == ("", None, None, ())


@pytest.mark.parametrize(
    ("state", "operator", "now"),
    [
        ("scheduled", "StageOperator", ("scheduled", 999.7)),
        ("queued", "x", ("queued", 999.8)),
        ("running", "StageOperator", ("prepare", 1000.0)),
        ("running", "x", ("run", 1000.0)),
        ("deferred", "NotebookOperator", ("run", 1000.0)),
        ("success", "StageOperator", (None, None)),
        ("up_for_retry", "StageOperator", (None, None)),
    ],
)
def test_what_a_try_is_at_as_airflow_knows_it(state: str, operator: str, now: Any) -> None:
    end = 1001.0 if state in ("success", "up_for_retry") else None
    start = None if state in ("scheduled", "queued") else 1000.0
    found = read(row(state=state, operator=operator, start=start, end=end), None)
    assert (found.phase_now, found.phase_now_since) == now


NOTE = {"phase": "code", "since": 1002.0}


def at(note: Any, state: str = "running") -> Any:
    """What a stage is at that has noted something."""
    known = row(state=state, end=None if state == "running" else 1001.0)
    return record_reader._record("d", known, None, 999.5, json.dumps(note)).phase_now


def test_what_a_stage_notes_that_it_is_at() -> None:
    assert at(NOTE) == "code"
    assert at(NOTE, "success") is None


@pytest.mark.parametrize(
    "note",
    [
        "code",
        {"phase": "<b>", "since": 1002.0},
        {"phase": "code"},
        NOTE | {"since": 900.0},
        NOTE | {"since": 9e10},
        NOTE | {"since": "1002"},
        NOTE | {"more": 1},
    ],
)
def test_a_forged_note_is_not_believed(note: Any) -> None:
    assert at(note) == "prepare"


def test_what_a_stage_that_goes_on_has_behind_it() -> None:
    past = [phase("prepare", 0.5), phase("submit", 1.5, 0.5)]
    known = row(state="running", end=None)
    note = json.dumps(NOTE | {"phases": past})
    found = record_reader._record("d", known, None, 999.5, note)
    assert lengths(found) == {"prepare": 0.5, "submit": 1.5}
    assert found.end is None


@pytest.mark.parametrize("forged", [phase("queued", 0.5), phase("prepare", 0.5, -500.0)])
def test_a_forged_past_is_not_believed(forged: dict[str, Any]) -> None:
    known = row(state="running", end=None)
    note = json.dumps(NOTE | {"phases": [forged]})
    found = record_reader._record("d", known, None, 999.5, note)
    assert (found.phases, found.phase_now) == ((), "code")


def test_a_record_does_not_say_what_is_now() -> None:
    given = json.loads(record_store.to_json(record("a")))
    found = read(row(), json.dumps(given | {"phase_now": "code", "phase_now_since": 1002.0}))
    assert (found.phase_now, found.phase_now_since) == (None, None)


def test_a_dead_try_keeps_what_its_pod_knew() -> None:
    dead = record("a", state="failed", end=None, partial="its worker died")
    found = read(row(state="failed", end=1300.0), record_store.to_json(dead))
    assert found.partial == "its worker died"
    assert lengths(found)["code"] == 0.8
    assert found.end == 1300.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", 1000.2),
        *(("end", end) for end in (1001.2, 1000.5, None)),
        *(("dag_id", "e"), ("run_id", "q"), ("task_id", "b"), ("map_index", 0), ("try_number", 2)),
        ("phases", []),
    ],
)
def test_a_record_that_does_not_fit_is_left_out(name: str, value: Any) -> None:
    given = json.loads(record_store.to_json(record("a"))) | {name: value}
    found = read(row(), json.dumps(given))
    assert found.partial.startswith("its record")
    assert lengths(found).keys() == {"scheduled", "queued"}


DEAD = {"state": "failed", "end": None, "partial": "its worker died"}
OVERLONG = {"name": "cleanup", "start": 1.0, "seconds": 9e8, "source": "worker", "precision": 1}


def phases(**changes: float) -> list[dict[str, Any]]:
    """The record's phases, the last of them changed."""
    *first, last = json.loads(record_store.to_json(record("a")))["phases"]
    return [*first, last | changes]


@pytest.mark.parametrize(
    "change",
    [
        *({"partial": text} for text in ("call 555-1234", "its worker died. Pay", "its worker\n")),
        DEAD | {"phases": phases(seconds=9e8)},
        DEAD | {"phases": phases(start=50.0)},
        DEAD | {"phases": [phases()[0], OVERLONG]},
        DEAD | {"start": 1.0},
        DEAD | {"cells": [{"number": 1, "start": 0.0, "seconds": 9e8}]},
        {"phases": [*phases(), OVERLONG]},
        {"phases": [OVERLONG | {"name": "adopted", "start": -9e8}, *phases()]},
        {"phases": [OVERLONG | {"name": "queued", "start": -1.0, "seconds": 1}, *phases()]},
        {"phases": [*phases(), OVERLONG | {"seconds": 1}, OVERLONG | {"seconds": 1}]},
        {"cells": [{"number": 1, "start": 0.5, "seconds": 9e8}]},
        {"cells": [{"number": 1, "start": -9e8, "seconds": 1}]},
        {"gone": 9e10},
        {"gone": 1.0},
        {"deferred": "yes"},
        {"try_number": "1"},
        {"map_index": True},
        {"start": "1000.0"},
        {"bytes_in": "5"},
        {"upstream": "b"},
        {"failure": ["x"]},
        {"failure": "x" * 2001},
        {"skew": {"seconds": "1"}},
    ],
)
def test_a_forged_field_is_not_believed(change: dict[str, Any]) -> None:
    given = json.loads(record_store.to_json(record("a"))) | change
    state = change.get("state", "success")
    found = read(row(state=state, end=1001.0), json.dumps(given))
    assert found.partial.startswith("its record")
    assert lengths(found).keys() == {"scheduled", "queued"}
    assert not found.cells
    assert found.duration == pytest.approx(1.0)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 400])
@pytest.mark.parametrize("name", ["start", "gone", "peak_memory", "run_start"])
def test_a_number_that_is_none_is_not_believed(name: str, number: str) -> None:
    text = record_store.to_json(record("a"))
    forged = json.dumps({**json.loads(text), name: "HERE"}).replace('"HERE"', number)
    assert read(row(), forged).partial.startswith("its record cannot be read")


def test_what_was_really_seen_outside_of_a_try_is_believed() -> None:
    """A pod that a try took over began before it, and is deleted after it."""
    outside = [OVERLONG | {"name": "adopted", "start": -0.4, "seconds": 0.4}, *phases()]
    given = json.loads(record_store.to_json(record("a"))) | {
        "phases": [*outside, OVERLONG | {"seconds": 2.0}],
        "cells": [{"number": 1, "start": -0.3, "seconds": 0.5}],
        "gone": 1003.0,
    }
    assert not read(row(), json.dumps(given)).partial


def test_tries_that_failed_may_have_a_record_elsewhere_the_last_first() -> None:
    rows = [
        row(id=ID, state="failed"),
        row(id=ID._replace(try_number=2), state="failed", end=1002.0),
        row(id=ID._replace(try_number=3), state="up_for_retry", end=1003.0),
        row(id=ID._replace(task_id="b")),
        row(id=ID._replace(task_id="c"), state="failed", start=None),
        row(id=ID._replace(task_id="e"), state="running", end=None),
    ]
    found = record_reader._lacking({known.id: known for known in rows}, {ID: "{}"})
    assert [id_.try_number for id_ in found] == [3, 2]
