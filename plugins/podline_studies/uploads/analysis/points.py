"""What an upload study found: pairs set against what the link allowed, point by point."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from podline_studies.reports.equivalence import Equivalence, equivalence
from podline_studies.reports.estimates import Estimate, geometric
from podline_studies.uploads.frames import COLUMNS, UploadCircumstances

SIDES = ("cluster", "machine")
POINT = ["size", "what", "rtt", "client", "warm"]
_COMPARED = ["seconds", "transfer_s", "commit_s", "share", "limit_s"]
POWER = 0.9  # that equal stores are called equivalent; below it, "not shown" says little
_HALF = 0.5  # of the link's limit: a machine that takes longer without the link is the limit


class Verdict(StrEnum):
    """What a point says of the two stores."""

    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    OPEN = "not shown"
    LIMITED = "limited by the machine's own speed"
    FEW = "too few pairs"


@dataclass(frozen=True)
class Point:
    """What is uploaded, over which link, how.

    Attributes:
        what, size: of the bytes.
        rtt: of the link as it was asked for, in seconds.
        warm: over a connection that has sent as much before.
    """

    what: str
    size: int
    rtt: float
    client: str
    warm: bool

    @property
    def how(self) -> str:
        return "warm" if self.warm else "cold"


@dataclass(frozen=True)
class Compared:
    """A point's pairs: the cluster's time over the machine's.

    Attributes:
        whole, transfer: of the whole upload, and until its last byte was acknowledged.
        seconds: medians by store.
        commits: medians of the commit, by store; NaN: the client does not say.
        shares: of the link's limit that was reached, by store.
        alone: medians without the link, of a cold upload, by store; NaN: not measured.
        limited: whether the machine, without the link, takes half the link's limit or more.
    """

    point: Point
    whole: Equivalence
    transfer: Equivalence
    seconds: dict[str, float]
    commits: dict[str, float]
    shares: dict[str, Estimate]
    alone: dict[str, float]
    limited: bool

    @property
    def tests(self) -> dict[str, Equivalence]:
        """Both tests, by name."""
        return {"whole": self.whole, "transfer": self.transfer}

    def verdict(self, of: Equivalence) -> Verdict:
        """What its `whole`, or its `transfer`, says."""
        if self.limited:
            return Verdict.LIMITED
        if of.p is None:
            return Verdict.FEW
        if of.equivalent:
            return Verdict.EQUIVALENT
        return Verdict.DIFFERENT if of.different else Verdict.OPEN

    @property
    def unclear(self) -> bool:
        """Whether equivalence is not shown, and hardly could have been."""
        return any(
            self.verdict(of) == Verdict.OPEN and of.power < POWER for of in self.tests.values()
        )

    @property
    def answers_late(self) -> bool:
        """Whether the whole differs, and the transfer does not."""
        return self.verdict(self.whole) == Verdict.DIFFERENT != self.verdict(self.transfer)


@dataclass(frozen=True)
class Summary:
    """What was found: the uploads that count, their pairs, and each point compared."""

    about: UploadCircumstances
    uploads: pd.DataFrame
    pairs: pd.DataFrame
    compared: Sequence[Compared]

    def verdicts(self, kind: str) -> Counter[str]:
        """How many points have which verdict by one of their tests."""
        return Counter(str(one.verdict(one.tests[kind])) for one in self.compared)

    @property
    def direct(self) -> list[Compared]:
        """A point for each of what was uploaded without the link."""
        return list({(one.point.what, one.point.client): one for one in self.compared}.values())

    @property
    def slowness(self) -> float:
        """How many times as long the machine takes without the link, at most.

        Of points at which it is not the limit; 1 where that is not known.
        """
        ratios = (
            one.alone["machine"] / one.alone["cluster"] for one in self.compared if not one.limited
        )
        return max((ratio for ratio in ratios if math.isfinite(ratio)), default=1.0)

    @property
    def batches(self) -> int:
        """How many were measured."""
        return len(self.uploads[["index", "sitting"]].drop_duplicates())

    def known(self, column: str) -> list[Any]:
        """The values that a column of the uploads has, in order."""
        return sorted(set(self.uploads[column].dropna()))

    @property
    def links(self) -> list[tuple[float, pd.Series]]:
        """Of each round trip that was asked for, medians of the link as it was found."""
        measured = ["rtt", "link_rtt", "goodput", "late_p99_s", "busy"]
        medians = self.uploads[measured].astype(float).groupby("rtt").median()
        return [(float(str(rtt)), median) for rtt, median in medians.iterrows()]


def summarise(uploads: pd.DataFrame, about: UploadCircumstances) -> Summary:
    """Pair the uploads, and compare the stores at each point.

    Args:
        uploads: with `podline_studies.uploads.frames.COLUMNS`.
        about: the study; its stores are the cluster's and the machine's.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    counted = check_uploads(uploads)
    sides = dict(zip(SIDES, about["design"].stores, strict=True))
    pairs = _pair(counted, sides)
    return Summary(about, counted, pairs, _compare(counted, pairs, sides))


def check_uploads(uploads: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of uploads that count, with the link's limit of each, in seconds.

    The limit is the bytes at the goodput of plain TCP, and one round trip warm, two cold.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    missing = [column for column in COLUMNS if column not in uploads]
    if missing and len(uploads):
        raise ValueError(f"the frame of uploads lacks the columns {', '.join(missing)}")
    found = uploads[~uploads["warmup"].astype(bool)].copy()
    trips = 2 - found["warm"].astype(int)
    found["limit_s"] = found["size"] / found["goodput"] + trips * found["link_rtt"]
    found["share"] = found["limit_s"] / found["seconds"]
    return found


def _pair(uploads: pd.DataFrame, sides: Mapping[str, str]) -> pd.DataFrame:
    """A row a pair, with the columns of both stores: ``seconds_cluster`` and so on."""
    over = uploads[~uploads["direct"].astype(bool)]
    keys = [*POINT, "index", "sitting", "attempt", "pair"]
    first, second = (over[over["store"] == store][[*keys, *_COMPARED]] for store in sides.values())
    return first.merge(second, on=keys, suffixes=("_cluster", "_machine"))


def _compare(
    uploads: pd.DataFrame, pairs: pd.DataFrame, sides: Mapping[str, str]
) -> list[Compared]:
    direct = uploads[uploads["direct"].astype(bool)]
    medians = direct.groupby(["what", "client", "store"])["seconds"].median()
    found = []
    for _, rows in pairs.groupby(POINT, sort=True):
        size, what, rtt, client, warm = rows[POINT].iloc[0]
        point = Point(str(what), int(size), float(rtt), str(client), bool(warm))
        alone = {
            side: float(medians.get((what, client, store), math.nan))
            for side, store in sides.items()
        }
        found.append(_compared(point, rows, alone))
    return found


def _compared(point: Point, rows: pd.DataFrame, alone: dict[str, float]) -> Compared:
    def test(column: str) -> Equivalence:
        columns = [f"{column}_{side}" for side in SIDES]
        known = rows.dropna(subset=columns)
        first, second = (known[name].tolist() for name in columns)
        return equivalence(first, second, known["sitting"].tolist())

    return Compared(
        point=point,
        whole=test("seconds"),
        transfer=test("transfer_s"),
        seconds={side: float(rows[f"seconds_{side}"].median()) for side in SIDES},
        commits={side: float(rows[f"commit_s_{side}"].median()) for side in SIDES},
        shares={side: geometric(rows[f"share_{side}"]) for side in SIDES},
        alone=alone,
        limited=not alone["machine"] < _HALF * float(rows["limit_s_machine"].median()),
    )
