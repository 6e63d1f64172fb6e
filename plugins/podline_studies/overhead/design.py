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
AHEAD = "kubernetes-ahead"  # podline's pods, begun ahead of their stage
AT_ONCE = {"kubernetes-x2": 2, "kubernetes-x4": 4}  # so many runs at once, of which the longest
IN_PODS = (Backend.KUBERNETES.value, STOCK, TUNED, AHEAD, *AT_ONCE)
BACKENDS = (*BASELINES, *(backend.value for backend in Backend), STOCK, TUNED, AHEAD, *AT_ONCE)
USUAL = (*BASELINES, *(backend.value for backend in Backend), STOCK, TUNED)


@dataclass(frozen=True)
class Combination(Json):
    """One run to measure.

    Attributes:
        index: its place in the order, from 0.
        backend: one of `BACKENDS`.
        data, model: the values of the size parameters; None: the notebook's default.
        repeat: which of the repeats, from 0.
        steps: of training; 0: as the notebook has it.
    """

    index: int
    notebook: str
    backend: str
    data: int | None
    model: int | None
    repeat: int
    steps: int = 0

    def __str__(self) -> str:
        sizes = in_words((self.data, self.model))
        steps = f"{self.steps:,} steps, " if self.steps else ""
        return f"{self.notebook}, {self.backend}, {sizes}, {steps}repeat {self.repeat}"


def in_words(sizes: Iterable[int | None]) -> str:
    """A data size and a model size, for people."""
    return " × ".join("default" if size is None else f"{size:,}" for size in sizes)


@dataclass(frozen=True)
class Design(Json):
    """All combinations of notebooks, backends, sizes and steps, each so many times.

    Attributes:
        notebooks: their names.
        backends: of `BACKENDS`.
        sizes: pairs of a data size and a model size.
        repeats: how often each combination is measured.
        seed: of the order.
        steps: numbers of training steps; 0: as the notebook has it.
    """

    notebooks: tuple[str, ...]
    backends: tuple[str, ...]
    sizes: tuple[tuple[int | None, ...], ...]
    repeats: int
    seed: int
    steps: tuple[int, ...] = (0,)

    def items(self) -> list[Combination]:
        """Return the combinations in order: each repeat has each of them, shuffled."""
        cells = [
            (notebook, backend, data, model, steps)
            for notebook in self.notebooks
            for backend in self.backends
            for data, model in self.sizes
            for steps in self.steps
        ]
        found: list[Combination] = []
        for repeat in range(self.repeats):
            random.Random(f"{self.seed}/{repeat}").shuffle(cells)
            found += [
                Combination(len(found) + place, *cell[:4], repeat, cell[4])
                for place, cell in enumerate(cells)
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


_CROSSED = itertools.product((10_000, 1_500_000), (10_000, 300_000, 10_000_000))
PRESETS = {
    "quick": Preset(((10_000, 10_000), (1_000_000, 10_000)), 3),
    # Where data is largest, training, which takes a fixed number of steps, is the same again.
    "full": Preset((*_CROSSED, (10_000_000, 10_000)), 6),
}


class Params(TypedDict):
    """What a DAG run is given; `data`, `models` and `repeats`, if any, instead of the preset's.

    No size at all, an empty list, is the notebook's own.
    """

    preset: str
    notebooks: Sequence[str]
    backends: Sequence[str]
    seed: int
    data: NotRequired[Sequence[int] | None]
    models: NotRequired[Sequence[int] | None]
    steps: NotRequired[Sequence[int] | None]
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
        steps=tuple(positive("steps", n) for n in dict.fromkeys(params.get("steps") or ())) or (0,),
    )
    many = len(design.notebooks) * len(design.backends) * len(design.sizes) * len(design.steps)
    refuse_too_many(many * design.repeats, "combinations", "fewer sizes, backends or repeats")
    return design


def _sizes(
    preset: Preset, data: Sequence[int] | None, models: Sequence[int] | None
) -> tuple[tuple[int | None, ...], ...]:
    if data is None and models is None:
        return preset.sizes
    return tuple(
        itertools.product(
            _values("data", data, [pair[0] for pair in preset.sizes]),
            _values("models", models, [pair[1] for pair in preset.sizes]),
        )
    )


def _values(name: str, given: Sequence[int] | None, own: Sequence[int]) -> list[int | None]:
    if given is None:
        given = own
    return [positive(name, size) for size in dict.fromkeys(given)] or [None]
