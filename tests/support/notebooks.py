"""Notebooks made of a few cells, for benchmarks and tests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# A DAG file whose tasks, those of the notebooks in the folder `deferred` beside it, are deferred.
DEFERRED_DAG = """
# Airflow reads only files that name it.
from pathlib import Path

from podline.operators.dag_factory import notebook_dags

for dag in notebook_dags(Path(__file__).with_name("deferred")):
    for task in dag.tasks:
        task.deferrable = True
    globals()[dag.dag_id] = dag
"""


def code_cell(source: str, *tags: str) -> dict[str, Any]:
    """A code cell that has not been run."""
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def notebook_text(
    cells: Iterable[Mapping[str, Any]], metadata: Mapping[str, Any] | None = None
) -> str:
    """The text of an .ipynb file (nbformat 4.5), its cells with ids."""
    listed = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells, start=1)]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata or {}, "cells": listed}
    return json.dumps(notebook)


def write_cells(path: Path, *cells: Sequence[str]) -> Path:
    """Write a notebook of cells, each its tags (separated by spaces) and its source."""
    path.write_text(notebook_text(code_cell(source, *tags.split()) for tags, source in cells))
    return path


def write_notebook(folder: Path, name: str, cells: Mapping[str, str], **about: Any) -> None:
    """Write a notebook whole, also where Airflow may be reading it.

    Args:
        folder: where.
        name: the DAG's.
        cells: the source of each by its tag.
        about: what the notebook's metadata say to podline.
    """
    listed = [code_cell(source, tag) for tag, source in cells.items()]
    part = folder / f"{name}.part"
    part.write_text(notebook_text(listed, {"podline": about} if about else None))
    part.rename(folder / f"{name}.ipynb")
