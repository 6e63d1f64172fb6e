"""Pipelines and combinations as a reader wants them."""

from __future__ import annotations

from podline_studies.overhead.analysis.pairs import Cell, Pipeline
from podline_studies.reports.formatting import size


def pipeline(found: Pipeline) -> str:
    """``household_power on kubernetes``; the way only where it is not a scheduler's."""
    way = "" if found.way == "scheduler" else f", by dags {found.way}"
    return f"{found.notebook} on {found.backend}{way}"


def cell_words(cell: Cell) -> tuple[str, str, str]:
    """A combination as a table's first cells: pipeline, data, model."""
    return pipeline(cell.pipeline), size(cell.data), size(cell.model)
