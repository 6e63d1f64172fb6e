"""The executed notebook: a stage's cells with their outputs, in Jupyter's format."""

import json
from collections.abc import Sequence

from podline.contract import CellSource, StagePlan
from podline.runner.executed_cell import ExecutedCell
from podline.secrecy import redacted


def executed_notebook(plan: StagePlan, cells: Sequence[ExecutedCell], failure: str = "") -> bytes:
    """Return the notebook as the bytes of an .ipynb file (nbformat 4.5).

    Cells that were not run are in it as well, without outputs.

    Args:
        plan: the stage's.
        cells: those that were run, with their outputs.
        failure: why the stage failed, for a cell at the end; "": it did not.
    """
    run = {cell.number: cell for cell in cells}
    listed = [_cell(cell, run.get(cell.number)) for cell in plan.cells]
    if failure:
        text = f"**The stage failed.**\n\n```\n{failure}\n```"
        about = {"cell_type": "markdown", "id": "podline-failure", "metadata": {}}
        listed.append({**about, "source": text})
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
    text = redacted(json.dumps(notebook, indent=1, ensure_ascii=False, default=str))
    return text.encode(errors="replace")  # a half of a surrogate pair is no character


def _cell(cell: CellSource, run: ExecutedCell | None) -> dict[str, object]:
    took = {"seconds": round(run.seconds, 6)} if run else {}
    return {
        "cell_type": "code",
        "id": f"cell-{cell.number}",
        "metadata": {"podline": {"cell": cell.number, **took}},
        "source": cell.source,
        "execution_count": run.count if run else None,
        "outputs": run.outputs if run else [],
    }
