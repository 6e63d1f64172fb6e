"""The overhead page's main numbers again, from its raw files alone: pandas, nothing of podline.

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
WHICH = ["backend", "steps", *SIZES]
PLACE = ["sitting", "repeat", *SIZES]


def raw(path: Path) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """What a study kept, in order: where, and the value."""
    with gzip.open(path, "rt") as file:
        next(file)
        for line in file:
            row = json.loads(line)
            yield row["place"], row["value"]


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
        value["combination"]
        | {name: value[name] for name in names}
        | value["parts"]
        | {"read": value["counts"]["rows_read"]}
        for place, value in kept
        if place[0] == "measurements" and value["state"] == "success" and value["tries"] == 1
    ]
    frame = pd.DataFrame(rows).sort_values("attempt")
    frame = frame.groupby([*WHICH, "repeat"], as_index=False).last()
    frame["machine"] = frame["sitting"].map(machines)
    frame["log"] = pd.concat([without_drift(rows) for _, rows in frame.groupby("sitting")])
    return frame.assign(pace=frame["wall"] / np.exp(frame["log"]))


def without_drift(session: pd.DataFrame) -> pd.Series:
    """Logarithms of a session's walls, less a straight line in time that its combinations share."""
    which = session[WHICH].astype(str).agg("|".join, axis=1)
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


def more(found: pd.DataFrame, backend: str, other: str, machine: str) -> pd.DataFrame:
    """Seconds that each run takes more than the other of its repeat, had that run then; by part."""
    found = found[found["machine"] == machine]
    one, two = (found[found["backend"] == name].set_index(PLACE) for name in (backend, other))
    both = one.merge(two, left_index=True, right_index=True, suffixes=("", "_other"))
    then = both["pace"] / both["pace_other"]
    seconds = both[["kubernetes", "transfer", "pipeline"]].assign(
        libraries=both["libraries"] - both["libraries_other"] * then,
        overhead=both["wall"] - both["wall_other"] * then,
    )
    known = seconds.drop(columns="overhead").sum(axis=1)
    return seconds.assign(residual=seconds["overhead"] - known)


def falls(logs: pd.Series, read: pd.Series) -> tuple[float, float, float]:
    """The ratio at ten times the rows read, over itself: by repeats that have all sizes.

    Args:
        logs: of ratios.
        read: rows, by the size of the data.
    """
    blocks = logs.unstack(SIZES)
    sizes = blocks.columns.to_frame(index=False)
    decades = np.log10(read[sizes["data"]].to_numpy())
    off = decades - pd.Series(decades).groupby(sizes["model"]).transform("mean").to_numpy()
    slopes = blocks @ off / (off @ off)
    return interval(slopes, _session(slopes))


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
