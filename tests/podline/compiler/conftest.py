"""Notebooks of a few cells, written where a test wants them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.compiler import check_notebook
from podline.compiler.pipeline import Pipeline
from tests.support.notebooks import code_cell, notebook_text

Write = Callable[..., Path]
Check = Callable[..., Pipeline]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a notebook of code cells, each its tags (separated by spaces) and its source."""

    def notebook(*cells: Sequence[str], metadata: dict[str, Any] | None = None) -> Path:
        listed = [code_cell(source, *tags.split()) for tags, source in cells]
        about = {"kernelspec": {"name": "python3", "language": "python"}, **(metadata or {})}
        path = tmp_path / "example.ipynb"
        path.write_text(notebook_text(listed, about))
        return path

    return notebook


@pytest.fixture
def check(write: Write) -> Check:
    """Compiles a notebook of these cells, its problems included."""

    def compiled(*cells: Sequence[str], metadata: dict[str, Any] | None = None) -> Pipeline:
        return check_notebook(write(*cells, metadata=metadata))

    return compiled
