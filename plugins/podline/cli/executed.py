"""Executed notebooks as files: a whole run's in one, and where they are written to."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from podline.compiler.notebook import Document
from podline.contract import StageResult
from podline.exceptions import PodlineError
from podline.store import Store


def executed_whole(document: Document, store: Store, results: Mapping[str, StageResult]) -> bytes:
    """Return the notebook as it was read, its cells with what the stages show for them.

    Args:
        document: the notebook.
        store: where the stages' executed notebooks are.
        results: of the stages that ran.
    """
    shown: dict[int, dict[str, Any]] = {}
    for result in results.values():
        for cell in json.loads(bytes(store.get(result.executed_notebook)))["cells"]:
            if cell["cell_type"] == "code":
                shown[cell["metadata"]["podline"]["cell"]] = cell
    cells = [
        {
            "cell_type": cell.kind,
            "id": f"cell-{cell.number}",
            "source": cell.source,
            "metadata": {"tags": list(cell.tags)} if cell.tags else {},
        }
        | _outputs(cell.kind, shown.get(cell.number, {}))
        for cell in document.cells
    ]
    return _notebook(document.metadata, cells)


def _outputs(kind: str, executed: Mapping[str, Any]) -> dict[str, Any]:
    if kind != "code":
        return {}
    return {
        "execution_count": executed.get("execution_count"),
        "outputs": executed.get("outputs", []),
    }


def merged(notebooks: Iterable[str]) -> bytes:
    """Return the executed notebooks of stages as one: cells in the order of their numbers.

    Args:
        notebooks: as the stages wrote them, as JSON. What a cell showed is taken from the first
            that ran it; a stage's failure stays, at the end.
    """
    metadata: dict[str, Any] = {}
    cells: dict[int, dict[str, Any]] = {}
    failures: list[dict[str, Any]] = []
    for notebook in map(json.loads, notebooks):
        metadata = metadata or {k: v for k, v in notebook["metadata"].items() if k != "podline"}
        for cell in notebook["cells"]:
            number = cell["metadata"].get("podline", {}).get("cell")
            if number is None:
                failures.append(cell | {"id": f"{cell['id']}-{len(failures)}"})
            elif number not in cells or cells[number]["execution_count"] is None:
                cells[number] = cell
    return _notebook(metadata, [cells[number] for number in sorted(cells)] + failures)


def _notebook(metadata: Mapping[str, Any], cells: list[dict[str, Any]]) -> bytes:
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    return json.dumps(whole, indent=1, ensure_ascii=False).encode(errors="replace")


def write(path: Path, data: bytes) -> None:
    """Write a file.

    Raises:
        PodlineError: that is not possible.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise PodlineError(f"{path} cannot be written: {error.strerror}") from None
