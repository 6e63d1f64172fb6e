"""What a stage is at is noted beside its work, and seldom."""

import threading

import pytest

from podline.latency import live_phase, record_store
from podline.latency.live_phase import LivePhase, Now, now_of
from podline.latency.observations import Moments, Observed
from podline.latency.record import Note
from tests.support.waiting import until

POD: dict[str, float] = {"execute": 1.0, "created": 2.0, "bound": 3.0, "running": 4.0, "heard": 9.0}


@pytest.mark.parametrize(
    ("count", "phase"),
    [(1, "submit"), (2, "schedule"), (3, "start"), (4, "run"), (5, "finish")],
)
def test_what_a_pods_worker_sees(count: int, phase: str) -> None:
    known = dict(list(POD.items())[:count])
    assert now_of(Observed(Moments(**known), backend="kubernetes")) == (
        phase,
        [*known.values()][-1],
    )


def test_a_process_runs_as_soon_as_it_is_made() -> None:
    seen = Observed(Moments(execute=1.0, created=2.0), backend="process")
    assert now_of(seen) == ("run", 2.0)


def test_of_a_pod_that_was_taken_over_the_try_knows_since_then() -> None:
    seen = Observed(Moments(execute=1.0, adopted=2.0), backend="kubernetes")
    assert now_of(seen) == ("schedule", 2.0)


def test_nothing_is_said_before_the_work_begins() -> None:
    assert now_of(Observed()) is None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_phase, "_EVERY", 0.01)


@pytest.mark.usefixtures("quick")
def test_each_phase_is_noted_once_and_none_after_the_end() -> None:
    seen = Observed(Moments(execute=1.0), backend="kubernetes")
    noted: list[Now] = []
    live = LivePhase(lambda: seen, noted.append)
    until(lambda: noted == [("submit", 1.0)], 5)
    seen.moments.created = 2.0
    until(lambda: len(noted) == 2, 5)
    live.end()
    until(lambda: not any(thread.name.endswith("(_keep)") for thread in threading.enumerate()), 5)
    seen.moments.heard = 3.0
    assert noted == [("submit", 1.0), ("schedule", 2.0)]


def test_a_phase_that_is_soon_over_is_not_noted() -> None:
    noted: list[Now] = []
    LivePhase(lambda: Observed(Moments(execute=1.0)), noted.append).end()
    assert noted == []


@pytest.mark.usefixtures("quick")
def test_a_store_that_refuses_is_left_alone() -> None:
    asked = []

    def refuse(now: Now) -> None:
        asked.append(now)
        raise OSError("no")

    LivePhase(lambda: Observed(Moments(execute=1.0 + len(asked))), refuse)
    until(lambda: asked, 5)
    until(lambda: not any(thread.name.endswith("(_keep)") for thread in threading.enumerate()), 5)
    assert asked == [("submit", 1.0)]


def test_a_note_is_what_its_reader_expects() -> None:
    class State(dict[str, dict[str, object]]):
        def set(self, key: str, value: dict[str, object]) -> None:
            self[key] = value

    state = State()
    record_store.set_now(state, 2, ("run", 1000.0))
    assert Note.model_validate(state["latency.now.2"]) == Note(phase="run", since=1000.0)
