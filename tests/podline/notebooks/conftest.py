"""Notebooks of a few cells, written where a test wants them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from podline.notebooks.compiler import check_notebook
from podline.notebooks.pipeline import Pipeline

Write = Callable[..., Path]
Check = Callable[..., Pipeline]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a notebook of code cells, each its tags (separated by spaces) and its source."""

    def notebook(*cells: Sequence[str], metadata: dict[str, Any] | None = None) -> Path:
        listed: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {"tags": tags.split()},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, (tags, source) in enumerate(cells, start=1)
        ]
        about = {"kernelspec": {"name": "python3", "language": "python"}, **(metadata or {})}
        path = tmp_path / "example.ipynb"
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": listed}
        path.write_text(json.dumps(content))
        return path

    return notebook


@pytest.fixture
def check(write: Write) -> Check:
    """Compiles a notebook of these cells, its problems included."""

    def compiled(*cells: Sequence[str], metadata: dict[str, Any] | None = None) -> Pipeline:
        return check_notebook(write(*cells, metadata=metadata))

    return compiled
