"""A simulated sweep that the tests share: its truth is known, and it is no result."""

from dataclasses import dataclass

import pandas as pd
import pytest

from podline_studies.overhead.analysis.summary import summarise
from podline_studies.overhead.analysis.tables import make_tables
from podline_studies.overhead.frames import OverheadCircumstances, check_runs, check_stages
from tests.support import simulated_sweep

JOINED = "household_power_joined"


@dataclass(frozen=True)
class Sweep:
    runs: pd.DataFrame
    stages: pd.DataFrame
    about: OverheadCircumstances


@pytest.fixture(scope="session")
def sweep() -> Sweep:
    """Four backends, four data and three model sizes, eight repeats in two sessions; and a join."""
    backends = ("notebook", "process", "kubernetes", "stock")
    apart = simulated_sweep.simulate(seed=1, backends=backends, sessions=2)
    stages = ("ingest_preprocess", "train", "evaluate", "publish")
    joined = simulated_sweep.simulate(
        2, notebook=JOINED, backends=("notebook", "kubernetes"), stages=stages, sessions=2
    )
    runs, stages = (pd.concat(both, ignore_index=True) for both in zip(apart, joined, strict=True))
    about = simulated_sweep.about(runs)
    of = ["ingest", "preprocess"]
    about["joined"] = {"notebook": JOINED, "of": "household_power", "stages": of}
    return Sweep(check_runs(runs), check_stages(stages), about)


@pytest.fixture(scope="session")
def small() -> Sweep:
    """Two sizes each, three backends, two repeats."""
    runs, stages = simulated_sweep.simulate(
        data=(10_000, 1_000_000), models=(10_000, 1_000_000), repeats=2
    )
    return Sweep(check_runs(runs), check_stages(stages), simulated_sweep.about(runs))


@pytest.fixture(scope="session")
def tables(sweep: Sweep) -> dict[str, pd.DataFrame]:
    return make_tables(summarise(sweep.runs, sweep.stages, sweep.about))


@pytest.fixture(scope="session")
def few(small: Sweep) -> dict[str, pd.DataFrame]:
    return make_tables(summarise(small.runs, small.stages, small.about))
