"""A session's drift, and runs without it."""

import math

import numpy as np
import pandas as pd
import pytest

from podline_studies.overhead.analysis.drift import drifts, pace
from podline_studies.overhead.analysis.pairs import COMBINATION, pair
from podline_studies.overhead.frames import check_runs
from tests.support.simulated_sweep import Truth, simulate

QUIET = Truth(sd=0.0, jitter=0.0)


def drifting(share: float, repeats: int = 8) -> pd.DataFrame:
    """Runs of one session that become longer by a share an hour, and are otherwise without noise."""
    runs = check_runs(simulate(truth=QUIET, repeats=repeats)[0])
    hours = (runs["started"] - runs["started"].min()) / 3600
    seconds = [name for name in runs if name.endswith("_s")]
    return runs.assign(**{name: runs[name] * (1 + share) ** hours for name in seconds})


def test_a_drift_is_found_whatever_the_order() -> None:
    (found,) = drifts(drifting(0.11), COMBINATION)
    assert math.expm1(found) == pytest.approx(0.11)


def test_pairs_are_without_it() -> None:
    still, moved = pair(drifting(0.0)), pair(drifting(0.3))
    assert moved["ratio"].to_numpy() == pytest.approx(still["ratio"].to_numpy())
    parts = moved[[name for name in moved if name.startswith("overhead_") and name[9:10] != "s"]]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(moved["overhead_s"].to_numpy())


def test_of_one_repeat_nothing_is_told() -> None:
    runs = drifting(0.3, repeats=1)
    assert list(drifts(runs, COMBINATION)) == [0.0]
    assert set(pace(runs, COMBINATION)) == {1.0}


def test_sessions_have_each_their_own() -> None:
    one, other = drifting(0.1).assign(sitting=1), drifting(-0.2).assign(sitting=2)
    found = drifts(pd.concat([one, other], ignore_index=True), COMBINATION)
    assert np.expm1(found).to_dict() == pytest.approx({1: 0.1, 2: -0.2})


def test_runs_that_do_not_tell_when_they_began_have_none() -> None:
    runs = drifting(0.3).assign(started=math.nan)
    assert set(pace(runs, COMBINATION)) == {1.0}
