"""A study as tables, and tables as the analysis must have them."""

from dataclasses import replace

import pandas as pd
import pytest

from podline.store import Store
from podline_studies.overhead.design import Design
from podline_studies.overhead.frames import RUNS, STAGES, check_runs, check_stages, tables
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import measure
from podline_studies.overhead.tasks import OverheadStudy
from podline_studies.study import Session, Study
from tests.podline_studies.overhead.conftest import Sweep
from tests.support.study_examples import blank, chain

DESIGN = Design(("n",), ("kubernetes",), ((1000, 10),), repeats=3, seed=1)


@pytest.fixture
def study(store: Store) -> OverheadStudy:
    study: OverheadStudy = Study(store, OVERHEAD, "s")
    study.begin(DESIGN)
    for number in (1, 2, 3):
        study.add_session(Session(number, (str(number), "", ""), "b", 900.0, number - 1, {}))
    first, second, third = DESIGN.items()
    found = measure(chain(), blank(), ())
    study.add_warm_up(replace(found, combination=first), "n-kubernetes")
    study.add(replace(found, combination=first))
    study.add(replace(found, combination=second, sitting=3))
    failed = measure(chain(state="failed", failure="no memory"), blank(state="failed"), ())
    study.add_discarded(replace(failed, combination=third, sitting=3))
    disturbed = measure(chain(try_number=2), blank(), ())
    study.add_discarded(replace(disturbed, combination=second))
    return study


def test_a_row_a_run(study: OverheadStudy) -> None:
    runs, _, _ = tables(study)
    assert list(runs.columns) == RUNS
    assert runs["index"].tolist() == [0, 1, 0, 2]
    assert runs["sitting"].tolist() == [1, 3, 1, 3]
    assert runs["warmup"].tolist() == [False, False, True, False]
    assert runs["state"].tolist() == ["success", "success", "success", "failed"]
    parts = runs[["kubernetes_s", "transfer_s", "libraries_s", "code_s", "pipeline_s"]].sum(axis=1)
    assert parts[0] == pytest.approx(runs["wall_s"][0])
    assert runs["stages"][0] == 2  # on the path
    assert runs["failure"][3] == "second: no memory"


def test_a_row_a_stage(study: OverheadStudy) -> None:
    _, stages, _ = tables(study)
    assert list(stages.columns) == STAGES
    first = stages.iloc[0]
    assert (first["stage"], first["order"], first["on_path"]) == ("first", 0, True)
    phases = ["prepare", "submit", "start", "boot", "code", "finish"]
    assert (stages[phases] > 0).all(axis=None)


def test_what_there_is_to_say(study: OverheadStudy) -> None:
    _, _, about = tables(study)
    assert (about["sweep"], about["seed"], about["planned"]) == ("s", 1, 3)
    # The second session measured nothing.
    assert [session["session"] for session in about["sessions"]] == [1, 3]
    assert [found["after"] for found in about["interruptions"]] == [2]
    failures = {failed["index"]: failed["failure"] for failed in about["failed"]}
    assert failures == {1: "disturbed: a task took 2 tries", 2: "second: no memory"}


def test_a_missing_column_is_named(small: Sweep) -> None:
    with pytest.raises(ValueError, match="the frame runs lacks the columns wall_s, code_s"):
        check_runs(small.runs.drop(columns=["wall_s", "code_s"]))
    with pytest.raises(ValueError, match="the frame stages lacks the columns gap_s"):
        check_stages(small.stages.drop(columns="gap_s"))


def test_what_is_optional_is_unknown(small: Sweep) -> None:
    runs = check_runs(small.runs.drop(columns=["bytes_read", "failure"]))
    assert runs["bytes_read"].isna().all()
    assert set(runs["failure"]) == {""}
    stages = check_stages(small.stages.drop(columns=["pull", "bytes_in"]))
    assert set(stages["pull"]) == {0.0}
    assert stages["bytes_in"].isna().all()


def test_a_size_that_is_the_notebooks_own_is_none(small: Sweep) -> None:
    runs = check_runs(small.runs.assign(data=None))
    assert runs["data"].isna().all()


def test_nothing_measured_is_a_frame_without_columns() -> None:
    assert {"wall_s", "failure", "weights"} <= set(check_runs(pd.DataFrame()))
    assert {"duration_s", "boot", "peak_memory"} <= set(check_stages(pd.DataFrame()))
