"""The uploads page's main numbers again, from its raw file alone: pandas, nothing of podline."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tests.docs.recomputation import interval, raw

POINT = ["arm", "size", "rtt", "client", "warm"]
SIZE = ["arm", "size"]
ENOUGH = 4  # visits of a size, for an interval


def design(path: Path) -> dict[str, Any]:
    """What a study was to measure."""
    return next(value for place, value in raw(path) if place == ["design.json"])


@cache
def uploads(path: Path) -> pd.DataFrame:
    """Each upload that counts, with the seconds that the link allows at the least.

    Of those that are encrypted, in front of all stores, no store acknowledged the last byte.
    """
    rows = [
        {
            "arm": "",
            **upload,
            **value["visit"],
            "batch": place[1],
            "sitting": value["sitting"],
            "goodput": max(value[when]["goodput"] for when in ("before", "after")),
            "trip": sum(value[when]["rtt"] for when in ("before", "after")) / 2,
        }
        for place, value in raw(path)
        if place[0] == "measurements" and not value["failure"]
        for upload in value["uploads"]
    ]
    frame = pd.DataFrame(rows)
    tls = frame["arm"].isin([arm["name"] for arm in design(path).get("arms", []) if arm["tls"]])
    trips = np.where(frame["warm"], 1, np.where(tls, 3, 2))
    known = frame["transfer"].mask(tls)
    return frame.assign(
        least=frame["size"] / frame["goodput"] + trips * frame["trip"], transfer=known
    )


def sizes(path: Path, column: str, over: int = 0, under: int = 1) -> pd.DataFrame:
    """Of each link and size, the ratio of one store's time over another's, with its 95 % interval.

    It is the mean over visits, cold and warm together, of points at which neither store takes half
    of what the link allows without the link. Chance is what visits are off their point's mean.

    Args:
        path: the raw file.
        column: ``seconds`` of all of it, ``transfer`` until the last byte was acknowledged.
        over, under: which of the study's stores.
    """
    found = uploads(path)
    if column == "transfer":
        found = found[found["direct"] | found["exact"]]
    stores = design(path)["stores"]
    one, two = stores[over], stores[under]
    alone = found[found["direct"]].groupby([*SIZE, "client", "store"])["seconds"].median()
    pairs = found[~found["direct"]].set_index([*POINT, "batch", "sitting", "pair", "store"])
    wide = pairs[[column, "least"]].unstack("store")
    points = {}
    for point, rows in wide.groupby(POINT):
        arm, size, _, client, _ = point
        slowest = max(alone[arm, size, client, store] for store in (one, two))
        if slowest < 0.5 * rows["least"].mean(axis=1).median():
            logs = np.log(rows[column, one] / rows[column, two]).dropna()
            if len(logs):
                points[point] = logs.groupby(["sitting", "batch"]).mean()
    visits = pd.concat(points, names=POINT)
    means = visits.groupby([*SIZE, "rtt", "client", "sitting", "batch"]).mean()
    return pd.DataFrame(
        {
            place: (len(of), len(of) - _points_of(of).nunique(), *interval(of, _points_of(of), 1))
            for place, of in means.groupby(SIZE)
            if len(of) >= ENOUGH and len(of) > _points_of(of).nunique()
        },
        index=["n", "free", "ratio", "low", "high"],
    ).T


def _points_of(visits: pd.Series) -> pd.Series:
    return visits.index.droplevel(["sitting", "batch"]).map(str).to_series()


def equivalent(sizes: pd.DataFrame, margin: float = 0.10) -> pd.Series:
    """Which of them are equivalent: two one-sided tests at 5 %, corrected by Holm's steps."""
    errors = np.log(sizes["high"] / sizes["low"]) / 2 / stats.t.ppf(0.975, sizes["free"])
    reach = np.log1p(margin) - np.log(sizes["ratio"]).abs()
    ps = pd.Series(stats.t.sf(reach / errors, sizes["free"]), sizes.index)
    order = ps.sort_values()
    stepped = (order * np.arange(len(order), 0, -1)).cummax()
    return (stepped < 0.05).reindex(sizes.index)
