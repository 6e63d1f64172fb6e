"""What a stage is at is noted beside its work, and seldom."""

import json
import threading
import time

import pytest

from podline.latency import live_phase, record_store
from podline.latency.live_phase import LivePhase, note_of
from podline.latency.observations import Moments, Observed
from podline.latency.record import Note, Phase
from tests.support.waiting import until

POD: dict[str, float] = {"execute": 1.0, "created": 2.0, "bound": 3.0, "running": 4.0, "heard": 9.0}
NOW = 10.0


@pytest.mark.parametrize(
    ("count", "phase"),
    [(1, "submit"), (2, "schedule"), (3, "start"), (4, "run"), (5, "finish")],
)
def test_what_a_pods_worker_sees(count: int, phase: str) -> None:
    known = dict(list(POD.items())[:count])
    note = note_of(0.5, NOW, Observed(Moments(**known), backend="kubernetes"))
    assert note is not None
    assert (note.phase, note.since) == (phase, [*known.values()][-1])
    assert note.phases[0].name == "prepare"


def test_what_a_stage_says_of_itself() -> None:
    seen = Observed(Moments(execute=1.0, created=2.0), backend="process")
    seen.ended = {"boot": 3.0, "fetch": 3.5}
    note = note_of(0.5, NOW, seen)
    assert note is not None
    assert (note.phase, note.since) == ("imports", 3.5)
    assert {one.name: one.seconds for one in note.phases} == {
        "prepare": 0.5,
        "submit": 1.0,
        "boot": 1.0,
        "fetch": 0.5,
    }


def test_of_a_pod_that_was_taken_over_the_try_knows_since_then() -> None:
    seen = Observed(Moments(execute=1.0, adopted=2.0), backend="kubernetes")
    note = note_of(0.5, NOW, seen)
    assert note is not None
    assert (note.phase, note.since) == ("schedule", 2.0)


def test_nothing_is_said_before_the_work_begins() -> None:
    assert note_of(0.5, NOW, Observed()) is None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_phase, "_EVERY", 0.01)


@pytest.mark.usefixtures("quick")
def test_each_phase_is_noted_once_and_none_after_the_end() -> None:
    zero = time.time() - 10
    seen = Observed(Moments(execute=zero + 1), backend="kubernetes")
    noted: list[Note] = []
    live = LivePhase(lambda: zero, lambda: seen, noted.append)
    until(lambda: [note.phase for note in noted] == ["submit"])
    seen.moments.created = zero + 2
    until(lambda: len(noted) == 2)
    live.end()
    until(lambda: not any(thread.name.endswith("(_keep)") for thread in threading.enumerate()))
    seen.moments.heard = zero + 3
    assert [(note.phase, round(note.since - zero)) for note in noted] == [
        ("submit", 1),
        ("schedule", 2),
    ]


def test_a_phase_that_is_soon_over_is_not_noted() -> None:
    noted: list[Note] = []
    LivePhase(lambda: 0.5, lambda: Observed(Moments(execute=1.0)), noted.append).end()
    assert noted == []


@pytest.mark.usefixtures("quick")
def test_a_store_that_refuses_is_left_alone() -> None:
    asked: list[Note] = []

    def refuse(now: Note) -> None:
        asked.append(now)
        raise OSError("no")

    zero = time.time() - 10
    LivePhase(lambda: zero, lambda: Observed(Moments(execute=zero + len(asked))), refuse)
    until(lambda: asked)
    until(lambda: not any(thread.name.endswith("(_keep)") for thread in threading.enumerate()))
    assert [note.phase for note in asked] == ["submit"]


def test_a_note_is_what_its_reader_expects() -> None:
    class State(dict[str, dict[str, object]]):
        def set(self, key: str, value: dict[str, object]) -> None:
            self[key] = value

    past = Phase(name="prepare", start=0.0, seconds=2.0, source="worker", precision=0.001)
    note = Note(phase="run", since=1000.0, phases=(past,))
    state = State()
    record_store.set_now(state, 2, note)
    assert Note.model_validate_json(json.dumps(state["latency.now.2"]), strict=True) == note
