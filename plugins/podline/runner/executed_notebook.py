"""The executed notebook: a stage's cells with their outputs, in Jupyter's format."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from podline.contract import StagePlan

if TYPE_CHECKING:
    from podline.runner.kernel import ExecutedCell


def executed_notebook(plan: StagePlan, cells: "Sequence[ExecutedCell]", failure: str = "") -> bytes:
    """Return the notebook as the bytes of an .ipynb file (nbformat 4.5).

    Cells that were not run are in it as well, without outputs.
    """
    run = {cell.number: cell for cell in cells}
    listed = [_cell(number, source, run.get(number)) for number, source in _sources(plan)]
    if failure:
        text = f"**The stage failed.**\n\n```\n{failure}\n```"
        listed.append(
            {"cell_type": "markdown", "id": "podline-failure", "metadata": {}, "source": text}
        )
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "podline": {
            "notebook": plan.notebook,
            "notebook_sha256": plan.notebook_sha256,
            "stage": plan.stage,
            "parameters": plan.parameters,
        },
    }
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": listed}
    text = json.dumps(notebook, indent=1, ensure_ascii=False, default=str)
    return text.encode(errors="replace")  # a half of a surrogate pair is no character


def _sources(plan: StagePlan) -> list[tuple[int, str]]:
    return [(cell.number, cell.source) for cell in plan.cells]


def _cell(number: int, source: str, run: "ExecutedCell | None") -> dict[str, Any]:
    about: dict[str, Any] = {"cell": number}
    if run is not None:
        about["seconds"] = round(run.seconds, 6)
    return {
        "cell_type": "code",
        "id": re.sub(r"[^a-zA-Z0-9-_]", "-", f"cell-{number}"),
        "metadata": {"podline": about},
        "source": source,
        "execution_count": run.count if run else None,
        "outputs": run.outputs if run else [],
    }
