"""Whatever a notebook's file is called, its DAG has an id of its own that Airflow takes."""

import os
import re
import unicodedata
from pathlib import Path

import pytest

from podline.compiler.compiler import check_notebook
from podline.compiler.dag_id import BASELINE, dag_id
from tests.support.notebooks import write_cells

TAKEN = re.compile(r"(?!.*\.\.)[\w.-]{1,241}", re.ASCII)


@pytest.mark.parametrize("name", ["power", "v1.2-b_C", "_", ".hidden", "x_baseline"])
def test_a_name_that_airflow_takes_is_the_id(name: str) -> None:
    assert dag_id(Path(f"{name}.ipynb")) == name


ODD = """ünïcode|日本|my note book|a(1)|100%|a,b|a:b|emoji😀|tab\tx|line\nx|line\n|q'uote|#1|a..b|..|. |😀|pod_sweep"""


@pytest.mark.parametrize("name", [*ODD.split("|"), "a" * 245, "ü" * 120 + "!", "\udcff"])
def test_of_another_one_is_made(name: str) -> None:
    path = Path(os.fsdecode(os.fsencode(f"{name}.ipynb")))
    found = dag_id(path)
    assert TAKEN.fullmatch(found)
    assert found != name
    assert len(found + BASELINE) <= 250
    assert dag_id(path) == found


def test_what_is_made_can_be_read() -> None:
    assert re.fullmatch(r"unicode_1_[0-9a-f]{8}", dag_id(Path("ünïcode (1).ipynb")))


def test_no_two_files_have_one_id(tmp_path: Path) -> None:
    names = ["a b", "a_b", "a(b", "a_b_", "ü", unicodedata.normalize("NFD", "ü")]
    assert len({dag_id(tmp_path / f"{name}.ipynb") for name in names}) == len(names)


def test_the_name_of_a_notebook_beside_is_not_taken_with_an_ending(tmp_path: Path) -> None:
    path = write_cells(tmp_path / "x_baseline.ipynb", ("step:a", "x = 1"))
    assert dag_id(path) == "x_baseline"
    write_cells(tmp_path / "x.ipynb", ("step:a", "x = 1"))
    assert dag_id(path).startswith("x_baseline_")


def test_it_is_said(tmp_path: Path) -> None:
    path = write_cells(tmp_path / "my notes (1).ipynb", ("step:a", "x = 1"))
    pipeline = check_notebook(path)
    (problem,) = pipeline.problems
    assert problem.severity == "warning"
    assert problem.message == (
        f"Airflow cannot have a DAG of the name 'my notes (1)': its id is {pipeline.name!r}"
    )
    assert problem.fix == "call the file my_notes_1.ipynb, or leave it"


@pytest.mark.parametrize("name", ["power", "a b", "a" * 230, "a" * 245])
def test_of_a_team_it_begins_with_the_teams_name(name: str) -> None:
    found = dag_id(Path(f"{name}.ipynb"), "a-team-with-a-name-of-thirty-b.")
    assert found.startswith("a-team-with-a-name-of-thirty-b.a" if name != "power" else "a-team-")
    assert TAKEN.fullmatch(found)
