"""A study goes to another store as one file."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from podline.store import Store
from podline_studies import archive
from podline_studies.overhead.design import Design
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import measure
from podline_studies.overhead.tasks import OverheadStudy
from podline_studies.study import Session, Study, StudyError
from tests.support.study_examples import blank, chain

DESIGN = Design(("n",), ("kubernetes",), ((1000, 10),), repeats=3, seed=1)


@pytest.fixture
def study(store: Store) -> OverheadStudy:
    study: OverheadStudy = Study(store, OVERHEAD, "one/first")
    study.begin(DESIGN)
    study.add_session(Session(1, ("r", "", ""), "b", 900.0, 0, {"processors": 2}))
    study.add(measure(chain(), blank(), ()))
    study.store.put(study.key("report", "report.html"), b"<html>")
    return study


def _emptied(study: OverheadStudy) -> None:
    study.store.delete([item.key for item in study.store.list(study.key())])


def test_it_is_the_same_there(study: OverheadStudy, tmp_path: Path) -> None:
    before = (study.design(), study.sessions(), study.measurements())
    assert archive.export(study, tmp_path / "a.gz") == 3
    _emptied(study)
    found = archive.load(study.store, tmp_path / "a.gz")
    assert (found.design(), found.sessions(), found.measurements()) == before
    # The same study makes the same file, and is put where it is already without harm.
    again = tmp_path / "folder" / "a.gz"
    archive.export(archive.load(study.store, tmp_path / "a.gz"), again)
    assert (tmp_path / "a.gz").read_bytes() == again.read_bytes()


def test_two_studies_of_one_name_are_not_mixed(study: OverheadStudy, tmp_path: Path) -> None:
    archive.export(study, tmp_path / "a.gz")
    _emptied(study)
    study.begin(replace(DESIGN, seed=2))
    with pytest.raises(StudyError, match=r"a\.gz: the store has another design\.json of the study"):
        archive.load(study.store, tmp_path / "a.gz")


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b"[")],
    ids=["empty", "no gzip", "no head", "no JSON"],  # not by content, which has its time
)
def test_what_is_no_study(store: Store, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.gz").write_bytes(content)
    with pytest.raises(StudyError, match="is not a study that was exported"):
        archive.load(store, tmp_path / "x.gz")


def test_a_study_that_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="the store has no study 'x'"):
        archive.export(Study(store, OVERHEAD, "x"), tmp_path / "x.gz")
