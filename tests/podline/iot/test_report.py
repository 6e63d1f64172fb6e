"""The page of a replay: plots and tables of what was seen, and nothing from elsewhere."""

import re
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from podline.iot import report
from podline.iot.journal import Event, Observation
from podline.iot.report import ReportError


def lines(truths: list[Any], answers: list[Any]) -> list[dict[str, Any]]:
    """What was seen of two versions, of which the second answers half of the readings."""
    found: list[dict[str, Any]] = []
    start = datetime(2009, 10, 1)
    for hour, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        time = (start + timedelta(hours=hour)).isoformat()
        version = 1 if hour < len(truths) / 2 else 2
        if hour in (0, len(truths) // 2):
            found.append(asdict(Event(time, "version", f"version {version} <answers>", version)))
        full = hour > 2
        found.append(
            asdict(
                Observation(
                    time=time,
                    known=time,
                    answer=answer,
                    truth=truth,
                    baseline=truth,
                    version=version if answer is not None else 0,
                    seconds=0.002 * version,
                    error=0.5 * version if full else None,
                    baseline_error=0.75 if full else None,
                    expected=0.4,
                )
            )
        )
    return found


def test_numbers(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    report.write(page, lines([1.0, 2.0] * 20, [1.5, None] * 20), "kW", 1.25)
    text = page.read_text()
    assert text.count("<svg") == 3
    assert "40 readings, 2009-10-01 00:00:00 to 2009-10-02 15:00:00. Errors are in kW." in text
    rows = re.findall(r"<tr>(?:<td class=\"number\">[^<]*)+", text)
    cells = [re.findall(r">([^<>]+)", row) for row in rows]
    assert [[cell.strip() for cell in row] for row in cells] == [
        ["1", "2009-10-01 00:00:00", "10", "0.500", "0.400", "0.750", "2.00", "2.00"],
        ["2", "2009-10-01 20:00:00", "10", "1.000", "0.400", "0.750", "4.00", "4.00"],
    ]
    assert "version 1 &lt;answers&gt;" in text
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#)', text)


def test_classes(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    report.write(page, lines(["PEN", "ABD"] * 10, ["PEN", "PEN"] * 10), "share", 1.25)
    assert "share told otherwise" in page.read_text()


def test_nothing_was_seen(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="saw nothing to show"):
        report.write(tmp_path / "page.html", [], "kW", 1.25)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written: Is a directory"):
        report.write(tmp_path, lines([1.0], [1.0]), "kW", 1.25)
