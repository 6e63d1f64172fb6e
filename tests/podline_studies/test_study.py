"""A study in a real store: begun once, gone on with, read back."""

from dataclasses import replace

import pytest

from podline.store import Store
from podline_studies.overhead.design import Design
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import Measurement, measure
from podline_studies.overhead.tasks import OverheadStudy
from podline_studies.study import Session, Study, StudyError, studies
from tests.support.study_examples import blank, chain

DESIGN = Design(("n",), ("notebook", "kubernetes"), ((1000, 10),), repeats=2, seed=1)


@pytest.fixture
def study(store: Store) -> OverheadStudy:
    study: OverheadStudy = Study(store, OVERHEAD, "weekly 2026/7")
    study.begin(DESIGN)
    return study


def measured(index: int, **changes: object) -> Measurement:
    found = measure(chain(), blank(), ())
    return replace(found, combination=replace(found.combination, index=index), **changes)


def test_a_study_is_gone_on_with_by_the_same_design_only(
    store: Store, study: OverheadStudy
) -> None:
    Study(store, OVERHEAD, study.name).begin(DESIGN)
    assert study.design() == DESIGN
    assert studies(store, "overhead") == [study.name]
    with pytest.raises(StudyError) as caught:
        study.begin(replace(DESIGN, seed=2))
    assert "was begun with another design" in str(caught.value)
    assert "another name to begin a new one" in str(caught.value)


def test_a_study_is_gone_on_with_by_more_repeats(study: OverheadStudy) -> None:
    more = replace(DESIGN, repeats=3)
    study.begin(more)
    assert study.design() == more
    assert more.items()[: len(DESIGN.items())] == DESIGN.items()
    with pytest.raises(StudyError, match="begun with another design"):
        study.begin(DESIGN)  # what is measured meanwhile has no place in it


def test_a_study_that_is_not_there(store: Store) -> None:
    with pytest.raises(StudyError, match="the store has no study 'nothing' of overhead"):
        Study(store, OVERHEAD, "nothing").design()


def test_a_measurement_is_kept_once(study: OverheadStudy) -> None:
    study.add(measured(1))
    study.add(measured(1, run_id="another"))
    study.add(measured(0))
    assert study.measured() == {0, 1}
    assert [(m.combination.index, m.run_id) for m in study.measurements()] == [(0, "r"), (1, "r")]


def test_what_came_to_nothing_is_kept_too(study: OverheadStudy) -> None:
    failed = measured(1, state="failed", failure="first: no memory")
    study.add_discarded(failed)
    study.add_discarded(replace(failed, attempt=2))
    assert study.attempts(failed.index) == 2
    assert study.attempts(0) == 0
    assert [m.trouble for m in study.discarded()] == ["first: no memory"] * 2
    assert study.measured() == set()


def test_each_session_warms_up(study: OverheadStudy) -> None:
    warm = measured(0)
    study.add_warm_up(warm, "n-kubernetes")
    assert study.is_warm("n-kubernetes", 1)
    assert not study.is_warm("n-kubernetes", 2)
    assert not study.is_warm("n-stock", 1)


def test_sessions(study: OverheadStudy) -> None:
    session = Session(1, ("r", "", ""), "boot", 1000.0, 0, {"processors": 2})
    study.add_session(session)
    study.add_session(replace(session, number=2, after=3))
    assert study.sessions() == [session, replace(session, number=2, after=3)]
