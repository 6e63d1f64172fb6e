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
SIDES = ("cluster", "machine", "bare")  # what the stores are, in their order
LATE = 0.002  # seconds that one packet of a hundred may be late, of a batch that counts
_HEADERS = 1448 / 1500  # the share of what a link carries that is data


@dataclass(frozen=True)
class Arm(Json):
    """A kind of link, and what connections go by over it.

    Attributes:
        name: as results call it; empty: the study's usual one.
        rate: in bits a second.
        loss: share of segments that the link loses.
        jitter: in seconds.
        queue: bandwidth-delay products that wait in front of the link.
        congestion: the algorithm of congestion control; empty: the machine's own.
        tls: whether connections are encrypted, which ends behind the link.
    """

    name: str
    rate: float
    loss: float
    jitter: float
    queue: float = 1.0
    congestion: str = ""
    tls: bool = False


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
        arm: the name of the link's kind; empty: the usual one.
    """

    index: int
    size: int
    model: str
    rtt: float
    client: str
    round: int
    pairs: int
    arm: str = ""

    @property
    def what(self) -> str:
        """What is uploaded."""
        return self.model or in_bytes(self.size)

    def __str__(self) -> str:
        arm = f", {self.arm}" if self.arm else ""
        return f"{self.what}, {self.rtt * 1000:g} ms{arm}, {self.client}, round {self.round}"


@dataclass(frozen=True)
class Point(Json):
    """What is uploaded, how often, and over which round trips (seconds).

    Attributes:
        size, model: as a batch's.
        serialise: seconds that the model took to become files when it was published; None: it is
            no model, or its version does not say.
        batch: pairs of a visit; 0: as many as the design says.
        arm: as a batch's.
    """

    size: int
    model: str
    rtts: tuple[float, ...]
    pairs: int
    serialise: float | None = None
    batch: int = 0
    arm: str = ""


@dataclass(frozen=True)
class Design(Json):
    """All points, measured in rounds, each of which visits a point once.

    Attributes:
        points: what is uploaded.
        clients: by which.
        stores: those that are compared, by the ids of their connections, in the order of `SIDES`;
            older studies have not the last, the same server bare.
        rate, loss, jitter: of the usual link, as an arm's.
        place: where uploads come from: ``pod`` or ``process``.
        pairs: of a batch, at most.
        seed: of the order.
        arms: other links.
        congestion: the usual link's algorithm of congestion control; empty: an older study's, or a
            pod's own link's, which nobody chose.
        accelerated: whether the machine runs by KVM, or is emulated; None: nobody says.
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
    arms: tuple[Arm, ...] = ()
    accelerated: bool | None = None
    congestion: str = ""

    def items(self) -> list[Batch]:
        """Return the batches in order: each round has each point that is not done, shuffled."""
        rounds: dict[int, list[Batch]] = {}
        for point in self.points:
            for rtt, client in itertools.product(point.rtts, self.clients):
                most = point.batch or self.pairs
                for number, first in enumerate(range(0, point.pairs, most)):
                    pairs = min(most, point.pairs - first)
                    what = (point.size, point.model, rtt, client)
                    batch = Batch(0, *what, number, pairs, point.arm)
                    rounds.setdefault(number, []).append(batch)
        for number, batches in rounds.items():
            random.Random(f"{self.seed}/{number}").shuffle(batches)
        ordered = itertools.chain.from_iterable(batches for _, batches in sorted(rounds.items()))
        return [replace(batch, index=index) for index, batch in enumerate(ordered)]

    def arm(self, name: str) -> Arm:
        """The kind of link of this name."""
        usual = Arm("", self.rate, self.loss, self.jitter, congestion=self.congestion)
        return next((arm for arm in self.arms if arm.name == name), usual)

    def link(self, batch: Batch) -> LinkSpec:
        """What the link is to be like for a batch.

        Raises:
            LinkError: no link can be that.
        """
        arm = self.arm(batch.arm)
        return LinkSpec(batch.rtt, arm.rate, arm.loss, arm.jitter, arm.queue)

    @property
    def seconds(self) -> float:
        """How long it takes to measure, about: by what the links allow, and what batches add."""
        return sum(map(self._seconds, self.items()))

    def _seconds(self, batch: Batch) -> float:
        rate = self.link(batch).rate
        allowed = batch.size * 8 / (rate * _HEADERS) if rate else 0.0
        one = allowed + _TRIPS * batch.rtt + _ANSWER + batch.size / _READ
        return _BATCH + 2 * batch.pairs * len(self.stores) * one

    def adds_to(self, begun: "Design") -> bool:
        """Whether it is another design with more pairs, in later rounds."""
        mine, theirs = self.items(), begun.items()
        more = mine[: len(theirs)] == theirs and len(mine) > len(theirs)
        return replace(self, points=begun.points) == begun and more


_ALL, _MOST, _SOME = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2), (0.02, 0.05, 0.1, 0.2), (0.02, 0.1)
_PAIRS = 4  # of a visit
_VISITS = 4  # of a point: what an interval is of
# How an arm differs from the usual link.
_ARMS: dict[str, dict[str, Any]] = {
    "reno": {"congestion": "reno"},
    "cubic": {"congestion": "cubic"},
    "queue of 2": {"queue": 2.0},
    "queue of 4": {"queue": 4.0},
    "loss 0.5 %": {"loss": 0.005},
    "jitter 5 ms": {"jitter": 0.005},
    "10 Mbit/s": {"rate": 10e6},
    "50 Mbit/s": {"rate": 50e6},
    "TLS": {"tls": True},
}
PRESETS: dict[str, tuple[Point, ...]] = {
    "quick": tuple(Point(size, "", _SOME, 10, batch=2) for size in (MB, 8 * MB)),
    "full": (
        *(Point(size, "", _ALL, _PAIRS * _VISITS) for size in (KB, 64 * KB, MB, 8 * MB)),
        Point(64 * MB, "", _MOST, _VISITS, batch=1),
        Point(500 * MB, "", _SOME, 2, batch=1),  # for a mean over points, and none of its own
        *(Point(8 * MB, "", _SOME, _VISITS, batch=1, arm=name) for name in _ARMS),
    ),
}
# What a batch takes beside its uploads, in seconds, and these beside the link's limit: 316 batches
# took 11 s, and some 100 MB a second to be read back.
_BATCH, _ANSWER, _TRIPS, _READ = 15.0, 0.05, 4, 100e6


def from_params(
    params: Mapping[str, Any], models: Mapping[str, Manifest], stores: Sequence[str]
) -> Design:
    """Return the design that a DAG run's parameters ask for.

    Args:
        params: `preset`, `clients`, `rate` (Mbit/s), `loss`, `jitter_ms`, `place`, `seed`,
            `accelerated`, `congestion`; `sizes` (bytes; an empty list: none), `rtts_ms`, `repeats`
            and `pairs` (of a visit), where given, instead of the preset's.
        models: the published models that are uploaded too, by ``NAME/VERSION``; of each its first
            file.
        stores: the ids of the connections, two or three.

    Raises:
        DesignError, LinkError: a value cannot be used; the message names the parameter.
    """
    points = _points(params, models)
    usual = {"rate": params["rate"] * 1e6, "loss": params["loss"]}
    usual["jitter"] = params["jitter_ms"] / 1000
    usual["congestion"] = params.get("congestion") or ""
    named = dict.fromkeys(point.arm for point in points if point.arm)
    design = Design(
        points=points,
        clients=some_of("clients", params["clients"], CLIENTS),
        stores=tuple(stores),
        **usual,
        place=one_of("place", params["place"], PLACES),
        pairs=params.get("pairs") or _PAIRS,
        seed=int(params["seed"]),
        arms=tuple(Arm(name, **usual | _ARMS[name]) for name in named),
        accelerated=params.get("accelerated"),
    )
    batches = design.items()
    for batch in batches:
        design.link(batch)
    fewer = "fewer sizes, round trips or clients, or more `pairs` a batch"
    refuse_too_many(len(batches), "batches", fewer)
    return design


def _points(params: Mapping[str, Any], models: Mapping[str, Manifest]) -> tuple[Point, ...]:
    points = PRESETS[one_of("preset", params["preset"], PRESETS)]
    own_pairs = _VISITS * (params.get("pairs") or _PAIRS)
    if (sizes := params.get("sizes")) is not None:
        own = dict.fromkeys(positive("sizes", size) for size in sizes)
        points = tuple(Point(size, "", _ALL, own_pairs) for size in own)
    points += tuple(
        Point(manifest.files[0].bytes, name, _ALL, own_pairs, manifest.seconds.get(SERIALISE))
        for name, manifest in models.items()
    )
    if not points:
        raise DesignError("nothing is to be uploaded: give `sizes`, or `models`")
    rtts = tuple(ms / 1000 for ms in params.get("rtts_ms") or ())
    return tuple(
        replace(
            point,
            rtts=rtts or point.rtts,
            pairs=params.get("repeats") or point.pairs,
            batch=0 if params.get("pairs") else point.batch,
        )
        for point in points
    )


def in_bytes(size: int) -> str:
    """A size for people: ``8 MB``."""
    for unit, name in ((MB, "MB"), (KB, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} B"
