"""Uploads paired and set against what the link allowed, point by point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from podline_studies.reports.equivalence import MARGIN, Equivalence, equivalence
from podline_studies.reports.estimates import Estimate, geometric

POINT = ["size", "what", "rtt", "client", "warm"]
_REQUIRED = (
    *POINT, "index", "sitting", "attempt", "warmup", "store", "pair", "direct", "seconds",
    "transfer_s", "commit_s", "exact", "link_rtt", "goodput",
)  # fmt: skip
_SIDES = ["seconds", "transfer_s", "commit_s", "share", "limit_s"]
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
        uploads: a row an upload, with the columns of `podline_studies.uploads.frames.UPLOADS`.

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
    sides = [over[over["store"] == store][[*keys, *_SIDES]] for store in (cluster, machine)]
    return sides[0].merge(sides[1], on=keys, suffixes=("_cluster", "_machine"))


def compare(
    uploads: pd.DataFrame, pairs: pd.DataFrame, cluster: str, machine: str
) -> list[Compared]:
    """Compare the stores at each point.

    Args:
        uploads: of `check_uploads`.
        pairs: of `pair`.
        cluster: the id of the one store's connection.
        machine: of the other's.
    """
    direct = uploads[uploads["direct"].astype(bool)]
    alone = direct.groupby(["what", "client", "store"])["seconds"].median()
    sides = {"cluster": cluster, "machine": machine}
    return [
        _compared(
            point,
            rows,
            {
                side: float(alone.get((point.what, point.client, store), math.nan))
                for side, store in sides.items()
            },
        )
        for point, rows in _by_point(pairs)
    ]


def _by_point(pairs: pd.DataFrame) -> Iterator[tuple[Point, pd.DataFrame]]:
    for _, rows in pairs.groupby(POINT, sort=True):
        size, what, rtt, client, warm = rows[POINT].iloc[0]
        yield Point(str(what), int(size), float(rtt), str(client), bool(warm)), rows


def _compared(point: Point, rows: pd.DataFrame, alone: dict[str, float]) -> Compared:
    def test(column: str) -> Equivalence:
        known = rows.dropna(subset=[f"{column}_cluster", f"{column}_machine"])
        return equivalence(
            known[f"{column}_cluster"].tolist(), known[f"{column}_machine"].tolist(),
            known["sitting"].tolist(), MARGIN,
        )  # fmt: skip

    return Compared(
        point=point,
        whole=test("seconds"),
        transfer=test("transfer_s"),
        seconds={side: float(rows[f"seconds_{side}"].median()) for side in alone},
        commits={side: float(rows[f"commit_s_{side}"].median()) for side in alone},
        shares={side: geometric(rows[f"share_{side}"]) for side in alone},
        alone=alone,
        limited=not alone["machine"] < _HALF * float(rows["limit_s_machine"].median()),
    )
