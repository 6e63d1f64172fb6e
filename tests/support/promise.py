"""The notebooks of tests/notebooks: what is expected of each, and its variables after a run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from podline.compiler.compiler import compile_notebook
from tests.support.notebooks import code_cell

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(p for p in FOLDER.rglob("*.ipynb") if "invalid" not in p.parts)
_SUPPORT = Path(__file__).parent


def about(notebook: Path) -> dict[str, Any]:
    """What a notebook's metadata say of it."""
    found: dict[str, Any] = json.loads(notebook.read_text())["metadata"]["podline_test"]
    return found


def copy(notebook: Path, target: Path) -> Path:
    """Copy a notebook, with what is beside it if it has a folder of its own."""
    if notebook.parent != FOLDER:
        shutil.copytree(notebook.parent, target, dirs_exist_ok=True)
    else:
        shutil.copy(notebook, target)
    shutil.copy(_SUPPORT / "describe.py", target)
    return target / notebook.name


def reference(notebook: Path, expected: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a notebook from top to bottom; returns its variables, described.

    Args:
        notebook: is copied.
        expected: what its metadata say.
        folder: an empty one.
    """
    copied = copy(notebook, folder)
    script = folder / "reference.py"
    shutil.copy(_SUPPORT / "reference.py", script)
    arguments = [json.dumps(expected.get("parameters", {})), json.dumps(expected.get("ignore", []))]
    command = [sys.executable, str(script), copied.name, *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return described(run.stdout)


def described(output: str) -> dict[str, Any]:
    """The variables that a run has described in its output."""
    line = next(line for line in output.splitlines() if line.startswith("DESCRIBED "))
    found: dict[str, Any] = json.loads(line.removeprefix("DESCRIBED "))
    return found


def add_last_stage(notebook: Path, names: list[str]) -> None:
    """Add a stage that waits for all others and describes the variables."""
    content = json.loads(notebook.read_text())
    stages = [s.name for s in compile_notebook(notebook).stages]
    values = ", ".join(f"{name!r}: {name}" for name in names)
    source = (
        "import json as podline_json\nfrom describe import describe as podline_describe\n"
        f'print("\\nDESCRIBED " + podline_json.dumps(podline_describe({{{values}}})))'
    )
    tags = ["step:podline_end", *(f"prev:{name}" for name in stages)]
    content["cells"].append({"id": "podline-end", **code_cell(source, *tags)})
    notebook.write_text(json.dumps(content))
