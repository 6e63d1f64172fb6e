"""Answers as CSV: what a user chose is text in every column."""

import csv
import io

import pytest

from podline.web.responses import to_csv, to_file


def test_no_cell_is_a_formula() -> None:
    rows = [{"dag_id": "d", "run_id": "=1+1", "task_id": "@x", "state": "-", "seconds": -0.5}]
    text = bytes(to_csv(rows).body).decode()
    (found,) = csv.DictReader(io.StringIO(text))
    assert list(found.values()) == ["d", "'=1+1", "'@x", "'-", "-0.5"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("d-r.csv", 'filename="d-r.csv"'),
        (
            "manual__2026-01-01T00:00:00+00:00.json",
            'filename="manual__2026-01-01T00_00_00+00_00.json"',
        ),
        ("../../etc/passwd.csv", 'filename="etc_passwd.csv"'),
        ('a"; filename=b.exe\r\nX: y.csv', 'filename="a_filename_b.exe_X_y.csv"'),
        ("größe.csv", "filename=\"gr__e.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.csv"),
        (".hidden.csv", 'filename="hidden.csv"'),
        (f"{'x' * 400}.csv", f'filename="{"x" * 150}.csv"'),
    ],
)
def test_a_files_name_is_one_everywhere(name: str, said: str) -> None:
    assert to_file(to_csv([]), name).headers["content-disposition"] == f"attachment; {said}"
