"""The pages' main numbers again, from their raw files alone: pandas and scipy, nothing of podline.

What a number means is taken from the page's own sentences; how it is computed, from nowhere.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

SIZES = ["data", "model"]
PLACE = ["sitting", "repeat", *SIZES]


def raw(path: Path) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What a study kept, in order: where, and the value."""
    with gzip.open(path, "rt") as file:
        next(file)
        for line in file:
            row = json.loads(line)
            yield row["place"], row["value"]


# --- the overhead study


def interval(logs: pd.Series, sessions: pd.Series, least: int = 5) -> tuple[float, float, float]:
    """The geometric mean, and Student's t interval on logarithms with a mean a session.

    Without ends where less than `least` values are free: those beyond one for each session.
    """
    rest = logs - logs.groupby(sessions.to_numpy()).transform("mean")
    free = len(logs) - sessions.nunique()
    mean = float(np.exp(logs.mean()))
    if free < least:
        return mean, np.nan, np.nan
    error = np.sqrt((rest**2).sum() / free / len(logs))
    low, high = stats.t.interval(0.95, free, logs.mean(), error)
    return mean, float(np.exp(low)), float(np.exp(high))


def runs(path: Path) -> pd.DataFrame:
    """The runs that count: the last attempt at each of what was planned, where it succeeded."""
    kept = list(raw(path))
    machines = {v["number"]: v["about"]["machine"] for place, v in kept if place[0] == "sittings"}
    names = ("sitting", "attempt", "wall", "started")
    rows = [
        value["combination"] | {name: value[name] for name in names}
        for place, value in kept
        if place[0] == "measurements" and value["state"] == "success" and value["tries"] == 1
    ]
    frame = pd.DataFrame(rows).sort_values("attempt")
    frame = frame.groupby(["backend", "repeat", *SIZES], as_index=False).last()
    frame["machine"] = frame["sitting"].map(machines)
    frame["log"] = pd.concat([without_drift(rows) for _, rows in frame.groupby("sitting")])
    return frame


def without_drift(session: pd.DataFrame) -> pd.Series:
    """Logarithms of a session's walls, less a straight line in time that its combinations share."""
    which = session[["backend", *SIZES]].astype(str).agg("|".join, axis=1)
    logs, time = np.log(session["wall"]), session["started"] - session["started"].mean()
    if which.is_unique:  # nothing is told of the line
        return logs
    terms = pd.get_dummies(which, dtype=float).assign(time=time / 3600)
    slope = np.linalg.lstsq(terms.to_numpy(), logs.to_numpy(), rcond=None)[0][-1]
    return logs - slope * time / 3600


def beside(found: pd.DataFrame, backend: str, other: str, machine: str) -> pd.Series:
    """The logarithms of the ratio of two backends' walls, in the same repeat and session."""
    found = found[found["machine"] == machine]
    one, two = (
        found[found["backend"] == name].set_index(PLACE)["log"] for name in (backend, other)
    )
    return (one - two).dropna()


def _session(logs: pd.Series) -> pd.Series:
    return logs.index.get_level_values("sitting").to_series()


def by_size(logs: pd.Series) -> pd.DataFrame:
    """Of each combination of sizes: n, and the ratio with its interval."""
    return pd.DataFrame(
        {
            sizes: (len(rows), *interval(rows, _session(rows)))
            for sizes, rows in logs.groupby(SIZES)
        },
        index=["n", "mean", "low", "high"],
    ).T


def overall(logs: pd.Series) -> tuple[float, float, float]:
    """The mean over sizes: a repeat in a session, as far as it was measured, gives one value."""
    blocks = logs.unstack(SIZES)
    blocks = blocks[blocks.notna().mean(axis=1) >= 0.5]
    # A block's own deviation from each size's mean, counted for what is there of the size.
    deviations = (blocks - blocks.mean()).fillna(0.0) / blocks.notna().mean()
    values = blocks.mean().mean() + deviations.mean(axis=1)
    return interval(values, _session(values))


def alike(logs: pd.Series) -> tuple[float, float, float]:
    """The ratio by repeats beside their sizes' means, with its 95 % interval."""
    beside_size = logs - logs.groupby(SIZES).transform("mean") + logs.mean()
    blocks = beside_size.groupby(["sitting", "repeat"]).agg(["mean", "size"])
    enough = blocks["size"] >= len(logs.groupby(SIZES)) / 2
    values = blocks.loc[enough, "mean"]
    return interval(values, _session(values))


# --- the upload study


POINT = ["arm", "size", "rtt", "client", "warm"]
SIZE = ["arm", "size"]
ENOUGH = 4  # visits of a size, for an interval


def design(path: Path) -> dict[str, Any]:
    """What a study was to measure."""
    return next(value for place, value in raw(path) if place == ["design.json"])


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
