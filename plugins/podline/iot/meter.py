"""The household's meter: each hour it asks what power the house will draw."""

import lzma
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from podline import datasets
from podline.iot import notebook_code
from podline.iot.device import Device, DeviceError, Reading, Value, metric, notebook
from podline.models.manifest import Manifest

if TYPE_CHECKING:
    import pandas as pd

NOTEBOOK = "household_power"
_HISTORY = timedelta(weeks=4)  # three weeks to look back, a fourth to fill their gaps
# All by which the notebook tells a time, where it has years to learn from.
_CALENDAR = {"hour": 3, "weekday": 3, "season": 1}


class Meter(Device):
    """The meter, between two times.

    Args:
        manifest: of a version that is asked, which says how far ahead it forecasts.
        first: the first hour that is replayed; None: that of the notebook's held-out year.
        last: the hour before which the replay ends; None: with the data.
        source: where the data is, as `datasets.fetch` takes it.
    """

    model, unit, window = NOTEBOOK, "kW", 7 * 24

    def __init__(
        self,
        manifest: Manifest,
        first: datetime | None = None,
        last: datetime | None = None,
        source: str = "",
    ) -> None:
        names = "MINUTES", "END", "YEAR", "HISTORY", "read_table", "make_features"
        self._code = notebook_code.load(notebook(NOTEBOOK), *names)
        self._horizon = int(str(manifest.parameters.get("horizon", 1)))
        self._source = source
        begin, end = self._recorded()
        self._first = first or end - timedelta(minutes=self._code["YEAR"])
        self._last = min(last or end, end)
        if not begin + _HISTORY <= self._first < self._last:
            raise DeviceError(
                f"the meter cannot be replayed from {self._first} to {self._last}: it has readings "
                f"from {begin} to {end}, of which the first four weeks are what it looks back on"
            )

    def readings(self) -> Iterator[Reading]:
        """An hour each, as far as the hour of its forecast was measured."""
        hour, ahead = timedelta(hours=1), timedelta(hours=self._horizon)
        table = self._code["make_features"](
            self._minutes(), self._horizon, self._code["HISTORY"], _CALENDAR
        )
        table = table[self._first :]
        names, targets = [*table.columns.drop("target")], table.pop("target")
        for start, row, target in zip(table.index, table.to_numpy(), targets, strict=True):
            columns = dict(zip(names, row, strict=True))
            asked = start.to_pydatetime() + hour  # what is known at the end of the hour
            baseline = float(columns["power_0h"])
            yield Reading(asked, asked + ahead, float(target), baseline, columns)

    def answer(self, outputs: Mapping[str, Sequence[float]]) -> Value:
        """The power in kW."""
        return float(next(iter(outputs.values()))[0])

    def loss(self, answer: Value, truth: Value) -> float:
        """The square of the error."""
        return (float(answer) - float(truth)) ** 2

    def error(self, mean: float) -> float:
        """The RMSE."""
        return float(mean**0.5)

    def expected(self, manifest: Manifest) -> float | None:
        """The network's RMSE over the hours that it was judged by."""
        return metric(manifest, "rmse_network")

    def _recorded(self) -> tuple[datetime, datetime]:
        end = self._code["END"].to_pydatetime()
        return end - timedelta(minutes=self._code["MINUTES"]), end

    def _minutes(self) -> "pd.DataFrame":
        """The readings that are needed, whole hours of them."""
        import pandas as pd

        begin, _ = self._recorded()
        first = self._first - _HISTORY
        last = self._last + timedelta(hours=self._horizon)
        skipped = 1 + _minutes(first - begin)  # the header
        rows = _minutes(last - first)
        with lzma.open(datasets.fetch(NOTEBOOK, self._source)) as text:
            for _ in islice(text, skipped):
                pass
            parts: list[Any] = [*self._code["read_table"](text, rows, 0)]
        found: Any = pd.concat(parts)
        end = (found.index[-1] + timedelta(minutes=1)).floor("h")
        whole: pd.DataFrame = found[found.index < end]
        return whole


def _minutes(length: timedelta) -> int:
    return int(length / timedelta(minutes=1))
