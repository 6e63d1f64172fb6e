"""A device that asks a real edge: what it sees, and what it does when its forecasts drift."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podline.airflow_api import ApiError
from podline.iot.device import Device, DeviceError, Reading, Value
from podline.iot.drift import Drift
from podline.iot.edge_client import EdgeClient
from podline.iot.journal import FileJournal
from podline.iot.replay import Replay
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.store import Store
from tests.support.edge import Edge, publish_line, serving

START = datetime(2026, 1, 1)


class Tank(Device):
    """Its level is six times a slope, of which each reading knows the row; the slope changes."""

    model, unit, window = "power", "m", 4

    def __init__(self, slopes: Sequence[float]) -> None:
        self.slopes = slopes

    def readings(self) -> Iterator[Reading]:
        for hour, slope in enumerate(self.slopes):
            asked = START + timedelta(hours=hour)
            row = np.array([1.0, 2.0, 3.0])
            yield Reading(asked, asked + timedelta(hours=1), 6 * slope, 0.0, {}, row)

    def answer(self, outputs: Mapping[str, Sequence[float]]) -> Value:
        return outputs["output"][0]

    def loss(self, answer: Value, truth: Value) -> float:
        return abs(float(answer) - float(truth))

    def error(self, mean: float) -> float:
        return mean

    def expected(self, manifest: Manifest) -> float | None:
        return 1.0


@dataclass
class Workshop:
    """Makes a better version, in Airflow's place."""

    make: Callable[[], object]
    fails: bool = False
    refuses: bool = False
    started: list[tuple[datetime, str]] = field(default_factory=list)

    def start(self, at: datetime, why: str) -> str:
        if self.refuses:
            raise ApiError("Airflow does not answer")
        if self.started:
            return ""
        self.started.append((at, why))
        self.make()
        return "started"

    def has_failed(self) -> bool:
        return self.fails


Publish = Callable[[float], None]


@pytest.fixture
def publish(store: Store, tmp_path: Path) -> Publish:
    """Publishes a version of a slope, and rolls it out."""

    def version(slope: float) -> None:
        Model(store, "power").promote(publish_line(tmp_path, slope), "edge")

    return version


@pytest.fixture
def edge(publish: Publish, tmp_path: Path) -> Iterator[Edge]:
    publish(1)
    with serving(tmp_path / "edge", models=["power@edge"]) as found:
        yield found


def replayed(url: str, device: Device, folder: Path, **options: Any) -> list[dict[str, Any]]:
    with closing(FileJournal(folder / "seen.jsonl")) as journal, EdgeClient(url, "power") as client:
        drift = Drift(device.window, threshold=2.0)
        Replay(device, client, journal, drift, lambda version: 1.0, **options).run()
        return [*journal.lines()]


def events(lines: list[dict[str, Any]], event: str) -> list[str]:
    return [line["text"] for line in lines if line.get("event") == event]


def test_answers_are_compared_with_what_was_true_afterwards(edge: Edge, tmp_path: Path) -> None:
    lines = replayed(edge.url, Tank([1, 1, 1, 1, 1.5]), tmp_path)
    seen = [line for line in lines if line["kind"] == "observation"]
    assert [line["truth"] for line in seen] == [6, 6, 6, 6, 9]
    assert [line["answer"] for line in seen] == pytest.approx([6] * 5)
    assert {line["version"] for line in seen} == {1}
    assert [line["error"] for line in seen[:3]] == [None] * 3  # the window is not full
    assert [line["error"] for line in seen[3:]] == pytest.approx([0, 0.75], abs=1e-5)
    assert seen[-1]["baseline_error"] == pytest.approx(6.75)
    assert seen[-1]["known"] == "2026-01-01T05:00:00"
    assert events(lines, "version") == ["version 1 answers"]
    assert events(lines, "drift") == []
    model = edge.model()  # it was told how far off it was, for whoever compares versions
    assert (model["labels"], model["error"]) == (5, pytest.approx(3 / 5, abs=1e-5))


def test_drift_starts_the_pipeline_and_its_version_is_waited_for(
    edge: Edge,
    publish: Publish,
    tmp_path: Path,
) -> None:
    workshop = Workshop(lambda: publish(2))
    lines = replayed(edge.url, Tank([1] * 4 + [2] * 20), tmp_path, retraining=workshop, hold=120.0)
    # 6 m off in each new reading, over four: beyond 2 m with the second one.
    ((at, why),) = workshop.started
    assert at == datetime(2026, 1, 1, 6)
    assert why == (
        "the error of version 1 is 3.000 m over 4 readings, 3.00 times what its evaluation found"
    )
    assert events(lines, "drift") == [why]
    assert events(lines, "pipeline") == ["started"]
    # Time stood still: the reading after it was answered by the new version, without an error.
    assert events(lines, "version") == ["version 1 answers", "version 2 answers, before 1"]
    seen = [line for line in lines if line["kind"] == "observation"]
    assert [line["version"] for line in seen] == [1] * 6 + [2] * 18
    assert seen[-1]["error"] == pytest.approx(0, abs=1e-5)


def test_a_pipeline_that_fails_is_said_and_the_device_goes_on(edge: Edge, tmp_path: Path) -> None:
    workshop = Workshop(lambda: None, fails=True)
    lines = replayed(edge.url, Tank([1] * 4 + [2] * 6), tmp_path, retraining=workshop, hold=120.0)
    assert events(lines, "failure") == ["the pipeline's run failed: see its log in Airflow"]
    assert len(lines) == 10 + 4


def test_an_airflow_that_does_not_answer(edge: Edge, tmp_path: Path) -> None:
    workshop = Workshop(lambda: None, refuses=True)
    lines = replayed(edge.url, Tank([1] * 4 + [2] * 2), tmp_path, retraining=workshop)
    assert events(lines, "failure") == ["Airflow does not answer"]


def test_an_edge_that_goes_away_is_said_once(edge: Edge, tmp_path: Path) -> None:
    class Going(Tank):
        def readings(self) -> Iterator[Reading]:
            for number, reading in enumerate(super().readings()):
                if number == 3:
                    edge.process.kill()
                    edge.process.wait()
                yield reading

    lines = replayed(edge.url, Going([1] * 6), tmp_path)
    seen = [line for line in lines if line["kind"] == "observation"]
    assert [line["answer"] for line in seen] == [pytest.approx(6)] * 3 + [None] * 3
    assert [line["version"] for line in seen] == [1] * 3 + [0] * 3
    (said,) = events(lines, "failure")
    assert said == seen[-1]["failure"]
    assert f"the edge does not answer at {edge.url}" in said


def test_a_device_that_lacks_what_the_model_takes(edge: Edge, tmp_path: Path) -> None:
    class Blind(Tank):
        def readings(self) -> Iterator[Reading]:
            yield Reading(START, START, 0.0, 0.0, {"level": 1.0})

    with pytest.raises(DeviceError, match="does not say which columns it takes"):
        replayed(edge.url, Blind([1]), tmp_path)


def test_time_goes_as_fast_as_it_is_told(edge: Edge, tmp_path: Path) -> None:
    began = time.monotonic()
    replayed(edge.url, Tank([1] * 5), tmp_path, speed=2 * 3600.0)
    assert time.monotonic() - began > 4 / 2
