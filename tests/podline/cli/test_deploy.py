"""`podline deploy` puts a notebook and what belongs to it where Airflow reads notebooks."""

import json
from pathlib import Path

import pytest

from .conftest import Podline, Refused, Write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where Airflow reads notebooks."""
    path = tmp_path / "airflow"
    path.mkdir()
    return path


@pytest.fixture
def notebook(write: Write, tmp_path: Path) -> Path:
    """One that names a file and a module beside it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/jan.csv").write_text("1\n")
    (tmp_path / "helpers.py").write_text("double = 2\n")
    source = "import helpers\ntext = open('data/jan.csv').read()"
    return write("power", ("step:load", source))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_all_that_belongs_to_it_is_copied(podline: Podline, notebook: Path, folder: Path) -> None:
    result = podline("deploy", notebook, "--to", folder)
    assert result.stdout == f"power: 3 files copied to {folder}\n"
    assert files(folder) == ["data/jan.csv", "helpers.py", "power.ipynb"]
    assert podline("deploy", notebook, "--to", folder).stdout.startswith("power: 0 files copied")


def test_the_setting_names_the_folder(
    podline: Podline, notebook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__NOTEBOOKS_FOLDER", str(folder))
    found = json.loads(podline("deploy", notebook, "--json").stdout)
    assert found == {
        "dag_id": "power",
        "folder": str(folder),
        "files": ["data/jan.csv", "helpers.py", "power.ipynb"],
        "differs": [],
        "copied": ["data/jan.csv", "helpers.py", "power.ipynb"],
    }


def test_what_is_there_with_another_content_is_not_replaced_unasked(
    podline: Podline, refused: Refused, notebook: Path, folder: Path
) -> None:
    (folder / "helpers.py").write_text("somebody else's\n")
    told = refused("deploy", notebook, "--to", folder)
    assert f"{folder} has helpers.py with another content. fix: " in told
    assert files(folder) == ["helpers.py"]
    assert podline("deploy", notebook, "--to", folder, "--replace").exit_code == 0
    assert (folder / "helpers.py").read_text() == "double = 2\n"


def test_a_check_tells_another_version_and_copies_nothing(
    podline: Podline, refused: Refused, write: Write, notebook: Path, folder: Path
) -> None:
    check = ("deploy", notebook, "--to", folder, "--check")
    assert f"{folder} has no power.ipynb. fix: " in refused(*check)
    assert json.loads(podline(*check, "--json").stdout)["since"] is None
    assert files(folder) == []
    podline("deploy", notebook, "--to", folder)
    assert podline(*check).stdout.startswith(f"power: {folder} has this version, since 2")
    (notebook.parent / "helpers.py").write_text("double = 3\n")
    write("power", ("step:load", "import helpers\ntext = open('data/jan.csv').readlines()"))
    assert f"{folder} has another version of helpers.py, power.ipynb" in refused(*check)
    found = json.loads(podline(*check, "--json").stdout)
    assert found["differs"] == ["helpers.py", "power.ipynb"]
    assert found["since"] == (folder / "power.ipynb").stat().st_mtime
    assert (folder / "helpers.py").read_text() == "double = 2\n"


def test_a_notebook_that_does_not_compile_is_compared(
    podline: Podline, refused: Refused, write: Write, notebook: Path, folder: Path
) -> None:
    podline("deploy", notebook, "--to", folder)
    write("power", ("step:load", "missing +"))
    told = refused("deploy", notebook, "--to", folder, "--check")
    assert f"{folder} has another version of power.ipynb" in told


def test_a_folder_that_is_not_there(refused: Refused, notebook: Path, tmp_path: Path) -> None:
    told = refused("deploy", notebook, "--to", tmp_path / "none")
    assert "none is no folder of this machine. fix: create it" in told
    assert "put there yourself: data/jan.csv, helpers.py, power.ipynb" in told


def test_a_notebook_that_does_not_compile_stays_where_it_is(
    refused: Refused, write: Write, folder: Path
) -> None:
    assert "undefined name" in refused(
        "deploy", write("bad", ("step:a", "missing")), "--to", folder
    )
    assert files(folder) == []


def test_in_its_own_folder_nothing_is_to_do(podline: Podline, notebook: Path) -> None:
    assert podline("deploy", notebook, "--to", notebook.parent).stdout.startswith("power: 0 files")
