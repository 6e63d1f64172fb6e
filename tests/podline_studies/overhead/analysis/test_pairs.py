"""Each run beside its baseline."""

import math

import pandas as pd
import pytest

from podline_studies.overhead.analysis.pairs import (
    PARTS,
    Pipeline,
    count,
    pair,
    stages_of,
    successful,
)
from podline_studies.overhead.frames import check_runs
from tests.podline_studies.overhead.conftest import Sweep


def test_the_overhead_is_the_wall_less_that_of_the_baseline_in_the_same_repeat(
    small: Sweep,
) -> None:
    pairs = pair(small.runs)
    assert len(pairs) == 2 * 4 * 2
    row = pairs.iloc[0]
    same = (small.runs[["data", "model", "repeat"]] == row[["data", "model", "repeat"]]).all(axis=1)
    (baseline,) = small.runs.loc[same & (small.runs["backend"] == "notebook"), "wall_s"]
    # But for the session's drift from one to the other.
    assert row["baseline_s"] == pytest.approx(baseline, rel=0.05)
    assert row["overhead_s"] == pytest.approx(row["wall_s"] - row["baseline_s"])
    assert row["share"] == pytest.approx(row["overhead_s"] / row["baseline_s"])


def test_its_parts_add_up_exactly(small: Sweep) -> None:
    pairs = pair(small.runs)
    parts = pairs[[f"overhead_{part}_s" for part in PARTS]]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(pairs["overhead_s"].to_numpy(), abs=1e-9)


def test_the_residual_is_the_difference_of_the_code_less_the_baselines_own_start() -> None:
    parts = ["kubernetes_s", "transfer_s", "libraries_s", "pipeline_s", "code_s"]
    seconds = {"notebook": [0, 0, 3, 1, 6], "kubernetes": [4, 2, 5, 6, 7]}
    runs = pd.DataFrame(list(seconds.values()), columns=parts)
    runs = runs.assign(wall_s=runs.sum(axis=1), backend=list(seconds), data=1.0, model=1.0)
    key = {"notebook": "n", "way": "test", "repeat": 0, "attempt": 1, "sitting": 0}
    runs = runs.assign(**key, warmup=False, state="success", stages=5)
    (row,) = pair(check_runs(runs)).to_dict("records")
    assert [row[f"overhead_{part}_s"] for part in PARTS] == [4, 2, 2, 6, 0]
    assert row["beside_code_s"] == (24 - 7) - (10 - 6)
    assert row["code_ratio"] == pytest.approx(7 / 6)


def test_pods_are_compared_with_the_notebook_in_a_pod_where_the_study_has_it(small: Sweep) -> None:
    still = small.runs.assign(started=math.nan)  # or more runs would tell of the drift
    in_pod = still[still["backend"] == "notebook"].assign(backend="notebook-pod")
    in_pod["wall_s"] *= 1.2
    in_pod["pipeline_s"] += in_pod["wall_s"] / 6
    runs = pd.concat([still, in_pod], ignore_index=True)
    before, after = pair(still).set_index("index"), pair(runs).set_index("index")
    times = (after["baseline_s"] / before["baseline_s"]).groupby(after["backend"]).median()
    assert times.to_dict() == {"kubernetes": pytest.approx(1.2), "process": pytest.approx(1.0)}
    assert count(runs).baselines == 2 * count(small.runs).baselines
    assert count(runs).unpaired == 0
    assert set(stages_of(small.stages, runs)["backend"]) == {"kubernetes", "process"}


@pytest.mark.parametrize(
    ("column", "other"),
    [("sitting", 7), ("way", "test"), ("repeat", 7), ("machine", "another"), ("steps", 200)],
)
def test_nothing_is_compared_across_sessions_ways_repeats_machines_or_steps(
    small: Sweep, column: str, other: object
) -> None:
    runs = small.runs.copy()
    baseline = runs["backend"] == "notebook"
    runs.loc[baseline, column] = other
    counts = count(runs)
    assert (counts.paired, counts.unpaired) == (0, 16)
    assert pair(runs).empty


def test_warm_ups_and_failures_are_counted_and_left_out(small: Sweep) -> None:
    runs = small.runs.copy()
    runs.loc[0, "warmup"] = True
    runs.loc[1, "state"] = "failed"
    counts = count(runs)
    assert (counts.rows, counts.warmups, counts.failed) == (24, 1, 1)
    assert counts.paired + counts.unpaired + counts.baselines == 22


def test_of_attempts_that_succeeded_the_last_counts(small: Sweep) -> None:
    again = small.runs.iloc[[0]].assign(attempt=2, wall_s=99.0)
    runs = pd.concat([small.runs, again], ignore_index=True)
    assert count(runs).repeated == 1
    assert 99.0 in set(successful(runs)["wall_s"])
    assert len(successful(runs)) == len(small.runs)


def test_stages_are_those_of_runs_that_count(small: Sweep) -> None:
    runs = small.runs.copy()
    failed = runs.index[runs["backend"] == "kubernetes"][0]
    runs.loc[failed, "state"] = "failed"
    stages = stages_of(small.stages, runs)
    assert len(stages) == len(small.stages) - 5
    whole = stages["own_s"] + stages["overhead_s"]
    assert whole.to_numpy() == pytest.approx(stages["duration_s"].to_numpy())


def test_a_way_that_is_not_a_schedulers_is_named() -> None:
    assert str(Pipeline("n", "scheduler", "process")) == "n on process"
    assert str(Pipeline("n", "test", "process")) == "n on process, by dags test"
    assert str(Pipeline("n", "scheduler", "process", "m", 2000)) == "n on process, 2,000 steps"
