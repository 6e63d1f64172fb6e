"""The tables behind the figures, and more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pandas as pd

from podline_studies.uploads.analysis.points import Compared, Point, Size, Summary, Times

_RARE = ("failed", "machines")  # left out where they are empty


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name."""
    made = {
        "times": times(found.times),
        "sizes": compared(found.sizes),
        "ratios": compared([*found.points, *found.sizes]),
        "machines": machines(found),
        "drops": found.drops,
        "links": links(found),
        "uploads": found.uploads,
        "pairs": found.pairs,
        "failed": failed(found),
    }
    return {name: frame for name, frame in made.items() if name not in _RARE or len(frame)}


def compared(found: Iterable[Compared[Point] | Compared[Size]]) -> pd.DataFrame:
    """A row a place, comparison and kind: the ratio with its intervals, and its verdicts.

    A size, over all round trips and clients, has none of these.
    """
    return pd.DataFrame(
        asdict(one.place)
        | {"comparison": str(one.comparison), "kind": one.kind, "pairs": one.pairs}
        | asdict(one.judged.found)
        | {"p_strict": one.judged.strict.p, "p_none": one.judged.p}
        | {"verdict": str(one.judged.verdict), "within_5": str(one.judged.strict_verdict)}
        | {"differs": one.judged.differs}
        for one in found
    )


def machines(found: Summary) -> pd.DataFrame:
    """The sizes as `compared` has them, by kind of processor."""
    some = [
        compared(of).drop(columns="pairs").assign(machine=name)
        for name, of in found.by_machine.items()
    ]
    return pd.concat(some) if some else pd.DataFrame()


def times(found: Sequence[Times]) -> pd.DataFrame:
    """A row a point and store: its medians in seconds, and the share of the link's limit."""
    return pd.DataFrame(
        asdict(one.point) | {name: value for name, value in vars(one).items() if name != "point"}
        for one in found
    )


def failed(found: Summary) -> pd.DataFrame:
    """A row an attempt at a batch that failed or was disturbed."""
    return pd.DataFrame(
        {"batch": str(one.visit), "attempt": one.attempt, "failure": one.failure}
        for one in found.about["failed"]
    )


def links(found: Summary) -> pd.DataFrame:
    """A row a kind of link and round trip: medians of the link as it was found."""
    return pd.DataFrame({"arm": arm, "rtt": rtt, **row} for arm, rtt, row in found.links)
