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
