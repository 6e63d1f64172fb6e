"""podline's operator against Airflow's own, on the same stages."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from podline_studies.overhead.analysis.pairs import POINT, Cell, by_cell, successful
from podline_studies.reports.estimates import Estimate, difference, geometric

OURS, STOCK = "kubernetes", "stock"  # backends


@dataclass(frozen=True)
class Saved:
    """What podline's operator saves of one combination.

    Attributes:
        cell: which; its backend is podline's.
        ours: seconds of the wall.
        stock: likewise.
        saved: seconds, pairwise.
        ratio: of the walls, the stock operator's to ours.
    """

    cell: Cell
    ours: Estimate
    stock: Estimate
    saved: Estimate
    ratio: Estimate


def against_stock(runs: pd.DataFrame) -> list[Saved]:
    """Compare the two operators run by run, in the same repeat and session.

    Args:
        runs: a row a run.
    """
    good = successful(runs)
    ours, stock = (good[good["backend"] == backend] for backend in (OURS, STOCK))
    both = ours.merge(stock[[*POINT, "wall_s"]], on=POINT, suffixes=("", "_stock"))
    return [
        Saved(
            cell,
            ours=geometric(rows["wall_s"]),
            stock=geometric(rows["wall_s_stock"]),
            saved=difference(rows["wall_s_stock"] - rows["wall_s"]),
            ratio=geometric(rows["wall_s_stock"] / rows["wall_s"]),
        )
        for cell, rows in by_cell(both)
    ]
