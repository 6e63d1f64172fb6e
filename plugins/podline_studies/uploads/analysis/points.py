"""What an upload study found: stores set beside each other, point by point and size by size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from podline_studies.reports.estimates import geometric
from podline_studies.uploads.analysis.verdicts import Assessed, Judged, assessed, judged
from podline_studies.uploads.design import SIDES
from podline_studies.uploads.frames import COLUMNS, UploadCircumstances

POINT = ["arm", "size", "what", "rtt", "client", "warm"]
VISIT = ["sitting", "index"]
KINDS = {"whole": "seconds", "transfer": "transfer_s"}
_PARTS = ["seconds", "transfer_s", "commit_s", "share", "limit_s"]
_HALF = 0.5  # of the link's limit: a store that takes longer without the link is the limit


@dataclass(frozen=True)
class Comparison:
    """Two stores: the time of `over` is divided by that of `under`."""

    over: str
    under: str

    def __str__(self) -> str:
        return f"{self.over} ÷ {self.under}"


# The last two make the first: what Kubernetes costs, and what the machine does.
COMPARISONS = (
    Comparison("cluster", "machine"),
    Comparison("cluster", "bare"),
    Comparison("machine", "bare"),
)


@dataclass(frozen=True)
class Point:
    """What is uploaded, over which link, how.

    Attributes:
        arm: the kind of link; empty: the usual one.
        size, what: of the bytes.
        rtt: of the link as it was asked for, in seconds.
        warm: over a connection that has sent as much before.
    """

    arm: str
    size: int
    what: str
    rtt: float
    client: str
    warm: bool

    @property
    def how(self) -> str:
        return "warm" if self.warm else "cold"


@dataclass(frozen=True)
class Size:
    """All that is uploaded of a size over one kind of link: a mean over round trips and clients."""

    arm: str
    size: int
    what: str


PlaceT = TypeVar("PlaceT", Point, Size)


@dataclass(frozen=True)
class Compared(Generic[PlaceT]):
    """Two stores at a point, or over a size.

    Attributes:
        kind: of `KINDS`: the whole upload, or until its last byte was acknowledged.
        judged: the ratio of their times, by visits; a size's by those of all its points.
        pairs: how many are behind it.
    """

    place: PlaceT
    comparison: Comparison
    kind: str
    judged: Judged
    pairs: int


@dataclass(frozen=True)
class Times:
    """Medians of a point and a store, in seconds; NaN: not known.

    Attributes:
        seconds: of the whole; `commit_s`: of what comes after the last byte.
        alone_s: of a cold upload without the link.
        share: of the link's limit that was reached, a geometric mean.
    """

    point: Point
    store: str
    seconds: float
    commit_s: float
    alone_s: float
    share: float


@dataclass(frozen=True)
class Summary:
    """What was found.

    Attributes:
        uploads: that count.
        pairs: a row a pair, with the columns of all stores: ``seconds_cluster`` and so on.
        points, sizes: compared.
        times: of each point and store.
        by_machine: the sizes by the processor's name; empty where all visits were on one kind.
    """

    about: UploadCircumstances
    uploads: pd.DataFrame
    pairs: pd.DataFrame
    points: Sequence[Compared[Point]]
    sizes: Sequence[Compared[Size]]
    times: Sequence[Times]
    by_machine: Mapping[str, Sequence[Compared[Size]]]

    def counts(self, comparison: Comparison, kind: str) -> Counter[str]:
        """How many points have which verdict."""
        found = (one for one in self.points if (one.comparison, one.kind) == (comparison, kind))
        return Counter(str(one.judged.verdict) for one in found)

    def of_sizes(self, comparison: Comparison, kind: str, arm: str = "") -> list[Compared[Size]]:
        """The sizes over a kind of link, at which the link is the limit somewhere."""
        return _over(arm, self.sizes, comparison, kind)

    def spans(self, comparison: Comparison, kind: str) -> dict[str, tuple[float, float]]:
        """Of each kind of machine, the least and the largest ratio of sizes, on the usual link.

        NaN: a store's own speed is the limit of all.
        """
        found: dict[str, tuple[float, float]] = {}
        for machine, sizes in self.by_machine.items():
            ratios = [one.judged.found.ratio for one in _over("", sizes, comparison, kind)]
            found[machine] = min(ratios, default=math.nan), max(ratios, default=math.nan)
        return found

    def by_size(self, kind: str) -> dict[Size, dict[Comparison, Compared[Size]]]:
        """All comparisons of a size over a kind of link, where the link is the limit somewhere."""
        found: dict[Size, dict[Comparison, Compared[Size]]] = {}
        for one in self.sizes:
            if one.kind == kind and one.judged.found.n:
                found.setdefault(one.place, {})[one.comparison] = one
        return found

    @property
    def comparisons(self) -> list[Comparison]:
        """Those of the stores that were measured."""
        return _comparisons(len(self.about["design"].stores))

    @property
    def visits(self) -> list[int]:
        """How many visits points rest on, each number once."""
        return sorted({one.judged.found.n for one in self.points if one.kind == "whole"})

    @property
    def slowness(self) -> float:
        """How many times as long the machine takes without the link, at most, as another store."""
        alone = pd.DataFrame([[t.point, t.store, t.alone_s] for t in self.times])
        if not len(alone):
            return math.nan
        wide = alone.pivot(index=0, columns=1, values=2)
        return float((wide["machine"] / wide.min(axis=1)).max()) if "machine" in wide else math.nan

    @property
    def drops(self) -> pd.DataFrame:
        """Of each kind of link, size, round trip and client: segments sent and dropped."""
        batches = self.uploads.drop_duplicates([*VISIT, "attempt"])
        by = ["arm", "size", "what", "rtt", "client", "with_probes"]
        found = batches.groupby(by, as_index=False)[["sent", "dropped"]].sum()
        return found.assign(share=found["dropped"] / found["sent"])

    @property
    def dropped_usually(self) -> dict[str, list[float]]:
        """Of each client, the share of segments dropped over the usual link, by size."""
        usual = self.drops[self.drops["arm"] == ""]
        found = usual.groupby(["client", "size", "what"])[["sent", "dropped"]].sum()
        shares = found["dropped"] / found["sent"]
        return {str(client): of.tolist() for client, of in shares.groupby("client")}

    @property
    def shares(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Of each size and client, warm over the usual link to the cluster: how much of what the
        link allows is reached, at the least and at the most over round trips.
        """
        found: dict[str, dict[str, list[float]]] = {}
        for one in self.times:
            if not one.point.arm and one.point.warm and one.store == SIDES[0]:
                of = found.setdefault(one.point.what, {})
                of.setdefault(one.point.client, []).append(one.share)
        return {
            what: {client: (min(some), max(some)) for client, some in of.items()}
            for what, of in found.items()
        }

    @property
    def silent(self) -> list[str]:
        """The clients that do not say when the last byte was acknowledged."""
        says = self.uploads.groupby("client")["transfer_s"].count()
        return [str(client) for client, number in says.items() if not number]

    @property
    def alone(self) -> dict[tuple[str, str], dict[str, float]]:
        """Of each size and client over the usual link, seconds without the link by store."""
        found: dict[tuple[str, str], dict[str, float]] = {}
        for one in self.times:
            if not one.point.arm:
                found.setdefault((one.point.what, one.point.client), {})[one.store] = one.alone_s
        return found

    @property
    def batches(self) -> int:
        """How many were measured."""
        return len(self.uploads[VISIT].drop_duplicates())

    def known(self, column: str, arm: str | None = None) -> list[Any]:
        """The values that a column of the uploads has, over a kind of link or all, in order."""
        some = self.uploads if arm is None else self.uploads[self.uploads["arm"] == arm]
        return sorted(set(some[column].dropna()))

    @property
    def links(self) -> list[tuple[str, float, pd.Series]]:
        """Of each kind of link and round trip, medians of the link as it was found."""
        measured = ["link_rtt", "goodput", "late_p99_s", "busy"]
        found = self.uploads.astype(dict.fromkeys(measured, float))
        medians = found.groupby(["arm", "rtt"])[measured].median()
        places = medians.index.tolist()
        return [(*place, row) for place, (_, row) in zip(places, medians.iterrows(), strict=True)]


def summarise(uploads: pd.DataFrame, about: UploadCircumstances) -> Summary:
    """Pair the uploads, and compare the stores.

    Args:
        uploads: with `podline_studies.uploads.frames.COLUMNS`.
        about: the study; its stores are in the order of `SIDES`.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    design = about["design"]
    encrypted = {arm.name for arm in design.arms if arm.tls}
    counted = check_uploads(uploads, encrypted)
    stores = design.stores
    sides = dict(zip(stores, SIDES, strict=False))
    counted = counted.assign(side=counted["store"].map(sides))
    pairs = _pair(counted)
    times = _times(counted, pairs)
    found = list(_points(pairs, _limits(pairs, times), _comparisons(len(stores))))
    points = [(*one.place, one.assessed, one.pairs) for one in found]
    sizes = _judge(list(_sizes(found)))
    machines = {
        name: _judge(list(_sizes(one.of(sittings) for one in found)))
        for name, sittings in _sittings_by_machine(about, counted).items()
    }
    return Summary(about, counted, pairs, _judge(points), sizes, times, machines)


def check_uploads(uploads: pd.DataFrame, encrypted: Collection[str] = ()) -> pd.DataFrame:
    """Return the frame of uploads that count, with the link's limit of each, in seconds.

    The limit is the bytes at the goodput of plain TCP, and one round trip warm, two cold, three
    where the connection is encrypted.

    Args:
        uploads: with `podline_studies.uploads.frames.COLUMNS`.
        encrypted: the arms with TLS. It ends in front of all stores alike, so that who acknowledged
            the last byte was none of them: of their transfers nothing is known.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    missing = [column for column in COLUMNS if column not in uploads]
    if missing and len(uploads):
        raise ValueError(f"the frame of uploads lacks the columns {', '.join(missing)}")
    found = uploads[~uploads["warmup"].astype(bool)].copy()
    tls = found["arm"].isin(encrypted)
    found[["transfer_s", "commit_s"]] = found[["transfer_s", "commit_s"]].mask(tls)
    cold = ~found["warm"].astype(bool)
    trips = 1 + cold + (cold & tls)
    found["limit_s"] = found["size"] / found["goodput"] + trips * found["link_rtt"]
    found["share"] = found["limit_s"] / found["seconds"]
    return found


def _over(
    arm: str, sizes: Iterable[Compared[Size]], comparison: Comparison, kind: str
) -> list[Compared[Size]]:
    """Those over a kind of link, at which the link is the limit somewhere."""
    return [
        one
        for one in sizes
        if (one.comparison, one.kind, one.place.arm) == (comparison, kind, arm)
        and one.judged.found.n
    ]


def _sittings_by_machine(about: UploadCircumstances, uploads: pd.DataFrame) -> dict[str, list[int]]:
    """The sessions of each kind of processor, where there are several."""
    found: dict[str, list[int]] = {}
    measured = set(uploads["sitting"])
    for session in about["sessions"]:
        if session["session"] in measured:
            found.setdefault(session.get("machine", ""), []).append(session["session"])
    return found if len(found) > 1 else {}


def _comparisons(stores: int) -> list[Comparison]:
    there = SIDES[:stores]
    return [one for one in COMPARISONS if one.over in there and one.under in there]


def _pair(uploads: pd.DataFrame) -> pd.DataFrame:
    over = uploads[~uploads["direct"].astype(bool)]
    keys = [*POINT, *VISIT, "attempt", "pair"]
    found: pd.DataFrame | None = None
    for side, rows in over.groupby("side"):
        wide = rows[[*keys, *_PARTS]].astype(dict.fromkeys(_PARTS, float))
        wide = wide.rename(columns={part: f"{part}_{side}" for part in _PARTS})
        found = wide if found is None else found.merge(wide, on=keys, how="outer")
    return over if found is None else found


def _times(uploads: pd.DataFrame, pairs: pd.DataFrame) -> list[Times]:
    direct = uploads[uploads["direct"].astype(bool)]
    alone = direct.groupby(["arm", "what", "client", "side"])["seconds"].median()
    found = []
    for point, rows in _by_point(pairs):
        for side in SIDES:
            if f"seconds_{side}" in rows:
                seconds, commit = (float(rows[f"{part}_{side}"].median()) for part in _PARTS[:3:2])
                cold = float(alone.get((point.arm, point.what, point.client, side), math.nan))
                share = geometric(rows[f"share_{side}"]).mean
                found.append(Times(point, side, seconds, commit, cold, share))
    return found


def _limits(pairs: pd.DataFrame, times: Sequence[Times]) -> dict[tuple[Point, str], bool]:
    """Whether a store, without the link, takes half the link's limit or more, or nobody knows."""
    least = {point: _HALF * float(_least(rows).median()) for point, rows in _by_point(pairs)}
    return {(one.point, one.store): not one.alone_s < least[one.point] for one in times}


def _least(rows: pd.DataFrame) -> pd.Series:
    return rows[[name for name in rows if str(name).startswith("limit_s_")]].mean(axis=1)


def _by_point(pairs: pd.DataFrame) -> Iterator[tuple[Point, pd.DataFrame]]:
    for _, rows in pairs.groupby(POINT, sort=True):
        arm, size, what, rtt, client, warm = rows[POINT].iloc[0]
        yield Point(str(arm), int(size), str(what), float(rtt), str(client), bool(warm)), rows


@dataclass(frozen=True)
class _Ratios:
    """Two stores at a point: the mean logarithm of each visit's ratios of their times."""

    point: Point
    comparison: Comparison
    kind: str
    logs: pd.Series[float]
    limited: bool
    pairs: int

    @property
    def place(self) -> tuple[Point, Comparison, str]:
        return self.point, self.comparison, self.kind

    @property
    def assessed(self) -> Assessed:
        return assessed(self.logs.tolist(), self.limited)

    def of(self, sittings: Collection[int]) -> _Ratios:
        """The same of some sessions' visits."""
        return replace(self, logs=self.logs[self.logs.index.isin(sittings, level=VISIT[0])])


def _points(
    pairs: pd.DataFrame,
    limits: Mapping[tuple[Point, str], bool],
    comparisons: Sequence[Comparison],
) -> Iterator[_Ratios]:
    for point, rows in _by_point(pairs):
        for comparison in comparisons:
            sides = comparison.over, comparison.under
            limited = any(limits.get((point, side), True) for side in sides)
            for kind, part in KINDS.items():
                over, under = (rows[f"{part}_{side}"] for side in sides)
                known = rows[VISIT].assign(log=np.log(over / under)).dropna()
                logs = known.groupby(VISIT)["log"].mean()
                yield _Ratios(point, comparison, kind, logs, limited, len(known))


def _sizes(
    points: Iterable[_Ratios],
) -> Iterator[tuple[Size, Comparison, str, Assessed, int]]:
    """Means over a size's points, as far as no store is the limit there, by their visits.

    A cold and a warm upload of the same visit count as one.
    """
    found: dict[tuple[Size, Comparison, str], list[_Ratios]] = {}
    for one in points:
        key = Size(one.point.arm, one.point.size, one.point.what), one.comparison, one.kind
        some = found.setdefault(key, [])
        if not one.limited and len(one.logs):
            some.append(one)
    for key, of in found.items():
        places = [(one.point.rtt, one.point.client) for one in of]
        every = pd.concat([one.logs for one in of], keys=places) if of else pd.Series(dtype=float)
        visits = every.groupby(level=[*range(every.index.nlevels)]).mean()
        where = [str(place[:2]) for place in visits.index]
        yield *key, assessed(visits.tolist(), points=where), sum(one.pairs for one in of)


def _judge(
    found: Sequence[tuple[PlaceT, Comparison, str, Assessed, int]],
) -> list[Compared[PlaceT]]:
    """Judge them; each comparison and kind is a family."""
    verdicts: dict[int, Judged] = {}
    for family in dict.fromkeys((comparison, kind) for _, comparison, kind, _, _ in found):
        places = [place for place, one in enumerate(found) if one[1:3] == family]
        verdicts |= dict(zip(places, judged([found[place][3] for place in places]), strict=True))
    return [
        Compared(place, comparison, kind, verdicts[number], pairs)
        for number, (place, comparison, kind, _, pairs) in enumerate(found)
    ]
