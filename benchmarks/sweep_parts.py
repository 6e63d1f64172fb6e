"""The studies of a sweep, and how long they take by what was measured of such runs before."""

import csv
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podline.settings import Backend
from podline_studies.overhead.design import (
    AHEAD,
    AT_ONCE,
    BASELINE,
    BASELINES,
    POD_BASELINE,
    STOCK,
    TUNED,
    Combination,
    Design,
    from_params,
)

MEASURED = Path(__file__).parents[1] / "docs/overhead"
BETWEEN = 4.0  # seconds from a run's end to the next one's start, as in the study that is kept
_FIXED_STEPS = 50  # of household_power's metadata
# Of what was not measured: a backend that takes no less, and how many times it.
_NO_LESS = {
    POD_BASELINE: (BASELINE, 1.3),
    TUNED: (STOCK, 1),
    AHEAD: ("kubernetes", 1),
    **{backend: ("kubernetes", number) for backend, number in AT_ONCE.items()},
}
# Seconds of a run of activity_recognition, at most: the processor time that its processes took, 50,
# and 2.2 for each of its six stages, as of household_power's in pods.
ACTIVITY = 65.0


@dataclass(frozen=True)
class Part:
    """One study of a sweep.

    Attributes:
        name: behind the sweep's own.
        file: of its raw data, beside docs/overhead.md.
        conf: of the DAG `overhead_sweep`.
        join: two stages that a copy of the notebook has joined.
    """

    name: str
    file: str
    conf: Mapping[str, Any]
    join: tuple[str, str] | None = None

    def design(self, seed: int, repeats: int | None = None) -> Design:
        """Its design.

        Raises:
            DesignError: a value cannot be used.
        """
        given = {"preset": "full", "notebooks": ["household_power"], "seed": seed}
        return from_params({**given, "repeats": repeats, **self.conf})  # type: ignore[typeddict-item]


# What docs/overhead.md shows, and what it says is missing.
FULL = (
    # Six repeats on one day and six on another: intervals need six of a session.
    Part("sizes", "study.jsonl.gz", {"backends": [*BASELINES, *Backend], "repeats": 12}),
    # What it takes more than podline's hardly depends on sizes: one is enough.
    Part(
        "stock",
        "stock.jsonl.gz",
        {
            "backends": [POD_BASELINE, "kubernetes", STOCK, TUNED],
            "data": [1_500_000],
            "models": [300_000],
        },
    ),
    Part(
        "join",
        "join.jsonl.gz",
        {"backends": [BASELINE, "kubernetes"], "data": [1_000_000], "models": [10_000]},
        join=("train", "evaluate"),
    ),
    Part(
        "steps",
        "steps.jsonl.gz",
        {
            "backends": [POD_BASELINE, "kubernetes"],
            "data": [100_000],
            "models": [10_000, 10_000_000],
            "steps": [50, 200],
        },
    ),
    Part(
        "load",
        "load.jsonl.gz",
        {
            "backends": [POD_BASELINE, "kubernetes", AHEAD, *AT_ONCE],
            "data": [100_000],
            "models": [300_000],
        },
    ),
    Part(
        "activity",
        "activity.jsonl.gz",
        {
            "notebooks": ["activity_recognition"],
            "backends": [POD_BASELINE, "process", "kubernetes"],
            "data": [],
            "models": [200],
        },
    ),
)


def hours(part: Part, seed: int = 1, repeats: int | None = None) -> float:
    """How long a part takes at most, by what such runs took.

    Args:
        part: of `FULL`.
        seed: of its design.
        repeats: likewise.
    """
    design, walls = part.design(seed, repeats), _walls()
    notebooks = 2 if part.join else 1
    return notebooks * sum(_seconds(one, walls) + BETWEEN for one in design.items()) / 3600


def _seconds(one: Combination, walls: Mapping[tuple[str, int, int], float]) -> float:
    backend, times = _NO_LESS.get(one.backend, (one.backend, 1))
    if one.data is None or one.model is None:
        return times * ACTIVITY
    near = min(walls, key=lambda key: (key[0] != backend, _apart(key[1:], (one.data, one.model))))
    more_steps = max(0, one.steps / _FIXED_STEPS - 1)  # by the whole notebook's time, at most
    return times * walls[near] + more_steps * walls[BASELINE, *near[1:]]


def _apart(one: tuple[int, ...], other: tuple[int | None, ...]) -> float:
    return sum(abs(math.log(a / (b or a))) for a, b in zip(one, other, strict=True))


def _walls() -> dict[tuple[str, int, int], float]:
    """The mean wall of each backend and size, over kinds of machine."""
    found: dict[tuple[str, int, int], list[float]] = {}
    for row in _rows("combinations"):
        for backend, wall in ((row["backend"], "wall"), (BASELINE, "baseline")):
            found.setdefault((backend, *_sizes(row)), []).append(float(row[f"{wall}_s_mean"]))
    for row in _rows("stock-operators"):
        found.setdefault((row["than"], *_sizes(row)), []).append(float(row["stock_s_mean"]))
    return {key: statistics.mean(walls) for key, walls in found.items()}


def _sizes(row: Mapping[str, str]) -> tuple[int, int]:
    return int(float(row["data"])), int(float(row["model"]))


def _rows(table: str) -> list[dict[str, str]]:
    """A table of the page's; nothing, if there is none."""
    path = MEASURED / f"{table}.csv"
    if not path.is_file():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))
