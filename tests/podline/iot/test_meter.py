"""The meter's readings are the recorded ones, and know nothing of what comes after."""

import lzma
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
import pytest

from podline import datasets
from podline.iot.device import DeviceError, Reading
from podline.iot.meter import Meter
from podline.models.manifest import ServedForm
from podline.models.signature import ANY, TensorSpec
from tests.podline.iot.conftest import MANIFEST

FIRST, LAST = datetime(2007, 2, 1), datetime(2007, 2, 3)


@pytest.fixture(scope="module")
def meter() -> Meter:
    return Meter(MANIFEST, FIRST, LAST)


@pytest.fixture(scope="module")
def readings(meter: Meter) -> list[Reading]:
    return [*meter.readings()]


@pytest.fixture(scope="module")
def hours() -> dict[datetime, float]:
    """The mean power of each hour, as the table has it."""
    with lzma.open(datasets.fetch("household_power"), "rt") as text:
        lines = [line.split(",")[:3] for line in islice(text, 1, 80_000)]
    found: dict[datetime, list[float]] = {}
    for day, clock, power in lines:
        time = datetime.strptime(f"{day} {clock[:2]}", "%d/%m/%Y %H")
        found.setdefault(time, []).extend([] if power == "?" else [float(power)])
    return {time: float(np.mean(values)) for time, values in found.items() if len(values) == 60}


def test_each_hour_is_asked_about_when_it_is_over(readings: list[Reading]) -> None:
    times = [reading.time for reading in readings]
    assert times == [FIRST + timedelta(hours=hour) for hour in range(1, 49)]
    assert {reading.known - reading.time for reading in readings} == {timedelta(hours=2)}


def test_what_is_known_is_before_and_what_is_true_comes_after(
    readings: list[Reading], hours: dict[datetime, float]
) -> None:
    for reading in readings:
        last = reading.time - timedelta(hours=1)
        assert reading.columns["power_0h"] == pytest.approx(hours[last], rel=1e-4)
        assert reading.baseline == pytest.approx(hours[last], rel=1e-4)
        assert reading.truth == pytest.approx(hours[last + timedelta(hours=2)], rel=1e-4)


def test_a_row_has_the_columns_that_the_model_takes(readings: list[Reading]) -> None:
    columns = ("voltage_0h", "power_0h")
    row = readings[0].row(TensorSpec("input", "FP32", (ANY, 2), columns))
    assert row.dtype == "float32"
    assert row.tolist() == [[pytest.approx(readings[0].columns[name]) for name in columns]]
    with pytest.raises(DeviceError, match="takes 'wind', which the device does not have"):
        readings[0].row(TensorSpec("input", "FP32", (ANY, 1), ("wind",)))


def test_errors_are_in_kilowatts(meter: Meter) -> None:
    assert meter.error((meter.loss(1.0, 4.0) + meter.loss(5.0, 1.0)) / 2) == 12.5**0.5
    assert meter.answer({"output": [1.25]}) == 1.25


def test_what_is_expected_is_of_the_form_that_is_served(meter: Meter) -> None:
    assert meter.expected(MANIFEST) == 0.4
    form = ServedForm("onnx-int8", "model.int8.onnx", 0.0, 0.1, {"rmse_network": 0.5})
    assert meter.expected(replace(MANIFEST, served=(form,))) == 0.5
    assert meter.expected(replace(MANIFEST, metrics={})) is None


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (datetime(2006, 12, 20), LAST),
        (FIRST, FIRST),
        (datetime(2011, 1, 1), datetime(2011, 2, 1)),
    ],
)
def test_times_of_which_it_has_no_readings(first: datetime, last: datetime) -> None:
    with pytest.raises(DeviceError, match="cannot be replayed from .* the first four weeks"):
        Meter(MANIFEST, first, last)


def test_by_default_the_held_out_year_is_replayed() -> None:
    meter = Meter(MANIFEST)
    assert (meter._last - meter._first) == timedelta(days=365)


def test_a_notebook_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__NOTEBOOKS_FOLDER", "/nowhere")
    with pytest.raises(DeviceError, match=r"/nowhere/household_power.ipynb is not there"):
        Meter(MANIFEST)
