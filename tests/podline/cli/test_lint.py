"""`podline lint` says every problem, and its exit code says whether there are errors."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from .conftest import Podline, Write

WARNED = ("step:load nonsense-tag", "x = 1")


def test_good_notebooks_pass(podline: Podline, notebooks: Path) -> None:
    result = podline("lint", notebooks / "kale_notebook.ipynb", notebooks / "figure.ipynb")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "2 notebooks: no problem\n"


def test_all_problems_are_told_with_cell_line_and_fix(podline: Podline, notebooks: Path) -> None:
    path = notebooks / "invalid" / "two_errors_at_once.ipynb"
    result = podline("lint", path)
    assert result.exit_code == 1
    assert f"{path}, cell 2, line 1: error: undefined name 'missing_one'" in result.stdout
    assert "    rows = [missing_one]\n    fix: " in result.stdout
    assert f"{path}, cell 3: error: `prev:nowhere`" in result.stdout
    assert "\x1b" not in result.output
    assert result.stderr == "1 notebook: 2 errors\n"


def test_warnings_fail_only_when_asked(podline: Podline, write: Write) -> None:
    path = write("warned", WARNED)
    result = podline("lint", path)
    assert result.exit_code == 0
    assert "cell 1: warning: `nonsense-tag`" in result.stdout
    assert result.stderr == "1 notebook: 1 warning\n"
    assert podline("lint", "--strict", path).exit_code == 1


def test_errors_come_first(podline: Podline, write: Write, notebooks: Path) -> None:
    result = podline("lint", write("a_warned", WARNED), notebooks / "invalid" / "cycle.ipynb")
    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert [": error: " in line for line in heads] == [True, False]


def test_a_folder_stands_for_its_notebooks(podline: Podline, write: Write, tmp_path: Path) -> None:
    good = write("good", ("step:load", "x = 1"))
    write(".hidden", ("step:load", "x = 1"))
    for folder in (".ipynb_checkpoints", ".venv/share"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "bad.ipynb").write_text("{}")
    (tmp_path / "deeper").mkdir()
    shutil.copy(good, tmp_path / "deeper" / "too.ipynb")
    result = podline("lint", tmp_path, good)
    assert (result.exit_code, result.stderr) == (0, "3 notebooks: no problem\n")


def test_what_is_not_there_is_an_error(podline: Podline, tmp_path: Path) -> None:
    result = podline("lint", tmp_path / "missing.ipynb", tmp_path, "x" * 300)
    assert result.exit_code == 1
    assert f"{'x' * 300}: error: cannot be read: File name too long" in result.stdout
    assert "missing.ipynb: error: cannot be read: No such file or directory" in result.stdout
    assert f"{tmp_path}: error: has no notebook in it" in result.stdout


def test_annotations_for_github(podline: Podline, write: Write) -> None:
    path = write("a,b", ("step:load", "x = 1 % missing"))
    result = podline("lint", "--format", "github", path)
    assert result.exit_code == 1
    line, named = result.stdout.splitlines()
    assert named.startswith("::warning ")
    assert "::Airflow cannot have a DAG of the name 'a,b'" in named
    head = f"::error file={path}".replace(",", "%2C")
    assert line.startswith(f"{head},title=cell 1 line 1::undefined name 'missing'%0A")
    assert "x = 1 %25 missing%0A" in line


def test_json(podline: Podline, notebooks: Path) -> None:
    path = notebooks / "invalid" / "undefined_name.ipynb"
    result = podline("lint", "--format", "json", path)
    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)
    assert (problem["notebook"], problem["cell"], problem["line"]) == (str(path), 3, 2)
    assert problem["severity"] == "error"
    assert json.loads(podline("lint", "--format", "json", notebooks / "figure.ipynb").stdout) == []


def test_it_imports_nothing_heavy(notebooks: Path) -> None:
    code = (
        "import sys; from podline.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, "lint", str(notebooks / "kale_notebook.ipynb")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"IPython", "airflow", "nbformat", "numpy", "obstore", "pandas", "rich"}
    assert not heavy & set(done.stdout.split())
