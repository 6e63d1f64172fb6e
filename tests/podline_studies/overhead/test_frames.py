"""A study as tables."""

from dataclasses import replace

import pytest

from podline.store import Store
from podline_studies.overhead.design import Design
from podline_studies.overhead.frames import RUNS, STAGES, tables
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import measure
from podline_studies.overhead.tasks import OverheadStudy
from podline_studies.study import Sitting, Study
from tests.support.study_examples import blank, chain

DESIGN = Design(("n",), ("kubernetes",), ((1000, 10),), repeats=3, seed=1)


@pytest.fixture
def study(store: Store) -> OverheadStudy:
    study: OverheadStudy = Study(store, OVERHEAD, "s")
    study.begin(DESIGN)
    for number in (1, 2, 3):
        study.add_sitting(Sitting(number, (str(number), "", ""), "b", 900.0, number - 1, {}))
    first, second, third = DESIGN.items()
    found = measure(chain(), blank(), ())
    study.add_warm_up(replace(found, combination=first), "n-kubernetes")
    study.add(replace(found, combination=first))
    study.add(replace(found, combination=second, sitting=3))
    failed = measure(chain(state="failed", failure="no memory"), blank(state="failed"), ())
    study.add_spoilt(replace(failed, combination=third, sitting=3))
    disturbed = measure(chain(try_number=2), blank(), ())
    study.add_spoilt(replace(disturbed, combination=second))
    return study


def test_a_row_a_run(study: OverheadStudy) -> None:
    runs, _, _ = tables(study)
    assert list(runs.columns) == RUNS
    told = runs[["index", "sitting", "warmup", "state"]].values.tolist()
    assert told == [
        [0, 1, False, "success"], [1, 3, False, "success"], [0, 1, True, "success"],
        [2, 3, False, "failed"],
    ]  # fmt: skip
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
    # The second sitting measured nothing.
    assert [sitting["sitting"] for sitting in about["sittings"]] == [1, 3]
    assert [found["after"] for found in about["interruptions"]] == [2]
    assert [(f["index"], f["failure"]) for f in about["failed"]] == [
        (1, "disturbed: a task took 2 tries"), (2, "second: no memory"),
    ]  # fmt: skip
