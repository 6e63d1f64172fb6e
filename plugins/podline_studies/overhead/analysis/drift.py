"""A session's drift: by what share an hour its machine becomes slower, and times without it.

An analysis of covariance: each run's logarithm beside the mean of its combination in the session is
a straight line in time, the same for all combinations. Where a session measured each combination
once, nothing is told of it, and nothing taken out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

HOUR = 3600.0  # seconds


def drifts(runs: pd.DataFrame, combination: Sequence[str]) -> pd.Series[float]:
    """Return each session's drift: of the logarithm of a wall, an hour; indexed by session.

    Args:
        runs: that count: `sitting`, `started` (epoch; NaN: not known) and `wall_s`.
        combination: the columns that tell one from another.
    """
    same = runs.groupby(["sitting", *combination], dropna=False)
    hours = (runs["started"] - same["started"].transform("mean")) / HOUR
    logs = np.log(runs["wall_s"])
    logs = logs - logs.groupby(same.ngroup()).transform("mean")
    sums = pd.DataFrame({"xy": hours * logs, "xx": hours**2}).groupby(runs["sitting"]).sum()
    found: pd.Series[float] = (sums["xy"] / sums["xx"].where(sums["xx"] > 0)).fillna(0.0)
    return found


def pace(runs: pd.DataFrame, combination: Sequence[str]) -> pd.Series[float]:
    """Return how much longer a run took for when it began: 1 in the middle of its session.

    Args:
        runs: of `drifts`.
        combination: likewise.
    """
    since = runs["started"] - runs.groupby("sitting")["started"].transform("mean")
    drift = runs["sitting"].map(drifts(runs, combination)).astype(float)
    found: pd.Series[float] = np.exp((drift * since / HOUR).fillna(0.0))
    return found
