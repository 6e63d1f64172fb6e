"""What the upload study measures: batches of uploads at points, in an order that a seed makes."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from podline.contract import Json
from podline.models.manifest import SERIALISE, Manifest
from podline_studies.uploads.clients import CLIENTS
from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.validation import DesignError, one_of, positive, refuse_too_many, some_of

KB, MB = 1000, 1_000_000
PLACES = ("pod", "process")


@dataclass(frozen=True)
class Batch(Json):
    """Some pairs of uploads at one point: the same bytes to both stores, one after the other.

    Attributes:
        index: its place in the order, from 0.
        size: bytes; of a real model, of its file.
        model: ``NAME/VERSION`` of a published model; empty: random bytes.
        rtt: of the link, in seconds.
        client: one of `podline_studies.uploads.clients.CLIENTS`.
        round: which of this point's batches, from 0.
        pairs: how many.
    """

    index: int
    size: int
    model: str
    rtt: float
    client: str
    round: int
    pairs: int

    @property
    def what(self) -> str:
        """What is uploaded."""
        return self.model or in_bytes(self.size)

    def __str__(self) -> str:
        return f"{self.what}, {self.rtt * 1000:g} ms, {self.client}, round {self.round}"


@dataclass(frozen=True)
class Point(Json):
    """What is uploaded, how often, and over which round trips (seconds).

    Attributes:
        size, model: as a batch's.
        serialise: seconds that the model took to become files when it was published; None: it is
            no model, or its version does not say.
    """

    size: int
    model: str
    rtts: tuple[float, ...]
    pairs: int
    serialise: float | None = None

    def __str__(self) -> str:
        rtts = ", ".join(f"{rtt * 1000:g}" for rtt in self.rtts)
        return f"{self.model or in_bytes(self.size)} ({rtts} ms; {self.pairs} pairs)"


@dataclass(frozen=True)
class Design(Json):
    """All points, measured in rounds.

    Attributes:
        points: what is uploaded.
        clients: by which.
        stores: the two that are compared, by the ids of their connections: cluster and machine.
        rate: of the link, in bits a second.
        loss: share of segments that the link loses.
        jitter: of the link, in seconds.
        place: where uploads come from: ``pod`` or ``process``.
        pairs: of a batch, at most.
        seed: of the order.
    """

    points: tuple[Point, ...]
    clients: tuple[str, ...]
    stores: tuple[str, ...]
    rate: float
    loss: float
    jitter: float
    place: str
    pairs: int
    seed: int

    def items(self) -> list[Batch]:
        """Return the batches in order: each round has each point that is not done, shuffled."""
        rounds: dict[int, list[Batch]] = {}
        for point in self.points:
            for rtt, client in itertools.product(point.rtts, self.clients):
                for number, first in enumerate(range(0, point.pairs, self.pairs)):
                    pairs = min(self.pairs, point.pairs - first)
                    batch = Batch(0, point.size, point.model, rtt, client, number, pairs)
                    rounds.setdefault(number, []).append(batch)
        for number, batches in rounds.items():
            random.Random(f"{self.seed}/{number}").shuffle(batches)
        ordered = itertools.chain.from_iterable(batches for _, batches in sorted(rounds.items()))
        return [replace(batch, index=index) for index, batch in enumerate(ordered)]

    def link(self, batch: Batch) -> LinkSpec:
        """What the link is to be like for a batch.

        Raises:
            LinkError: no link can be that.
        """
        return LinkSpec(batch.rtt, self.rate, self.loss, self.jitter)

    def adds_to(self, begun: "Design") -> bool:
        """Whether it is another design with more pairs, in later rounds."""
        mine, theirs = self.items(), begun.items()
        more = mine[: len(theirs)] == theirs and len(mine) > len(theirs)
        return replace(self, points=begun.points) == begun and more


_ALL = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
PRESETS: dict[str, tuple[Point, ...]] = {
    "quick": tuple(Point(size, "", (0.02, 0.1), 10) for size in (MB, 8 * MB)),
    "full": (
        *(Point(size, "", _ALL, 30) for size in (KB, 64 * KB, MB, 8 * MB)),
        Point(64 * MB, "", _ALL, 10),
        Point(500 * MB, "", (0.02, 0.1), 5),
    ),
}
_OWN = 30  # pairs of sizes of one's own


def from_params(
    params: Mapping[str, Any], models: Mapping[str, Manifest], stores: Sequence[str]
) -> Design:
    """Return the design that a DAG run's parameters ask for.

    Args:
        params: `preset`, `clients`, `rate` (Mbit/s), `loss`, `jitter_ms`, `place`, `pairs`, `seed`;
            `sizes` (bytes; an empty list: none), `rtts_ms` and `repeats`, where given, instead of
            the preset's.
        models: the published models that are uploaded too, by ``NAME/VERSION``; of each its first
            file.
        stores: the ids of the two connections.

    Raises:
        DesignError, LinkError: a value cannot be used; the message names the parameter.
    """
    design = Design(
        points=_points(params, models),
        clients=some_of("clients", params["clients"], CLIENTS),
        stores=tuple(stores),
        rate=params["rate"] * 1e6,
        loss=params["loss"],
        jitter=params["jitter_ms"] / 1000,
        place=one_of("place", params["place"], PLACES),
        pairs=params["pairs"],
        seed=int(params["seed"]),
    )
    batches = design.items()
    for batch in batches:
        design.link(batch)
    fewer = "fewer sizes, round trips or clients, or more `pairs` a batch"
    refuse_too_many(len(batches), "batches", fewer)
    return design


def _points(params: Mapping[str, Any], models: Mapping[str, Manifest]) -> tuple[Point, ...]:
    points = PRESETS[one_of("preset", params["preset"], PRESETS)]
    if (sizes := params.get("sizes")) is not None:
        own = dict.fromkeys(positive("sizes", size) for size in sizes)
        points = tuple(Point(size, "", _ALL, _OWN) for size in own)
    points += tuple(
        Point(manifest.files[0].bytes, name, _ALL, _OWN, manifest.seconds.get(SERIALISE))
        for name, manifest in models.items()
    )
    if not points:
        raise DesignError("nothing is to be uploaded: give `sizes`, or `models`")
    rtts = tuple(ms / 1000 for ms in params.get("rtts_ms") or ())
    repeats = params.get("repeats")
    return tuple(
        replace(point, rtts=rtts or point.rtts, pairs=repeats or point.pairs) for point in points
    )


def in_bytes(size: int) -> str:
    """A size for people: ``8 MB``."""
    for unit, name in ((MB, "MB"), (KB, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} B"
