"""The executed notebooks of stages as one."""

import json
from typing import Any

from podline.cli.executed import merged


def notebook(*cells: dict[str, Any]) -> str:
    metadata = {"kernelspec": {"name": "python3"}, "podline": {"stage": "one"}}
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": [*cells]})


def cell(number: int, count: int | None) -> dict[str, Any]:
    metadata = {"podline": {"cell": number}}
    return {"id": f"cell-{number}", "metadata": metadata, "execution_count": count}


FAILURE = {"id": "podline-failure", "cell_type": "markdown", "metadata": {}, "source": "It failed."}


def test_cells_stand_in_the_notebooks_order_and_failures_at_the_end() -> None:
    later = notebook(cell(4, 2), FAILURE)
    earlier = notebook(cell(2, 1), cell(4, None), FAILURE)
    found = json.loads(merged([earlier, later]))
    assert [one["id"] for one in found["cells"]] == [
        "cell-2",
        "cell-4",
        "podline-failure-0",
        "podline-failure-1",
    ]
    assert found["cells"][1]["execution_count"] == 2  # of the stage that ran it
    assert found["metadata"] == {"kernelspec": {"name": "python3"}}  # none is of one stage
