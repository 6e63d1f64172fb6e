"""The tables behind the figures, and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from podline_studies.updates.analysis.points import OURS, Compared, Summary, Taken


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name."""
    return {
        "times": times(found.of(OURS)),
        "parts": parts(found.taken),
        "steps": parts(found.over_one_link),
        "ways": ratios(found.pairs("way")),
        "forms": ratios([one for one in found.pairs("form") if one.way == OURS]),
        "stores": ratios([one for one in found.pairs("store") if one.way == OURS]),
        "updates": found.updates,
    }


def times(taken: Sequence[Taken]) -> pd.DataFrame:
    """A row a point, store and way: from the publish to the first prediction, and the limits."""
    return pd.DataFrame(
        asdict(one.point)
        | {"side": one.side, "way": one.way, "n": one.seconds.n, "seconds": one.seconds.mean}
        | {"low": one.seconds.low, "high": one.seconds.high, "median": one.seconds.median}
        | {"limit_s": one.limit, "start_s": one.start, "within": one.within, "more_s": one.more}
        for one in taken
    )


def parts(taken: Sequence[Taken]) -> pd.DataFrame:
    """A row a point, store, way and part: its mean length, in seconds."""
    return pd.DataFrame(
        asdict(one.point)
        | {"side": one.side, "way": one.way, "part": part, "mean_s": seconds, "limit_s": one.limit}
        for one in taken
        for part, seconds in one.parts.items()
    )


def ratios(compared: Sequence[Compared]) -> pd.DataFrame:
    """A row a comparison: the ratio with its intervals."""
    return pd.DataFrame(
        asdict(one.point)
        | {"side": one.side, "way": one.way, "first": one.first, "second": one.second}
        | asdict(one.times)
        for one in compared
    )
