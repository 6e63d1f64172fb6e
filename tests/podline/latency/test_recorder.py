"""When what a stage is at is noted: under a supervisor, and for stages alone."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from podline.latency import recorder
from podline.latency.observations import Observed
from podline.latency.record import Note

STAGE = SimpleNamespace(observed=Observed())


class Live:
    """Stands for `LivePhase`: it notes once, and when it is told to end."""

    made: list["Live"]

    def __init__(
        self,
        start: Callable[[], float],
        look: Callable[[], Any],
        note: Callable[[Any], object],
    ) -> None:
        self.start, self.seen, self.over = start(), look(), False
        self.made.append(self)
        note(Note(phase="submit", since=1000.0))

    def end(self) -> None:
        self.over = True


def instance(task: Any, state: dict[str, Any]) -> Any:
    """Stands for Airflow's RuntimeTaskInstance; `state` takes what is kept."""
    store = SimpleNamespace(set=state.__setitem__)
    context = {"task_state_store": store}
    return SimpleNamespace(
        id=1,
        task=task,
        try_number=3,
        start_date=datetime.fromtimestamp(999.5, UTC),
        get_template_context=lambda: context,
        _ti_context_from_server=None,
    )


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Live]:
    Live.made = []
    monkeypatch.setattr(recorder, "LivePhase", Live)
    monkeypatch.setattr(recorder, "is_supervised", lambda: True)
    monkeypatch.setattr(recorder, "_record", lambda *_: None)
    return Live.made


def test_a_stage_notes_what_it_is_at_until_its_end(made: list[Live]) -> None:
    state: dict[str, Any] = {}
    ti = instance(STAGE, state)
    recorder.begin(ti)
    assert state == {"latency.now.3": {"phase": "submit", "since": 1000.0}}
    assert (made[0].start, made[0].seen, made[0].over) == (999.5, STAGE.observed, False)
    recorder.end(ti)
    assert made[0].over


def test_a_plain_task_notes_nothing(made: list[Live]) -> None:
    recorder.begin(instance(SimpleNamespace(), {}))
    assert made == []


def test_without_a_supervisor_nothing_is_noted(
    made: list[Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "is_supervised", lambda: False)
    recorder.begin(instance(STAGE, {}))
    assert made == []


def test_who_wants_no_records_gets_no_notes(
    made: list[Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__LATENCY", "none")
    recorder.begin(instance(STAGE, {}))
    assert made == []
