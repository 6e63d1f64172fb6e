"""A simulated sweep that the tests share: its truth is known, and it is no result."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from podline_studies.overhead.analysis.run_frames import check_runs, check_stages
from podline_studies.overhead.analysis.summary import summarise
from podline_studies.overhead.analysis.tables import make_tables
from tests.support import simulated_sweep


@dataclass(frozen=True)
class Sweep:
    runs: pd.DataFrame
    stages: pd.DataFrame
    about: dict[str, Any]


@pytest.fixture(scope="session")
def sweep() -> Sweep:
    """Four backends, four data and three model sizes, eight repeats in two sittings; and a join."""
    backends = ("notebook", "process", "kubernetes", "stock")
    apart = simulated_sweep.simulate(seed=1, backends=backends, sittings=2)
    joined = simulated_sweep.simulate(
        seed=2, notebook="household_power_joined", backends=("notebook", "kubernetes"), sittings=2,
        stages=("ingest_preprocess", "train", "evaluate", "publish"),
    )  # fmt: skip
    runs, stages = (pd.concat(both, ignore_index=True) for both in zip(apart, joined, strict=True))
    about = simulated_sweep.about(runs)
    about["joined"] = {
        "notebook": "household_power_joined", "of": "household_power",
        "stages": ["ingest", "preprocess"],
    }  # fmt: skip
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
