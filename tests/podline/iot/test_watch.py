"""The watch's readings: windows of the people by whom a model was judged."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from podline.iot.device import DeviceError, Reading
from podline.iot.watch import Watch
from podline.models.signature import ANY, TensorSpec
from tests.podline.iot.conftest import MANIFEST

SAID: dict[str, Any] = {"model": "network", "window": 2.0, "held_out": [9]}
NETWORK = replace(MANIFEST, parameters=SAID, metrics={"accuracy_network": 0.75})
FOREST = replace(MANIFEST, parameters={**SAID, "model": "forest"})


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    return [*Watch(NETWORK).readings()]


def test_a_window_each_second(readings: list[Reading]) -> None:
    first, second = readings[:2]
    assert second.time - first.time == timedelta(seconds=1)
    assert first.known - first.time == timedelta(seconds=1)
    spec = TensorSpec("input", "FP32", (ANY, 100, 6))
    assert first.row(spec).shape == (1, 100, 6)
    assert (first.row(spec)[0, 50:] == second.row(spec)[0, :50]).all()
    assert {reading.truth for reading in readings} == {
        "PEN",
        "ABD",
        "FEL",
        "IR",
        "ER",
        "TRAP",
        "ROW",
    }


def test_without_a_model_it_says_what_the_others_do_most(readings: list[Reading]) -> None:
    assert len({reading.baseline for reading in readings}) == 1
    right = sum(reading.baseline == reading.truth for reading in readings)
    assert 0.05 < right / len(readings) < 0.3


def test_a_forest_gets_statistics_by_their_names() -> None:
    first = next(Watch(FOREST).readings())
    columns = ("mean_ax", "correlation_ax_ay")
    assert first.row(TensorSpec("input", "FP32", (ANY, 2), columns)).shape == (1, 2)


def test_what_models_say() -> None:
    watch = Watch(NETWORK)
    assert watch.answer({"output": [0.1, 0.7, 0.2, 0, 0, 0, 0]}) == "ABD"
    assert watch.answer({"label": [2], "probabilities": [0.9, 0.1, 0, 0, 0, 0, 0]}) == "FEL"
    assert (watch.loss("ABD", "ABD"), watch.loss("ABD", "FEL")) == (0.0, 1.0)
    assert watch.expected(NETWORK) == 0.25
    assert watch.expected(FOREST) is None


def test_people_who_were_not_recorded() -> None:
    with pytest.raises(DeviceError, match=r"no recordings of \[11\]: give some of 1 to 10"):
        next(Watch(NETWORK, subjects=[11]).readings())
