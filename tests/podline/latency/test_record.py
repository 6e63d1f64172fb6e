"""A record is untrusted: what it may hold is bounded, and what is too long is cut."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from podline.latency import record_store
from podline.latency.record import Record
from tests.support.latency import phase, record

MANY_CELLS = [{"number": n + 1, "start": float(n), "seconds": 0.123456} for n in range(2000)]


class State(dict[str, Any]):
    """Airflow's task_state_store, as far as it is used: `set` and `get`."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_there_and_back() -> None:
    first = record("a", cells=MANY_CELLS[:2], skew={"seconds": 0.5, "low": 0.4, "high": 0.6})
    assert Record.model_validate_json(record_store.to_json(first)) == first


def test_what_is_not_known_takes_no_room() -> None:
    text = record_store.to_json(record("a"))
    assert "cells" not in text
    assert json.loads(text)["version"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"state": "x" * 31},
        {"dag_id": "x" * 1001},
        {"start": float("nan")},
        {"start": -1.0},
        {"start": "yesterday"},
        {"map_index": -2},
        {"kind": "<script>"},
        {"phases": [phase("code", -1)]},
        {"phases": [phase("code", 1e300)]},
        {"phases": [phase("leisure", 1)]},
        {"phases": record("a").model_dump()["phases"] * 11},
        {"cells": [{"number": 0, "start": 0, "seconds": 1}]},
        {"events": [{"reason": "x" * 1001, "message": "", "at": 0}]},
        {"bytes_in": -1},
        {"upstream": ["x"] * 1001},
        {"unknown": 1},
    ],
)
def test_what_no_worker_writes_is_refused(change: dict[str, Any]) -> None:
    given = record("a").model_dump() | change
    with pytest.raises(ValidationError):
        Record.model_validate(given)


def test_kept_and_found() -> None:
    state = State()
    record_store.set_in_state(state, record("a"))
    assert list(state) == ["latency.1"]
    assert Record.model_validate(state["latency.1"]) == record("a")
    assert record_store.is_in_state(state, 1)
    assert not record_store.is_in_state(state, 2)


def test_a_long_record_is_cut_to_what_airflow_takes() -> None:
    state = State()
    record_store.set_in_state(state, record("a", cells=MANY_CELLS))
    kept = Record.model_validate(state["latency.1"])
    assert len(json.dumps(state["latency.1"])) < 64_000
    assert kept.cells == ()
    assert kept.phases == record("a").phases
    assert kept.partial == "its cells are in the object store only"


def test_events_go_before_cells() -> None:
    events = [{"reason": "Pulling", "message": "x" * 2000, "at": 0}] * 100
    state = State()
    record_store.set_in_state(state, record("a", cells=MANY_CELLS[:100], events=events))
    kept = Record.model_validate(state["latency.1"])
    assert len(kept.cells) == 100
    assert kept.partial == "its events are in the object store only"


def test_its_numbers() -> None:
    one = record("a")
    assert one.duration == pytest.approx(1.0)
    assert one.overhead == pytest.approx(0.2)
    assert one.seconds("prepare", "finish") == pytest.approx(0.2)
    assert record("a", end=None).duration == pytest.approx(1.0)
