"""Advice which stages to join, against what joining them really saves in the simulation."""

import math

import pandas as pd
import pytest

from podline_studies.overhead.analysis.join_advice import Join, advise, compare
from podline_studies.overhead.analysis.pairs import stages_of
from podline_studies.overhead.frames import check_runs, check_stages
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.simulated_sweep import Truth, overhead, simulate


def advised(runs: pd.DataFrame, stages: pd.DataFrame) -> list[Join]:
    runs, stages = check_runs(runs), check_stages(stages)
    return advise(stages_of(stages, runs))


def test_the_saving_predicted_is_what_one_stage_less_costs_less(sweep: Sweep) -> None:
    joins = advised(sweep.runs, sweep.stages)
    joins = [join for join in joins if join.cell.notebook == "household_power"]
    assert len(joins) == 3 * 12 * 4
    for join in joins:
        if join.stages == ("ingest", "preprocess"):
            size = join.cell.backend, int(join.cell.data), int(join.cell.model)
            saved = overhead(Truth(), *size, 5) - overhead(Truth(), *size, 4)
            # The second session is slower by a fifth.
            assert join.saving.mean == pytest.approx(saved * 1.1, rel=0.15)


def test_joining_is_advised_where_the_boundary_costs_more_than_the_shorter_stage(
    sweep: Sweep,
) -> None:
    joins = [join for join in advised(sweep.runs, sweep.stages) if join.cell.model == 10_000]
    found = {(join.cell.backend, join.cell.data, join.stages): join for join in joins}
    # Some 2 s of start against 0.2 s of evaluation, and against 5 s of preprocessing.
    assert found["kubernetes", 10_000, ("evaluate", "publish")].advised
    assert not found["kubernetes", 10_000_000, ("ingest", "preprocess")].advised
    assert not found["process", 10_000, ("ingest", "preprocess")].advised


def test_what_a_later_stage_reads_of_the_first_is_stored_all_the_same(small: Sweep) -> None:
    stages = small.stages.copy()
    stages.loc[stages["stage"] == "preprocess", ["dump", "store"]] = 5.0
    stages.loc[stages["stage"].isin(["preprocess", "train"]), "bytes_out"] = 100.0
    reads = {"train": 100.0, "evaluate": 100.0, "publish": 100.0}
    for stage, size in reads.items():
        stages.loc[stages["stage"] == stage, "bytes_in"] = size
    alone = savings(small.runs, stages)["preprocess", "train"]
    # Evaluate reads 60 bytes more than training stores: those are of preprocess.
    stages.loc[stages["stage"] == "evaluate", "bytes_in"] = 160.0
    shared = savings(small.runs, stages)["preprocess", "train"]
    assert alone - shared == pytest.approx(10.0 * 0.6, rel=1e-3)


def savings(runs: pd.DataFrame, stages: pd.DataFrame) -> dict[tuple[str, str], float]:
    joins = advised(runs, stages)
    first = [join for join in joins if join.cell == joins[0].cell]
    return {join.stages: sum(join.saving.values) / join.saving.n for join in first}


def test_stages_side_by_side_are_not_advised_on(small: Sweep) -> None:
    stages = small.stages.assign(on_path=small.stages["stage"] != "evaluate")
    assert advised(small.runs, stages) == []


def test_a_join_that_was_made_saves_what_was_predicted(sweep: Sweep) -> None:
    stages = stages_of(sweep.stages, sweep.runs)
    found = compare(sweep.runs, stages, sweep.about["joined"])
    assert {join.cell.backend for join in found} == {"kubernetes"}
    assert len(found) == 12
    inside = 0
    for join in found:
        assert (join.notebook, join.measured.n) == ("household_power_joined", 8)
        assert join.predicted is not None
        assert join.beside_code.low is not None
        assert join.beside_code.high is not None
        inside += join.beside_code.low <= join.predicted.mean <= join.beside_code.high
    assert inside >= 9


def test_a_join_without_runs_or_stages_to_compare_with(sweep: Sweep) -> None:
    stages = stages_of(sweep.stages, sweep.runs)
    assert compare(sweep.runs, stages, None) == []
    only = sweep.runs[sweep.runs["notebook"] == "household_power"]
    assert compare(only, stages, sweep.about["joined"]) == []
    unknown = compare(sweep.runs, stages.iloc[:0], sweep.about["joined"])
    assert {join.predicted for join in unknown} == {None}
    assert not any(math.isnan(join.measured.mean) for join in unknown)


def test_two_runs_are_enough_for_advice_without_an_interval() -> None:
    runs, stages = simulate(data=(10_000,), models=(10_000,), repeats=2)
    join = next(join for join in advised(runs, stages) if join.cell.backend == "kubernetes")
    assert join.saving.low is None
    assert join.advised
