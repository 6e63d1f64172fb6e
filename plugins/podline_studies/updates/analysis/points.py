"""What an update study found: each way's updates set against the link's limit, and in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from podline_studies.reports.equivalence import Equivalence, equivalence
from podline_studies.reports.estimates import Estimate, difference
from podline_studies.updates.batch import PARTS
from podline_studies.updates.frames import COLUMNS, UpdateCircumstances
from podline_studies.updates.limit import from_a_start, limit

OURS, TOLD = "podline", "podline-told"
SIDES = ("cluster", "machine")
POINT = ["size", "what", "form", "rtt", "rate"]
# What an update may take: so many seconds, and so many times the link's limit.
GOAL_S, GOAL_TIMES = 1.0, 1.15
_MOMENT = ["index", "sitting", "attempt", "size", "form", "repeat"]  # of what was side by side


@dataclass(frozen=True)
class Point:
    """A model and a link.

    Attributes:
        size, what: bytes of the model as ``float32``.
        form: in which it was taken up.
        rtt, rate: of the link as they were asked for, in seconds and bits a second.
    """

    size: int
    what: str
    form: str
    rtt: float
    rate: float


@dataclass(frozen=True)
class Taken:
    """How long a way took at a point, from one store.

    Attributes:
        side: the store's.
        seconds: from the publish to the first prediction; `parts`: means of it.
        limit: the least that the link allows the bytes; `start`: by TCP over an idle connection.
        within: updates that took no more than the goal allows.
    """

    point: Point
    side: str
    way: str
    seconds: Estimate
    parts: dict[str, float]
    limit: float
    start: float
    within: int

    @property
    def more(self) -> float:
        """Seconds beyond what the goal allows the transfer; the slowest."""
        return max(self.seconds.values) - GOAL_TIMES * self.limit


@dataclass(frozen=True)
class Compared:
    """Pairs of updates that differ in one thing: how many times as long the first one takes.

    Attributes:
        of: what differs: ``way``, ``form`` or ``store``.
        side: the store's; empty: both.
        way: empty: all that are compared are in `first`.
        first, second: the two.
    """

    of: str
    point: Point
    side: str
    way: str
    first: str
    second: str
    times: Equivalence


@dataclass(frozen=True)
class Summary:
    """What was found: the updates that count, each way at each point, and pairs."""

    about: UpdateCircumstances
    updates: pd.DataFrame
    taken: Sequence[Taken]
    compared: Sequence[Compared]

    @property
    def batches(self) -> int:
        """How many were measured."""
        return len(self.updates[["index", "sitting"]].drop_duplicates())

    @property
    def refused(self) -> dict[str, tuple[int, int]]:
        """Requests that were not answered, and all that were sent, by way."""
        sums = self.updates.groupby("way")[["refused", "asked"]].sum()
        return {str(way): (int(of["refused"]), int(of["asked"])) for way, of in sums.iterrows()}

    @property
    def busy(self) -> float:
        """The share of the machine's processors that something else took, in the median."""
        return float(self.updates["busy"].astype(float).median())

    def of(self, way: str) -> list[Taken]:
        """A way at each point."""
        return [one for one in self.taken if one.way == way]

    def many(self, way: str) -> int:
        """How many updates a way made."""
        return sum(one.seconds.n for one in self.of(way))

    def within(self, way: str) -> int:
        """How many of them took no more than the goal allows."""
        return sum(one.within for one in self.of(way))

    @cached_property
    def usual(self) -> Taken:
        """Our way at the point in the middle, by what the link allows, from the cluster's store."""
        mine = [one for one in self.of(OURS) if one.side == SIDES[0]] or self.taken
        plain = [one for one in mine if one.point.form == "float32"] or mine
        return sorted(plain, key=lambda one: one.limit)[len(plain) // 2]

    @property
    def over_one_link(self) -> list[Taken]:
        """All ways and models over the link of what is usual, from that store."""
        usual = self.usual
        link = (usual.point.rtt, usual.point.rate, usual.side)
        return [one for one in self.taken if (one.point.rtt, one.point.rate, one.side) == link]

    def beside(self, one: Taken) -> list[Compared]:
        """The other ways at a point of ours."""
        return [
            each
            for each in self.compared
            if (each.of, each.point, each.side) == ("way", one.point, one.side)
        ]

    def longer(self, one: Compared) -> dict[str, float]:
        """How much longer the parts of updates take from the machine than from the cluster."""
        both = {
            each.side: each.parts
            for each in self.taken
            if (each.point, each.way) == (one.point, one.way)
        }
        first, second = (both[side] for side in SIDES)
        return {part: second[part] - first[part] for part in PARTS}

    def pairs(self, of: str) -> list[Compared]:
        """The pairs that differ in one thing."""
        return [each for each in self.compared if each.of == of]

    @property
    def links(self) -> list[tuple[float, float, pd.Series]]:
        """Of each round trip and rate that were asked for, medians of the link as it was found."""
        measured = ["link_rtt", "goodput", "late_p99_s", "busy"]
        return [
            (float(rows["rtt"].iloc[0]), float(rows["rate"].iloc[0]), rows[measured].median())
            for _, rows in self.updates.groupby(["rtt", "rate"], sort=True)
        ]


def summarise(updates: pd.DataFrame, about: UpdateCircumstances) -> Summary:
    """Set the updates against what the link allowed, and pair them.

    Args:
        updates: with `podline_studies.updates.frames.COLUMNS`.
        about: the study; its stores are the cluster's, and the machine's if there is another.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    counted = check_updates(updates)
    sides = dict(zip(about["design"].stores, SIDES, strict=False))
    counted["side"] = counted["store"].map(sides)
    compared = [*_ways(counted), *_forms(counted), *_stores(counted)]
    return Summary(about, counted, _taken(counted), compared)


def check_updates(updates: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of updates that count, with the link's limit of each, in seconds.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    missing = [column for column in COLUMNS if column not in updates]
    if missing and len(updates):
        raise ValueError(f"the frame of updates lacks the columns {', '.join(missing)}")
    found = updates[~updates["warmup"].astype(bool)].copy()
    link = list(zip(found["bytes"], found["goodput"], found["link_rtt"], strict=True))
    numbers = {"late_p99_s": float, "busy": float}
    found["limit_s"] = [limit(*one) for one in link]
    found["start_s"] = [from_a_start(*one) for one in link]
    found["within"] = found["seconds"] <= GOAL_S + GOAL_TIMES * found["limit_s"]
    return found.astype(numbers)


def _taken(updates: pd.DataFrame) -> list[Taken]:
    found = []
    for _, rows in updates.groupby([*POINT, "side", "way"], sort=True):
        first = rows.iloc[0]
        found.append(
            Taken(
                point=_point(rows),
                side=str(first["side"]),
                way=str(first["way"]),
                seconds=difference(rows["seconds"]),
                parts={part: float(rows[part].mean()) for part in PARTS},
                limit=float(rows["limit_s"].median()),
                start=float(rows["start_s"].median()),
                within=int(rows["within"].sum()),
            )
        )
    return found


def _ways(updates: pd.DataFrame) -> list[Compared]:
    """Each other way over ours, update by update of the same bytes."""
    ours = updates[updates["way"] == OURS]
    found = []
    for way in sorted(set(updates["way"]) - {OURS}):
        pairs = _paired(updates[updates["way"] == way], ours, _MOMENT)
        for _, rows in pairs.groupby([*POINT, "side"], sort=True):
            side = str(rows["side"].iloc[0])
            found.append(Compared("way", _point(rows), side, "", way, OURS, _times(rows)))
    return found


def _forms(updates: pd.DataFrame) -> list[Compared]:
    """Each smaller form over ``float32``."""
    plain = updates[updates["form"] == "float32"]
    keys = [name for name in _MOMENT if name != "form"] + ["way"]
    found = []
    for form in sorted(set(updates["form"]) - {"float32"}):
        pairs = _paired(updates[updates["form"] == form], plain, keys)
        for _, rows in pairs.groupby([*POINT, "side", "way"], sort=True):
            side, way = (str(rows[name].iloc[0]) for name in ("side", "way"))
            found.append(Compared("form", _point(rows), side, way, form, "float32", _times(rows)))
    return found


def _stores(updates: pd.DataFrame) -> list[Compared]:
    """The machine's store over the cluster's, in batches that came one after the other."""
    cluster, machine = (updates[updates["side"] == side] for side in SIDES)
    keys = ["sitting", "round", *POINT, "repeat", "way"]
    pairs = _paired(machine, cluster, keys)
    found = []
    for _, rows in pairs.groupby([*POINT, "way"], sort=True):
        way = str(rows["way"].iloc[0])
        found.append(Compared("store", _point(rows), "", way, SIDES[1], SIDES[0], _times(rows)))
    return found


def _paired(first: pd.DataFrame, second: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """A row a pair: the columns of the first, and `second_s`."""
    other = second[[*keys, "seconds"]].rename(columns={"seconds": "second_s"})
    return first.merge(other, on=list(keys))


def _times(pairs: pd.DataFrame) -> Equivalence:
    columns = (pairs[name].tolist() for name in ("seconds", "second_s", "sitting"))
    return equivalence(*columns)


def _point(rows: pd.DataFrame) -> Point:
    size, what, form, rtt, rate = rows[POINT].iloc[0]
    return Point(int(size), str(what), str(form), float(rtt), float(rate))
