"""Uploads paired and set against what the link allowed, point by point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from podline.reports.equivalence import MARGIN, Equivalence, equivalence
from podline.reports.statistics import Estimate, geometric

POINT = ["what", "size", "rtt", "client", "warm"]
_REQUIRED = (
    *POINT, "index", "sitting", "attempt", "warmup", "store", "pair", "direct", "seconds",
    "transfer_s", "commit_s", "exact", "link_rtt", "goodput",
)  # fmt: skip
_HALF = 0.5  # of the link's time: a machine that takes longer without the link is the limit


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


@dataclass(frozen=True)
class Compared:
    """A point's pairs: the cluster's time over the machine's.

    Attributes:
        whole, transfer: of the whole upload, and until its last byte was acknowledged.
        seconds: medians by store.
        commits: medians of the commit, by store; NaN: the client does not say.
        shares: of the link's limit that was reached, by store.
        limited: whether the machine, without the link, takes half the link's time or more.
    """

    point: Point
    whole: Equivalence
    transfer: Equivalence
    seconds: dict[str, float]
    commits: dict[str, float]
    shares: dict[str, Estimate]
    limited: bool

    def verdict(self, of: Equivalence) -> Verdict:
        """What its whole, or its transfer, says."""
        if self.limited:
            return Verdict.LIMITED
        if of.p is None:
            return Verdict.FEW
        if of.equivalent:
            return Verdict.EQUIVALENT
        return Verdict.DIFFERENT if of.different else Verdict.OPEN


def check_uploads(uploads: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of uploads that count, with the link's limit of each, in seconds.

    The limit is the bytes at the goodput of plain TCP, and one round trip warm, two cold.

    Args:
        uploads: a row an upload, with the columns of `podline.studies.uploads.tables.UPLOADS`.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    missing = [column for column in _REQUIRED if column not in uploads]
    if missing and len(uploads):
        raise ValueError(f"the frame of uploads lacks the columns {', '.join(missing)}")
    found = uploads[~uploads["warmup"].astype(bool)].copy()
    trips = 2 - found["warm"].astype(int)
    found["limit_s"] = found["size"] / found["goodput"] + trips * found["link_rtt"]
    found["share"] = found["limit_s"] / found["seconds"]
    return found


def pair(uploads: pd.DataFrame, cluster: str, machine: str) -> pd.DataFrame:
    """Return a row a pair, with the columns of both stores: ``seconds_cluster`` and so on.

    Args:
        uploads: of `check_uploads`.
        cluster: the id of the one store's connection.
        machine: of the other's.
    """
    over = uploads[~uploads["direct"].astype(bool)]
    keys = [*POINT, "index", "sitting", "attempt", "pair"]
    sides = [
        over[over["store"] == store][[*keys, "seconds", "transfer_s", "commit_s", "share"]]
        for store in (cluster, machine)
    ]
    return sides[0].merge(sides[1], on=keys, suffixes=("_cluster", "_machine"))


def compare(
    uploads: pd.DataFrame, pairs: pd.DataFrame, machine: str, rate: float
) -> list[Compared]:
    """Compare the stores at each point.

    Args:
        uploads: of `check_uploads`.
        pairs: of `pair`.
        machine: the id of the machine's connection.
        rate: of the link, in bits a second; 0: it has none.
    """
    direct = uploads[uploads["direct"].astype(bool) & (uploads["store"] == machine)]
    alone = direct.groupby(["what", "client"])["seconds"].median()
    return [
        _compared(point, rows, float(alone.get((point.what, point.client), math.nan)), rate)
        for point, rows in _by_point(pairs)
    ]


def _by_point(pairs: pd.DataFrame) -> Iterator[tuple[Point, pd.DataFrame]]:
    for _, rows in pairs.groupby(POINT, sort=True):
        what, size, rtt, client, warm = rows[POINT].iloc[0]
        yield Point(str(what), int(size), float(rtt), str(client), bool(warm)), rows


def _compared(point: Point, rows: pd.DataFrame, alone: float, rate: float) -> Compared:
    def test(column: str) -> Equivalence:
        known = rows.dropna(subset=[f"{column}_cluster", f"{column}_machine"])
        return equivalence(
            known[f"{column}_cluster"].tolist(), known[f"{column}_machine"].tolist(),
            known["sitting"].tolist(), MARGIN,
        )  # fmt: skip

    link = point.size * 8 / rate if rate else 0.0
    sides = ("cluster", "machine")
    return Compared(
        point=point,
        whole=test("seconds"),
        transfer=test("transfer_s"),
        seconds={side: float(rows[f"seconds_{side}"].median()) for side in sides},
        commits={side: float(rows[f"commit_s_{side}"].median()) for side in sides},
        shares={side: geometric(rows[f"share_{side}"]) for side in sides},
        limited=not alone < _HALF * link,
    )
