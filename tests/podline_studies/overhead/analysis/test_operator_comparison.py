"""podline's operator beside Airflow's own."""

import pandas as pd
import pytest

from podline_studies.overhead.analysis.operator_comparison import against_processes, against_stock
from tests.podline_studies.overhead.conftest import Sweep

DERIVED = ("stock", "stock-tuned")


def test_what_is_saved_is_the_difference_of_walls_run_by_run(sweep: Sweep) -> None:
    found = against_stock(sweep.runs)
    assert len(found) == 12
    smallest = found[0]
    # 5 × 4 s of start, in the mean of a session and one that is slower by a fifth.
    assert smallest.saved.mean == pytest.approx(20 * 1.1, rel=0.15)
    assert smallest.ratio.mean > 2
    assert (smallest.cell.backend, smallest.saved.n) == ("kubernetes", 8)


def test_each_way_of_the_stock_operator_is_compared_for_itself(sweep: Sweep) -> None:
    tuned = sweep.runs[sweep.runs["backend"] == "stock"].assign(backend="stock-tuned")
    tuned["wall_s"] /= 2
    found = against_stock(pd.concat([sweep.runs, tuned], ignore_index=True))
    by = {name: [one.stock.mean for one in found if one.than == name] for name in DERIVED}
    assert len(by["stock"]) == 12
    assert by["stock-tuned"] == pytest.approx([mean / 2 for mean in by["stock"]])


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, True), (1.02, True), (1.25, False)])
def test_pods_beside_processes(sweep: Sweep, factor: float, verdict: bool) -> None:
    pods = sweep.runs["backend"] == "kubernetes"
    runs = pd.concat([sweep.runs[pods], sweep.runs[pods].assign(backend="process")])
    runs.loc[runs["backend"] == "kubernetes", "wall_s"] *= factor
    (alone, joined) = against_processes(runs.reset_index(drop=True))
    assert (alone.sizes, alone.ratio.n) == (12, 8)
    assert alone.ratio.ratio == pytest.approx(factor)
    assert alone.ratio.equivalent is verdict
    assert joined.pipeline.notebook.endswith("_joined")


def test_a_repeat_that_lacks_a_size_is_not_taken_for_faster(sweep: Sweep) -> None:
    """At the smallest size pods are ahead, and one repeat has no such run."""
    pods = sweep.runs[sweep.runs["backend"] == "kubernetes"]
    pods = pods[pods["notebook"] == "household_power"]
    smallest = (pods["data"] == pods["data"].min()) & (pods["model"] == pods["model"].min())
    processes = pods.assign(backend="process")
    processes.loc[smallest, "wall_s"] *= 2
    lacking = pods[~(smallest & (pods["repeat"] == 0))]
    (found,) = against_processes(pd.concat([lacking, processes], ignore_index=True))
    assert found.ratio.spread < 1e-9
    assert found.ratio.ratio == pytest.approx(2 ** (-1 / 12), rel=0.01)


def test_no_baseline_is_needed_but_both_operators_are(sweep: Sweep) -> None:
    pods = sweep.runs[sweep.runs["backend"].isin(("kubernetes", "stock"))]
    assert len(against_stock(pods)) == 12
    assert against_stock(sweep.runs[sweep.runs["backend"] != "stock"]) == []
