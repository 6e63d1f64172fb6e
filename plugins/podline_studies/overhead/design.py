"""What a study measures: combinations of sizes and backends, in an order that a seed makes."""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NotRequired, TypedDict

from podline.contract import Json
from podline.settings import Backend
from podline_studies.validation import DesignError, one_of, positive, refuse_too_many, some_of

# The whole notebook in one kernel: what the others are compared with.
BASELINE = "notebook"  # in a process of this machine
POD_BASELINE = "notebook-pod"  # in a pod, with the Python and the libraries of the stages' pods
BASELINES = (BASELINE, POD_BASELINE)
STOCK = "stock"  # Airflow's own pod operator as it is
TUNED = "stock-tuned"  # the same, where it looks as often as it can
BACKENDS = (*BASELINES, *(backend.value for backend in Backend), STOCK, TUNED)


@dataclass(frozen=True)
class Combination(Json):
    """One run to measure.

    Attributes:
        index: its place in the order, from 0.
        backend: one of `BACKENDS`.
        data, model: the values of the size parameters; None: the notebook's default.
        repeat: which of the repeats, from 0.
    """

    index: int
    notebook: str
    backend: str
    data: int | None
    model: int | None
    repeat: int

    def __str__(self) -> str:
        sizes = in_words((self.data, self.model))
        return f"{self.notebook}, {self.backend}, {sizes}, repeat {self.repeat}"


def in_words(sizes: Iterable[int | None]) -> str:
    """A data size and a model size, for people."""
    return " × ".join("default" if size is None else f"{size:,}" for size in sizes)


@dataclass(frozen=True)
class Design(Json):
    """All combinations of notebooks, backends and sizes, each so many times.

    Attributes:
        notebooks: their names.
        backends: of `BACKENDS`.
        sizes: pairs of a data size and a model size.
        repeats: how often each combination is measured.
        seed: of the order.
    """

    notebooks: tuple[str, ...]
    backends: tuple[str, ...]
    sizes: tuple[tuple[int | None, ...], ...]
    repeats: int
    seed: int

    def items(self) -> list[Combination]:
        """Return the combinations in order: each repeat has each of them, shuffled."""
        cells = [
            (notebook, backend, data, model)
            for notebook in self.notebooks
            for backend in self.backends
            for data, model in self.sizes
        ]
        found: list[Combination] = []
        for repeat in range(self.repeats):
            random.Random(f"{self.seed}/{repeat}").shuffle(cells)
            found += [
                Combination(len(found) + place, *cell, repeat) for place, cell in enumerate(cells)
            ]
        return found

    def adds_to(self, begun: "Design") -> bool:
        """Whether it is another design with more repeats."""
        return replace(self, repeats=begun.repeats) == begun and self.repeats > begun.repeats

    @property
    def warm_up(self) -> tuple[int | None, ...]:
        """The sizes of runs that warm up: the smallest."""
        return min(self.sizes, key=lambda pair: [size or 0 for size in pair])


@dataclass(frozen=True)
class Preset:
    """Sizes and repeats that go together."""

    sizes: tuple[tuple[int, int], ...]
    repeats: int


_CROSSED = itertools.product((10_000, 100_000, 1_500_000), (10_000, 300_000, 10_000_000))
PRESETS = {
    "quick": Preset(((10_000, 10_000), (1_000_000, 10_000)), 3),
    # Where data is largest, training, which takes a fixed number of steps, is the same again.
    "full": Preset((*_CROSSED, (10_000_000, 10_000)), 8),
}


class Params(TypedDict):
    """What a DAG run is given; `data`, `models` and `repeats`, if any, instead of the preset's."""

    preset: str
    notebooks: Sequence[str]
    backends: Sequence[str]
    seed: int
    data: NotRequired[Sequence[int] | None]
    models: NotRequired[Sequence[int] | None]
    repeats: NotRequired[int | None]


def from_params(params: Params) -> Design:
    """Return the design that a DAG run's parameters ask for.

    Raises:
        DesignError: a value cannot be used; the message names the parameter.
    """
    preset = PRESETS[one_of("preset", params["preset"], PRESETS)]
    if not params["notebooks"]:
        raise DesignError("notebooks = []: name at least one notebook")
    design = Design(
        notebooks=tuple(dict.fromkeys(params["notebooks"])),
        backends=some_of("backends", params["backends"], BACKENDS),
        sizes=_sizes(preset, params.get("data"), params.get("models")),
        repeats=positive("repeats", params.get("repeats") or preset.repeats),
        seed=params["seed"],
    )
    many = len(design.notebooks) * len(design.backends) * len(design.sizes) * design.repeats
    refuse_too_many(many, "combinations", "fewer sizes, backends or repeats")
    return design


def _sizes(
    preset: Preset, data: Sequence[int] | None, models: Sequence[int] | None
) -> tuple[tuple[int | None, ...], ...]:
    if not data and not models:
        return preset.sizes
    own_data = dict.fromkeys(pair[0] for pair in preset.sizes)
    own_models = dict.fromkeys(pair[1] for pair in preset.sizes)
    return tuple(
        (positive("data", one), positive("models", other))
        for one in dict.fromkeys(data or own_data)
        for other in dict.fromkeys(models or own_models)
    )
