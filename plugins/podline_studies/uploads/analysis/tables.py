"""The tables behind the figures, and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from podline_studies.reports.equivalence import Equivalence
from podline_studies.uploads.analysis.points import Compared

KINDS = {"whole": "the whole upload", "transfer": "until the last byte"}


def ratios(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and kind: the ratio of cluster over machine with its intervals, and verdict."""
    return pd.DataFrame([
        {
            **asdict(one.point), "kind": kind, **_numbers(of), "verdict": str(one.verdict(of)),
        }
        for one in compared for kind, of in (("whole", one.whole), ("transfer", one.transfer))
    ])  # fmt: skip


def _numbers(of: Equivalence) -> dict[str, object]:
    return {
        "n": of.n, "ratio": of.ratio, "low": of.low, "high": of.high, "inner_low": of.inner_low,
        "inner_high": of.inner_high, "spread": of.spread, "p": of.p, "power": of.power,
    }  # fmt: skip


def times(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and store: medians of the whole and of the commit, in seconds."""
    return pd.DataFrame([
        {
            **asdict(one.point), "store": store, "seconds": one.seconds[store],
            "commit_s": one.commits[store],
        }
        for one in compared for store in one.seconds
    ])  # fmt: skip


def shares(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and store: the share of the link's limit that was reached."""
    return pd.DataFrame([
        {
            **asdict(one.point), "store": store, "n": found.n, "share": found.mean,
            "low": found.low, "high": found.high,
        }
        for one in compared for store, found in one.shares.items()
    ])  # fmt: skip
