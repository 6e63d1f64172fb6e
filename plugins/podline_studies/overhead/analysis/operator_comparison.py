"""podline's pods beside the same stages run otherwise: by Airflow's own operator, begun ahead,
several runs at once, in local processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from podline.settings import Backend
from podline_studies.overhead.analysis.pairs import (
    Cell,
    Pipeline,
    beside,
    by_cell,
    by_pipeline,
    successful,
)
from podline_studies.overhead.design import (
    AHEAD,
    AT_ONCE,
    BASELINE,
    POD_BASELINE,
    STOCK,
    TUNED,
)
from podline_studies.reports.equivalence import Equivalence, equivalence
from podline_studies.reports.estimates import Estimate, difference, geometric

OURS = Backend.KUBERNETES.value


@dataclass(frozen=True)
class Saved:
    """What podline's pods, one run at a time, save of one combination.

    Attributes:
        cell: which; its backend is podline's.
        than: the other one: Airflow's operator, or podline's otherwise.
        ours: seconds of the wall.
        stock: likewise, of the other one.
        saved: seconds, pairwise.
        ratio: of the walls, the other one's to ours.
    """

    cell: Cell
    than: str
    ours: Estimate
    stock: Estimate
    saved: Estimate
    ratio: Estimate


@dataclass(frozen=True)
class Alike:
    """Whether runs in pods take as long as in processes of this machine.

    Attributes:
        pipeline: in pods; of the whole notebook, too.
        sizes: combinations of sizes that both ran at.
        ratio: of the walls, pods over processes: the geometric mean over sizes, a value a repeat.
    """

    pipeline: Pipeline
    sizes: int
    ratio: Equivalence


def against_stock(runs: pd.DataFrame) -> list[Saved]:
    """Compare the operators, and podline's ways, run by run, in the same repeat and session.

    Args:
        runs: a row a run.
    """
    return [
        Saved(
            cell,
            than,
            ours=geometric(rows["wall_s"], rows["sitting"]),
            stock=geometric(rows["wall_s_other"], rows["sitting"]),
            saved=difference(rows["wall_s_other"] - rows["wall_s"], rows["sitting"]),
            ratio=geometric(rows["wall_s_other"] / rows["wall_s"], rows["sitting"]),
        )
        for than in (STOCK, TUNED, AHEAD, *AT_ONCE)
        for cell, rows in by_cell(_beside(runs, than))
    ]


def against_processes(runs: pd.DataFrame) -> list[Alike]:
    """Compare pods with processes, in the same repeat and session.

    Beside the pipeline's, the whole notebook's: how much of a difference is the interpreters' own.
    Runs of one repeat share what the machine did then, so that a repeat is one value: the mean over
    the sizes that it has. The session is a block.

    Args:
        runs: a row a run.
    """
    found = []
    pairs = ((OURS, Backend.PROCESS.value), (POD_BASELINE, BASELINE))
    both = pd.concat([_beside(runs, other, one) for one, other in pairs])
    for pipeline, rows in by_pipeline(both):
        ratio = pd.Series(np.log(rows["wall_s"]) - np.log(rows["wall_s_other"]))
        sizes = [rows[name].fillna(-1.0) for name in ("data", "model")]
        # A repeat that lacks a size is not taken for faster or slower by that.
        beside_size = ratio - ratio.groupby(sizes).transform("mean") + ratio.mean()
        block = [rows["sitting"], rows["repeat"]]
        number = ratio.groupby(sizes).ngroups
        # One that lacks more than half is too noisy to count as one.
        blocks = beside_size.groupby(block)
        repeats = blocks.mean()[blocks.size() >= number / 2]
        values = np.exp(repeats).tolist()
        sessions = [sitting for sitting, _ in repeats.index]
        alike = equivalence(values, [1.0] * len(values), sessions)
        found.append(Alike(pipeline, number, alike))
    return found


def _beside(runs: pd.DataFrame, other: str, one: str = OURS) -> pd.DataFrame:
    """Podline's pods, each with the other's wall as `wall_s_other`."""
    good = successful(runs)
    ones, others = (good[good["backend"] == backend] for backend in (one, other))
    return beside(ones, others, ["wall_s"])
