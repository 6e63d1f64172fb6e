"""The tables behind the figures, and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from podline_studies.uploads.analysis.points import Compared, Summary


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name."""
    shown = {of.__name__: of(found.compared) for of in (times, ratios, shares)}
    return shown | {"uploads": found.uploads, "pairs": found.pairs}


def ratios(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and kind: the ratio of cluster over machine with its intervals, and verdict."""
    return pd.DataFrame(
        asdict(one.point) | {"kind": kind} | asdict(of) | {"verdict": str(one.verdict(of))}
        for one in compared
        for kind, of in one.tests.items()
    )


def times(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and store: medians of the whole and of the commit, in seconds."""
    return pd.DataFrame(
        asdict(one.point) | {"store": store, "seconds": seconds, "commit_s": one.commits[store]}
        for one in compared
        for store, seconds in one.seconds.items()
    )


def shares(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a point and store: the share of the link's limit that was reached."""
    return pd.DataFrame(
        asdict(one.point)
        | {"store": store, "n": of.n, "share": of.mean, "low": of.low, "high": of.high}
        for one in compared
        for store, of in one.shares.items()
    )
