"""What each combination of notebook, sizes and backend cost."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from podline_studies.overhead.analysis.pairs import PARTS, Cell, by_cell
from podline_studies.reports.estimates import Estimate, difference, geometric


@dataclass(frozen=True)
class Combination:
    """What runs of one notebook, way, backend, data and model size took.

    Attributes:
        cell: which.
        rows: of data that were read, in the median; the parameter where no run tells.
        wall, baseline: seconds.
        overhead: seconds.
        beside_code: the same less the difference of the code's own time.
        ratio: of the walls: `overhead` as a share of the baseline, plus one.
        parts: mean seconds of each of `pairs.PARTS`; they add up to the mean overhead.
        code_ratio: the code's own time over that in the whole notebook.
    """

    cell: Cell
    rows: float
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


def rows_read(runs: pd.DataFrame) -> float:
    """Return how many rows of data runs of one size read, in the median.

    NaN where neither they nor a parameter tell.
    """
    told = runs["rows_read"].median()
    return float(runs["data"].iloc[0] if pd.isna(told) else told)


def combine(pairs: pd.DataFrame) -> list[Combination]:
    """Estimate the cost of each combination.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
    """
    return [
        Combination(
            cell,
            rows=rows_read(rows),
            wall=geometric(rows["wall_s"], rows["sitting"]),
            baseline=geometric(rows["baseline_s"], rows["sitting"]),
            overhead=difference(rows["overhead_s"], rows["sitting"]),
            beside_code=difference(rows["beside_code_s"], rows["sitting"]),
            ratio=geometric(rows["ratio"], rows["sitting"]),
            parts={part: float(rows[f"overhead_{part}_s"].mean()) for part in PARTS},
            code_ratio=geometric(rows["code_ratio"], rows["sitting"]),
        )
        for cell, rows in by_cell(pairs)
    ]
