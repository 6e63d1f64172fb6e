"""On simulated studies whose truth is known, intervals hold it as often as they say.

Each study has two kinds of machines: one measured in two sessions, of which the second was cut off,
the other with the fewest repeats that have an interval. Within a session runs become longer, noise
is autocorrelated from run to run, and differs from size to size and backend to backend.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from podline_studies.overhead.analysis.hypotheses import judge
from podline_studies.overhead.analysis.operator_comparison import against_processes
from podline_studies.overhead.analysis.pairs import Pipeline, by_cell, pair
from podline_studies.overhead.frames import check_runs
from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.estimates import geometric

STUDIES = 120
SIZES = {10_000: (8.0, 0.12), 1_500_000: (10.0, 0.06), 10_000_000: (25.0, 0.08)}  # wall, noise
BACKENDS = {"notebook": 1.0, "process": 1.0, "kubernetes": 1.3}  # noise
# Repeats of each session, by machine; how much longer a run takes after an hour; a level.
SESSIONS = {"first": ((6, 0.11, 1.0), (2, -0.05, 1.08)), "other": ((6, 0.2, 0.8),)}
RATIO = {"first": 2.0, "other": 2.3}  # of processes to the notebook
CORRELATION = 0.8  # of a slow noise from run to run; a fast one is as large
EFFECTS = (0.0, 0.05, 0.10)  # by which pods take longer than processes


def study(seed: int, effect: float) -> pd.DataFrame:
    """The runs of a study, in which pods take longer than processes by `effect`."""
    random = np.random.default_rng(seed)
    rows = list(_runs(random, effect))
    return check_runs(pd.DataFrame(rows))


def _runs(random: np.random.Generator, effect: float) -> Iterator[dict[str, object]]:
    cells = [(size, backend) for size in SIZES for backend in BACKENDS]
    fixed = {"notebook": "n", "way": "scheduler", "attempt": 1, "warmup": False, "model": 10_000}
    fixed |= {"state": "success", "stages": 5}
    sitting, first = 0, 0
    for machine, sessions in SESSIONS.items():
        times = {"notebook": 1.0, "process": RATIO[machine]}
        times["kubernetes"] = times["process"] * (1 + effect)
        for repeats, drift, level in sessions:
            sitting, at, slow = sitting + 1, 0.0, random.standard_normal()
            for repeat in range(first, first + repeats):
                for place in random.permutation(len(cells)):
                    size, backend = cells[place]
                    wall, noise = SIZES[size]
                    slow = (
                        CORRELATION * slow
                        + math.sqrt(1 - CORRELATION**2) * random.standard_normal()
                    )
                    of = noise * BACKENDS[backend] / math.sqrt(2)
                    log = of * (slow + random.standard_normal()) + drift * at / 3600
                    wall *= level * times[backend] * math.exp(log)
                    about = {"backend": backend, "data": size, "machine": machine}
                    yield (
                        fixed
                        | about
                        | {
                            "repeat": repeat,
                            "sitting": sitting,
                            "started": at,
                            "wall_s": wall,
                            **dict.fromkeys(("kubernetes_s", "transfer_s", "libraries_s"), 0.0),
                            "code_s": wall / 2,
                            "pipeline_s": wall / 2,
                        }
                    )
                    at += 3 * wall + 40  # as long as where there are more sizes
            first += repeats


def truth(pipeline: Pipeline, effect: float) -> float:
    """The true ratio of a pipeline to the notebook."""
    pods = 1 + effect if pipeline.backend == "kubernetes" else 1.0
    return RATIO[pipeline.machine] * pods


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_intervals_hold_the_truth() -> None:
    held: dict[str, list[bool]] = {"in the mean": [], "by size": []}
    for seed in range(STUDIES):
        effect = EFFECTS[seed % len(EFFECTS)]
        runs = study(seed, effect)
        pairs = pair(runs)
        for one in judge(pairs, runs.iloc[:0].assign(stage="")):
            if one.name == "exists" and one.model is None:
                true = truth(one.pipeline, effect)
                held["in the mean"].append(_inside(one.effect.low, true, one.effect.high))
        for cell, rows in by_cell(pairs):
            ratio = geometric(rows["ratio"], rows["sitting"])  # as combinations have it
            held["by size"].append(_inside(ratio.low, truth(cell.pipeline, effect), ratio.high))
    coverage = {name: np.mean(found) for name, found in held.items()}
    assert all(0.93 <= share <= 0.97 for share in coverage.values()), coverage


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_at_the_margin_one_in_twenty_at_most_is_wrongly_equivalent() -> None:
    found = [
        alike.ratio
        for seed in range(500)
        for alike in against_processes(study(1000 + seed, MARGIN))
    ]
    covered = np.mean([_inside(of.low, 1 + MARGIN, of.high) for of in found])
    assert 0.93 <= covered <= 0.97
    wrong = stats.binomtest(sum(of.equivalent for of in found), len(found), 0.05, "greater")
    assert wrong.pvalue > 0.05, wrong.statistic


def _inside(low: float | None, true: float, high: float | None) -> bool:
    assert low is not None
    assert high is not None
    return low <= true <= high
