"""The watch: each second it asks which exercise its wearer does."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from podline import datasets
from podline.iot import notebook_code
from podline.iot.device import Device, DeviceError, Reading, Value, metric, notebook
from podline.models.manifest import Manifest

NOTEBOOK = "activity_recognition"
_DATA = "smartwatch_activity"


class Watch(Device):
    """The watch of the people by whom a version was judged.

    Args:
        manifest: of a version that is asked, which says how long its windows are.
        subjects: whose recordings are replayed; none: those held out.
        source: where the data is, as `datasets.fetch` takes it.
    """

    model, unit, window = NOTEBOOK, "share of windows", 60

    def __init__(self, manifest: Manifest, subjects: Sequence[int] = (), source: str = "") -> None:
        names = "RATE", "AXES", "EXERCISES", "cut", "describe"
        self._code = notebook_code.load(notebook(NOTEBOOK), *names)
        self._exercises: list[str] = [*self._code["EXERCISES"]]
        said: dict[str, Any] = manifest.parameters
        self._length = round(said.get("window", 4.0) * self._code["RATE"])
        self._described = said.get("model") == "forest"
        self._subjects = [*(subjects or said.get("held_out", ()))]
        self._source = source

    def readings(self) -> Iterator[Reading]:
        """A second each, one recording after the other, as if they began now."""
        import pandas as pd

        types = {"recording": "int16", "subject": "int8", "side": "category"}
        types |= {"exercise": "category"} | dict.fromkeys(self._code["AXES"], "float32")
        samples = pd.read_csv(datasets.fetch(_DATA, self._source), dtype=types)
        step = self._code["RATE"]
        windows, about = self._code["cut"](samples, self._length, step)
        replayed = about["subject"].isin(self._subjects).to_numpy()
        if not replayed.any():
            raise DeviceError(
                f"the watch has no recordings of {self._subjects}: give some of 1 to 10"
            )
        # Without a model: what the others do most.
        rest = about["exercise"][~replayed] if not replayed.all() else about["exercise"]
        baseline = self._exercises[rest.mode()[0]]
        windows = windows[replayed]
        described = self._code["describe"](windows) if self._described else None
        time = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        for place, number in enumerate(about["exercise"][replayed]):
            asked = time + timedelta(seconds=place)
            columns = described.iloc[place].to_dict() if described is not None else {}
            known, truth = asked + timedelta(seconds=1), self._exercises[number]
            yield Reading(asked, known, truth, baseline, columns, windows[place])

    def answer(self, outputs: Mapping[str, Sequence[float]]) -> Value:
        """The exercise: the one that the forest says, or the network finds the likeliest."""
        if "label" in outputs:
            return self._exercises[int(outputs["label"][0])]
        shares = next(iter(outputs.values()))
        return self._exercises[max(range(len(shares)), key=shares.__getitem__)]

    def loss(self, answer: Value, truth: Value) -> float:
        """1 for another exercise."""
        return float(answer != truth)

    def error(self, mean: float) -> float:
        """The share of windows that are told wrong."""
        return mean

    def expected(self, manifest: Manifest) -> float | None:
        """What its accuracy lacks on the people by whom it was judged."""
        accuracy = metric(manifest, f"accuracy_{manifest.parameters.get('model')}")
        return None if accuracy is None else 1 - accuracy
