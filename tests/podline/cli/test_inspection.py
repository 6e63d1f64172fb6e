"""`podline inspect` answers an editor, whatever it sends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.notebooks import code_cell, notebook_text

BROKEN = "no JSON\n"


def draft(*cells: tuple[str, str]) -> Any:
    return json.loads(notebook_text(code_cell(source, *tags.split()) for tags, source in cells))


def inspect(*lines: object) -> list[dict[str, Any]]:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    command = [sys.executable, "-m", "podline.cli", "inspect"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_draft_goes_before_its_file(tmp_path: Path) -> None:
    path = tmp_path / "power.ipynb"
    path.write_text("what is saved is not asked about")
    cells = draft(
        ("parameters", "rows = 3"),
        ("imports", "import json"),
        ("", "import os"),
        ("step:load", "table = [*range(rows)]"),
        ("", "total = sum(table)"),
        ("pipeline-metrics", "largest = max(table)"),
        ("skip", "1 / 0"),
    )
    (found,) = inspect({"path": str(path), "notebook": cells})
    assert found["notebook"] == "power"
    assert found["problems"] == []
    assert [(cell["number"], cell["kind"], cell["stage"]) for cell in found["cells"]] == [
        (1, "parameters", None),
        (2, "imports", None),
        (3, "imports", None),
        (4, "stage", "load"),
        (5, "stage", "load"),
        (6, "metrics", "load"),
        (7, "skip", None),
    ]


def test_a_notebook_with_errors_has_its_outline_too(tmp_path: Path) -> None:
    cells = draft(
        ("step:a prev:c", "x = 1"),
        ("step:b prev:a prev:nobody", "y = x"),
        ("step:c prev:b", "missing"),
    )
    (found,) = inspect({"path": str(tmp_path / "circle.ipynb"), "notebook": cells})
    assert [stage["name"] for stage in found["stages"]] == ["a", "b", "c"]
    messages = " ".join(problem["message"] for problem in found["problems"])
    assert "in a circle" in messages
    assert "there is no stage 'nobody'" in messages
    assert "undefined name 'missing'" in messages


def test_what_cannot_be_answered_does_not_end_it(tmp_path: Path) -> None:
    asked = {"path": str(tmp_path / "a.ipynb"), "notebook": draft(("step:a", "x = 1"))}
    found = inspect(BROKEN, {}, {"path": 1, "notebook": {}}, {**asked, "notebook": []}, asked)
    assert [("error" in answer) for answer in found] == [True, True, True, False, False]
    assert found[3]["problems"][0]["message"].startswith("is not a notebook")
    assert found[4]["problems"] == []
