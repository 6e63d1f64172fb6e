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
PLACE = ["repeat", "sitting", *SIZES]


def raw(path: Path) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What a study kept, in order: where, and the value."""
    with gzip.open(path, "rt") as file:
        next(file)
        for line in file:
            row = json.loads(line)
            yield row["place"], row["value"]


def interval(values: pd.Series, level: float = 0.95) -> tuple[float, float, float]:
    """The geometric mean, and Student's t interval on logarithms."""
    logs = np.log(values)
    low, high = stats.t.interval(level, len(logs) - 1, logs.mean(), stats.sem(logs))
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high))


# --- the overhead study


def runs(path: Path) -> pd.DataFrame:
    """The runs that count: the last attempt at each of what was planned, where it succeeded."""
    rows = [
        value["combination"] | {name: value[name] for name in ("sitting", "attempt", "wall")}
        for place, value in raw(path)
        if place[0] == "measurements" and value["state"] == "success" and value["tries"] == 1
    ]
    frame = pd.DataFrame(rows).sort_values("attempt")
    return frame.groupby(["backend", "repeat", *SIZES], as_index=False).last()


def beside(found: pd.DataFrame, backend: str, other: str) -> pd.DataFrame:
    """The runs of two backends in the same repeat and session, with the ratio of their walls."""
    one, two = (
        found[found["backend"] == name].set_index(PLACE)["wall"] for name in (backend, other)
    )
    pairs = pd.DataFrame({"wall": one, "other": two}).dropna()
    return pairs.assign(ratio=pairs["wall"] / pairs["other"])


def by_size(pairs: pd.DataFrame) -> pd.DataFrame:
    """Of each combination of sizes: n, and the ratio with its interval."""
    return pd.DataFrame(
        {sizes: (len(rows), *interval(rows["ratio"])) for sizes, rows in pairs.groupby(SIZES)},
        index=["n", "mean", "low", "high"],
    ).T


def overall(pairs: pd.DataFrame) -> tuple[float, float, float]:
    """The mean over sizes: a repeat, as far as it was measured, gives one value."""
    logs = np.log(pairs["ratio"]).groupby(["repeat", *SIZES]).last().unstack(SIZES)
    logs = logs[logs.notna().mean(axis=1) >= 0.5]
    # A repeat's own deviation from each size's mean, counted for what is there of the size.
    deviations = (logs - logs.mean()).fillna(0.0) / logs.notna().mean()
    return interval(pd.Series(np.exp(logs.mean().mean() + deviations.mean(axis=1))))


def alike(pairs: pd.DataFrame) -> tuple[float, float, float]:
    """The ratio by repeats that each have a session's own mean, with its 95 % interval."""
    logs = np.log(pairs["ratio"])
    beside_size = logs - logs.groupby(SIZES).transform("mean") + logs.mean()
    repeats = beside_size.groupby(["sitting", "repeat"]).mean()
    rest = repeats - repeats.groupby("sitting").transform("mean")
    free = len(repeats) - repeats.index.get_level_values("sitting").nunique()
    error = np.sqrt((rest**2).sum() / free / len(repeats))
    low, high = stats.t.interval(0.95, free, repeats.mean(), error)
    return float(np.exp(repeats.mean())), float(np.exp(low)), float(np.exp(high))


# --- the upload study


POINT = ["size", "rtt", "client", "warm"]
ENOUGH = 4  # points of a size, for an interval


def uploads(path: Path) -> pd.DataFrame:
    """Each upload that counts, with the seconds that the link allows at the least."""
    rows = [
        {
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
    trips = np.where(frame["warm"], 1, 2)
    return frame.assign(least=frame["size"] / frame["goodput"] + trips * frame["trip"])


def sizes(path: Path, column: str) -> pd.DataFrame:
    """Of each size, the ratio of the first store's time over the second's with its 95 % interval.

    It is the mean over round trips and clients, cold and warm together, of points at which no store
    takes half of what the link allows without the link.

    Args:
        path: the raw file.
        column: ``seconds`` of all of it, ``transfer`` until the last byte was acknowledged.
    """
    found = uploads(path)
    if column == "transfer":
        found = found[found["direct"] | found["exact"]]
    one, two = next(value["stores"] for place, value in raw(path) if place == ["design.json"])
    alone = found[found["direct"]].groupby(["size", "client", "store"])["seconds"].median()
    pairs = found[~found["direct"]].set_index([*POINT, "batch", "sitting", "pair", "store"])
    wide = pairs[[column, "least"]].unstack("store").dropna()
    points = {}
    for point, rows in wide.groupby(POINT):
        size, _, client, _ = point
        slowest = max(alone[size, client, store] for store in (one, two))
        if slowest < 0.5 * rows["least"].mean(axis=1).median():
            logs = np.log(rows[column, one] / rows[column, two])
            points[point] = logs.groupby(["sitting", "batch"]).mean().mean()
    means = pd.Series(points).rename_axis(POINT).groupby(["size", "rtt", "client"]).mean()
    enough = means.groupby("size").filter(lambda of: len(of) >= ENOUGH)
    return pd.DataFrame(
        {size: (len(of), *interval(np.exp(of))) for size, of in enough.groupby("size")},
        index=["n", "ratio", "low", "high"],
    ).T


def equivalent(path: Path, column: str, margin: float = 0.10) -> pd.Series:
    """Which sizes are equivalent: two one-sided tests at 5 %, corrected by Holm's steps."""
    ps = {}
    for size, of in sizes(path, column).iterrows():
        error = np.log(of["high"] / of["low"]) / 2 / stats.t.ppf(0.975, of["n"] - 1)
        mean, reach = np.log(of["ratio"]), np.log1p(margin)
        ps[size] = stats.t.sf((reach - abs(mean)) / error, of["n"] - 1)
    order = pd.Series(ps).sort_values()
    stepped = (order * np.arange(len(order), 0, -1)).cummax()
    return (stepped < 0.05).sort_index()
