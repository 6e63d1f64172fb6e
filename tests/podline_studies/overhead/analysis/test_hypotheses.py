"""The thesis' hypotheses: found where they are true, and not where they are not."""

import pandas as pd
import pytest

from podline_studies.overhead.analysis.hypotheses import Hypothesis, Verdict, judge
from podline_studies.overhead.analysis.pairs import pair, stages_of
from podline_studies.overhead.frames import check_runs, check_stages
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.simulated_sweep import Truth, simulate


def judged(runs: pd.DataFrame, stages: pd.DataFrame) -> dict[tuple[str, str], Hypothesis]:
    runs, stages = check_runs(runs), check_stages(stages)
    found = judge(pair(runs), stages_of(stages, runs))
    return {(one.name, one.pipeline.backend): one for one in found if one.model is None}


def test_the_hypotheses_that_are_true_are_shown(sweep: Sweep) -> None:
    apart = sweep.runs["notebook"] == "household_power"
    found = judged(sweep.runs[apart], sweep.stages)
    assert {one.verdict for one in found.values()} == {Verdict.SHOWN}
    exists = found["exists", "kubernetes"]
    assert (exists.effect.n, exists.combinations) == (8, 12)
    assert exists.holding >= 11
    falls = found["falls", "kubernetes"]
    assert falls.combinations == 3
    assert falls.effect.high is not None
    assert falls.effect.high < 1


def test_of_an_overhead_of_one_share_at_every_size_none_falls() -> None:
    """The frequency of an error is in test_statistics; here each size counts for the same."""
    found = judged(*simulate(seed=3, truth=Truth(flat=0.3, jitter=0.0)))
    for backend in ("process", "kubernetes"):
        assert found["exists", backend].verdict is Verdict.SHOWN
        assert found["exists", backend].effect.mean == pytest.approx(1.3, rel=0.05)
        assert found["falls", backend].verdict is Verdict.OPEN
        assert found["falls", backend].effect.mean == pytest.approx(1.0, abs=0.03)


def test_a_share_that_rises_refutes_that_it_falls() -> None:
    truth = Truth(starts={"process": 0.01, "kubernetes": 0.02}, transfer=20.0, weights=0.0)
    found = judged(*simulate(truth=truth, models=(10_000,)))
    assert found["falls", "process"].verdict is Verdict.REFUTED
    assert found["falls", "process"].holding == 0


def test_no_overhead_is_not_shown() -> None:
    found = judged(*simulate(seed=4, truth=Truth(flat=0.0, jitter=0.0)))
    assert found["exists", "kubernetes"].verdict is Verdict.OPEN


def test_training_dominates_only_where_the_model_is_large() -> None:
    small = judged(*simulate(models=(10_000,)))["training", "kubernetes"]
    large = judged(*simulate(models=(10_000_000,)))["training", "kubernetes"]
    assert (small.verdict, small.holding) == (Verdict.REFUTED, 0)
    assert (large.verdict, large.holding) == (Verdict.SHOWN, 4)


def test_each_model_size_is_judged_for_itself() -> None:
    """Together they would say neither."""
    runs, stages = simulate(models=(10_000, 10_000_000), backends=("notebook", "kubernetes"))
    runs, stages = check_runs(runs), check_stages(stages)
    found = judge(pair(runs), stages_of(stages, runs))
    training = {one.model: one.verdict for one in found if one.name == "training"}
    assert training[10_000] is Verdict.REFUTED
    assert training[10_000_000] is Verdict.SHOWN
    assert {one.model for one in found if one.name == "exists"} == {None, 10_000, 10_000_000}


def test_a_share_that_is_measured_at_one_size_does_not_fall() -> None:
    falls = judged(*simulate(data=(10_000,)))["falls", "process"]
    assert falls.verdict is Verdict.UNTESTED
    assert falls.reason == "a model size was measured at one data size only"


def test_two_repeats_decide_nothing(small: Sweep) -> None:
    found = judged(small.runs, small.stages)
    assert {one.verdict for one in found.values()} == {Verdict.UNTESTED}
    assert found["exists", "process"].reason == (
        "an interval needs 6 repeats in a session, and there are 2"
    )
    assert found["exists", "process"].effect.n == 2


def test_without_a_stage_that_trains_training_is_not_tested(small: Sweep) -> None:
    stages = small.stages.assign(stage=small.stages["stage"].replace("train", "fit"))
    training = judged(small.runs, stages)["training", "kubernetes"]
    assert training.verdict is Verdict.UNTESTED
    assert training.reason == "no stage named train has code of its own"


def test_runs_that_failed_leave_the_others(sweep: Sweep) -> None:
    runs = sweep.runs[sweep.runs["notebook"] == "household_power"].copy()
    lost = (runs["backend"] == "kubernetes") & (runs["repeat"] == 3) & (runs["data"] == 10_000)
    runs.loc[lost, "state"] = "failed"
    exists = judged(runs, sweep.stages)["exists", "kubernetes"]
    assert (exists.verdict, exists.effect.n, exists.combinations) == (Verdict.SHOWN, 8, 12)


def test_sizes_that_are_the_notebooks_own_are_one_combination(small: Sweep) -> None:
    one = small.runs[(small.runs["data"] == 10_000) & (small.runs["model"] == 10_000)]
    found = judged(one.assign(data=None, model=None), small.stages.iloc[:0])
    assert found["exists", "process"].combinations == 1
    assert found["falls", "process"].verdict is Verdict.UNTESTED
