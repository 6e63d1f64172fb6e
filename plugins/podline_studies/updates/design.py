"""What the update study measures: batches of updates over a link, in an order that a seed makes."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from podline.contract import Json
from podline_studies.updates.nodes import WAYS
from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.design import KB, MB, in_bytes
from podline_studies.validation import one_of, positive, refuse_too_many, some_of

FORMS = ("float32", "int8")


@dataclass(frozen=True)
class Cell(Json):
    """A model: the bytes that it has as ``float32``, and the form in which it is taken up.

    Attributes:
        repeats: how often each way takes up a new version of it in a batch.
    """

    size: int
    form: str
    repeats: int


@dataclass(frozen=True)
class Planned:
    """One update of a batch: which model, by which way, and in which repeat."""

    cell: Cell
    way: str
    repeat: int


@dataclass(frozen=True)
class Batch(Json):
    """Some updates from one store over one link, with nodes that are started for them.

    Attributes:
        index: its place in the order, from 0.
        store: the connection's id.
        rtt, rate: of the link, in seconds and bits a second.
        round: which of this link's and store's batches, from 0.
        cells: the models.
    """

    index: int
    store: str
    rtt: float
    rate: float
    round: int
    cells: tuple[Cell, ...]

    def updates(self, ways: Sequence[str], seed: int) -> Iterator[Planned]:
        """The updates in order: in each repeat each model once, by all ways one after another.

        The two stores' batches of a round have the same order.

        Args:
            ways: of the design.
            seed: of the order.
        """
        chance = random.Random(f"{seed}/{self.round}/{self.rtt}/{self.rate}")
        for repeat in range(max(cell.repeats for cell in self.cells)):
            cells = [cell for cell in self.cells if repeat < cell.repeats]
            for cell in chance.sample(cells, len(cells)):
                for way in chance.sample(ways, len(ways)):
                    yield Planned(cell, way, repeat)

    def __str__(self) -> str:
        link = f"{self.rtt * 1000:g} ms, {self.rate / 1e6:g} Mbit/s"
        return f"{self.store}, {link}, round {self.round}"


@dataclass(frozen=True)
class Point(Json):
    """A size, how often, and over which links.

    Attributes:
        size: bytes as ``float32``.
        rtts, rates: of links, in seconds and bits a second.
        repeats: of each way.
    """

    size: int
    rtts: tuple[float, ...]
    rates: tuple[float, ...]
    repeats: int

    def __str__(self) -> str:
        rtts = ", ".join(f"{rtt * 1000:g}" for rtt in self.rtts)
        rates = ", ".join(f"{rate / 1e6:g}" for rate in self.rates)
        return f"{in_bytes(self.size)} ({rtts} ms; {rates} Mbit/s; {self.repeats} repeats)"


@dataclass(frozen=True)
class Design(Json):
    """All points, measured in rounds.

    Attributes:
        points: the models' sizes.
        forms: in which they are taken up.
        ways: by which, of `podline_studies.updates.nodes.WAYS`.
        stores: that they come from, by the ids of their connections: cluster and machine.
        repeats: of a batch, at most.
        seed: of the order.
    """

    points: tuple[Point, ...]
    forms: tuple[str, ...]
    ways: tuple[str, ...]
    stores: tuple[str, ...]
    repeats: int
    seed: int

    def items(self) -> list[Batch]:
        """Return the batches in order: each round has each link once, with both stores in turn."""
        ordered: list[Batch] = []
        for number, links in sorted(self._rounds().items()):
            chance = random.Random(f"{self.seed}/{number}")
            for rtt, rate in chance.sample(sorted(links), len(links)):
                cells = tuple(links[rtt, rate])
                for store in chance.sample(self.stores, len(self.stores)):
                    ordered.append(Batch(len(ordered), store, rtt, rate, number, cells))
        return ordered

    def _rounds(self) -> dict[int, dict[tuple[float, float], list[Cell]]]:
        """The models by round and link."""
        rounds: dict[int, dict[tuple[float, float], list[Cell]]] = {}
        for point in self.points:
            for number, first in enumerate(range(0, point.repeats, self.repeats)):
                many = min(self.repeats, point.repeats - first)
                for link in itertools.product(point.rtts, point.rates):
                    cells = rounds.setdefault(number, {}).setdefault(link, [])
                    cells += [Cell(point.size, form, many) for form in self.forms]
        return rounds

    def link(self, batch: Batch) -> LinkSpec:
        """What the link is to be like for a batch.

        Raises:
            LinkError: no link can be that.
        """
        return LinkSpec(batch.rtt, batch.rate)

    def adds_to(self, begun: "Design") -> bool:
        """Whether it is another design with more repeats, in later rounds."""
        mine, theirs = self.items(), begun.items()
        more = mine[: len(theirs)] == theirs and len(mine) > len(theirs)
        return replace(self, points=begun.points) == begun and more


_RTTS = (0.0, 0.02, 0.05, 0.1, 0.2)
_SLOW, _FAST = 10e6, 100e6
PRESETS: dict[str, tuple[Point, ...]] = {
    "quick": (Point(MB, (0.02, 0.1), (_FAST,), 8), Point(8 * MB, (0.1,), (_FAST,), 8)),
    # 100 MB take 80 s over the slow link.
    "full": (
        *(Point(size, _RTTS, (_SLOW, _FAST), 8) for size in (100 * KB, MB, 10 * MB)),
        Point(100 * MB, (0.02, 0.2), (_FAST,), 8),
        Point(100 * MB, (0.05,), (_SLOW,), 4),
    ),
}


def from_params(params: Mapping[str, Any], stores: Sequence[str]) -> Design:
    """Return the design that a DAG run's parameters ask for.

    Args:
        params: `preset`, `forms`, `ways`, `batch` (repeats of one), `seed`; `sizes` (bytes),
            `rtts_ms`, `rates` (Mbit/s) and `repeats`, where given, instead of the preset's.
        stores: the ids of the connections.

    Raises:
        DesignError, LinkError: a value cannot be used; the message names the parameter.
    """
    design = Design(
        points=_points(params),
        forms=some_of("forms", params["forms"], FORMS),
        ways=some_of("ways", params["ways"], WAYS),
        stores=tuple(stores),
        repeats=positive("batch", params["batch"]),
        seed=int(params["seed"]),
    )
    batches = design.items()
    for batch in batches:
        design.link(batch)
    refuse_too_many(len(batches), "batches", "fewer round trips or rates, or a greater `batch`")
    return design


def _points(params: Mapping[str, Any]) -> tuple[Point, ...]:
    points = PRESETS[one_of("preset", params["preset"], PRESETS)]
    rtts = tuple(ms / 1000 for ms in params.get("rtts_ms") or ())
    rates = tuple(positive("rates", rate) * 1e6 for rate in params.get("rates") or ())
    if sizes := params.get("sizes"):
        own = dict.fromkeys(positive("sizes", size) for size in sizes)
        points = tuple(replace(points[0], size=size) for size in own)
    repeats = params.get("repeats")
    return tuple(
        replace(
            point,
            rtts=rtts or point.rtts,
            rates=rates or point.rates,
            repeats=repeats or point.repeats,
        )
        for point in points
    )
