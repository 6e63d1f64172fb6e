"""What is counted, in the text format of Prometheus."""

import os
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from podline.edge.repository import ServedModel

_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds


class Metrics:
    """Counts requests and swaps. Each number is changed by one thread alone."""

    def __init__(self) -> None:
        self.started = time.time()
        self.store_seen = 0.0  # when the store answered last (epoch)
        self.in_flight = 0
        self._requests: Counter[tuple[str, int]] = Counter()  # by model and status
        self._buckets: dict[str, list[int]] = {}  # by model; the last is beyond all bounds
        self._seconds: Counter[str] = Counter()
        self._swaps: Counter[tuple[str, str]] = Counter()

    def answered(self, model: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            model: its model's name.
            status: of the answer.
            seconds: from its last byte to its answer.
        """
        self._requests[model, status] += 1
        buckets = self._buckets.setdefault(model, [0] * (len(_BOUNDS) + 1))
        buckets[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[model] += seconds  # type: ignore[assignment]  # counts seconds

    def swapped(self, model: str) -> None:
        """Count a swap."""
        self._swaps[model, "done"] += 1

    def swap_failed(self, model: str) -> None:
        """Count a version that was not taken up."""
        self._swaps[model, "failed"] += 1

    def text(self, models: Iterable[ServedModel]) -> str:
        """All of it, as Prometheus reads it."""
        return "\n".join((*self._lines([*models]), ""))

    def _lines(self, models: list[ServedModel]) -> Iterator[str]:
        requests = _by_label("code", self._requests)
        yield from _metric("requests_total", "counter", "Requests by model and status.", requests)
        yield from self._histograms()
        swaps = _by_label("outcome", self._swaps)
        yield from _metric("swaps_total", "counter", "Versions taken up, or not.", swaps)
        yield from _metric(
            "model_version",
            "gauge",
            "The version that answers; 0: none.",
            {
                f'model="{model.name}",alias="{model.alias}"': model.current.number
                if model.current
                else 0
                for model in models
            },
        )
        yield from _metric(
            "model_trouble",
            "gauge",
            "1: a version is not taken up.",
            {
                f'model="{model.name}",reason="{_escaped(model.reason)}"': int(bool(model.trouble))
                for model in models
            },
        )
        yield from _metric(
            "requests_in_flight", "gauge", "Requests under way.", {"": self.in_flight}
        )
        yield from _metric(
            "store_seen_seconds", "gauge", "When the store answered last.", {"": self.store_seen}
        )
        yield from _metric("start_seconds", "gauge", "When the server started.", {"": self.started})
        yield from _metric("memory_bytes", "gauge", "Resident memory.", {"": resident()})

    def _histograms(self) -> Iterator[str]:
        name = "podline_edge_request_seconds"
        yield f"# HELP {name} From a request's last byte to its answer."
        yield f"# TYPE {name} histogram"
        for model, buckets in sorted(self._buckets.items()):
            for bound, count in zip((*_BOUNDS, "+Inf"), accumulate(buckets), strict=True):
                yield f'{name}_bucket{{model="{model}",le="{bound}"}} {count}'
            yield f'{name}_sum{{model="{model}"}} {self._seconds[model]}'
            yield f'{name}_count{{model="{model}"}} {sum(buckets)}'


def _by_label(label: str, counts: Mapping[tuple[str, Any], int]) -> dict[str, float]:
    """Counts by model and another label, as Prometheus names them, in order.

    Args:
        label: the other one's name.
        counts: by model and that label's value.
    """
    return {
        f'model="{model}",{label}="{value}"': count
        for (model, value), count in sorted(counts.items())
    }


def _metric(name: str, kind: str, says: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP podline_edge_{name} {says}"
    yield f"# TYPE podline_edge_{name} {kind}"
    for labels, value in values.items():
        yield (
            f"podline_edge_{name}{{{labels}}} {value}" if labels else f"podline_edge_{name} {value}"
        )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def resident() -> int:
    """The bytes of this process that are in memory; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
