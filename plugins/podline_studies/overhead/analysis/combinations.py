"""What each combination of notebook, sizes and backend cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from podline_studies.overhead.analysis.pairs import PARTS, Cell, by_cell
from podline_studies.reports.estimates import Estimate, difference, geometric


@dataclass(frozen=True)
class Combination:
    """What runs of one notebook, way, backend, data and model size took.

    Attributes:
        cell: which.
        wall, baseline: seconds.
        overhead: seconds.
        beside_code: the same less the difference of the code's own time.
        ratio: of the walls: `overhead` as a share of the baseline, plus one.
        parts: mean seconds of each of `pairs.PARTS`; they add up to the mean overhead.
        code_ratio: the code's own time over that in the whole notebook.
    """

    cell: Cell
    wall: Estimate
    baseline: Estimate
    overhead: Estimate
    beside_code: Estimate
    ratio: Estimate
    parts: dict[str, float]
    code_ratio: Estimate

    @property
    def n(self) -> int:
        return self.overhead.n

    @property
    def share(self) -> Estimate:
        """The overhead as a part of the baseline's wall."""
        return self.ratio.share


def combine(pairs: pd.DataFrame) -> list[Combination]:
    """Estimate the cost of each combination.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
    """
    return [
        Combination(
            cell,
            wall=geometric(rows["wall_s"]),
            baseline=geometric(rows["baseline_s"]),
            overhead=difference(rows["overhead_s"]),
            beside_code=difference(rows["beside_code_s"]),
            ratio=geometric(rows["ratio"]),
            parts={part: float(rows[f"overhead_{part}_s"].mean()) for part in PARTS},
            code_ratio=geometric(rows["code_ratio"]),
        )
        for cell, rows in by_cell(pairs)
    ]


def table(combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a combination: n, medians, means and the ends of 95 % intervals.

    Columns that end in `_s` are seconds; those of shares and ratios have no unit.
    """
    return pd.DataFrame(
        {
            **one.cell._asdict(),
            "n": one.n,
            **columns("wall_s", one.wall),
            **columns("baseline_s", one.baseline),
            **columns("overhead_s", one.overhead),
            **columns("beside_code_s", one.beside_code),
            **columns("share", one.share),
            **columns("code_ratio", one.code_ratio),
            **{f"mean_{part}_s": seconds for part, seconds in one.parts.items()},
        }
        for one in combinations
    )


def columns(name: str, estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate's numbers as columns of a table."""
    return {f"{name}_{of}": getattr(estimate, of) for of in ("median", "mean", "low", "high")}
