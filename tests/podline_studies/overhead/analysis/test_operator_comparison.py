"""podline's operator beside Airflow's own."""

import pytest

from podline_studies.overhead.analysis.operator_comparison import against_stock
from tests.podline_studies.overhead.conftest import Sweep


def test_what_is_saved_is_the_difference_of_walls_run_by_run(sweep: Sweep) -> None:
    found = against_stock(sweep.runs)
    assert len(found) == 12
    smallest = found[0]
    # 5 × 4 s of start, in the mean of a session and one that is slower by a fifth.
    assert smallest.saved.mean == pytest.approx(20 * 1.1, rel=0.15)
    assert smallest.ratio.mean > 2
    assert (smallest.cell.backend, smallest.saved.n) == ("kubernetes", 8)


def test_no_baseline_is_needed_but_both_operators_are(sweep: Sweep) -> None:
    pods = sweep.runs[sweep.runs["backend"].isin(("kubernetes", "stock"))]
    assert len(against_stock(pods)) == 12
    assert against_stock(sweep.runs[sweep.runs["backend"] != "stock"]) == []
