"""Answers as CSV: what a user chose is text in every column."""

import csv
import io

from podline.web.responses import to_csv


def test_no_cell_is_a_formula() -> None:
    rows = [{"dag_id": "d", "run_id": "=1+1", "task_id": "@x", "state": "-", "seconds": -0.5}]
    text = bytes(to_csv(rows).body).decode()
    (found,) = csv.DictReader(io.StringIO(text))
    assert list(found.values()) == ["d", "'=1+1", "'@x", "'-", "-0.5"]
