"""The upload study's report: what it says, and what it must not."""

import json
import re
from dataclasses import replace

import pytest

from podline_studies.reports.page import Report
from podline_studies.uploads.batch import Measurement
from podline_studies.uploads.design import Batch, Point
from podline_studies.uploads.report.report import make_report
from tests.support.simulated_uploads import DESIGN, about, uploads

# In one process, which draws what they share once.
pytestmark = pytest.mark.xdist_group("study reports")


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(uploads(), about())


def test_the_verdicts_come_first(report: Report) -> None:
    first = report.markdown.split("##")[0]
    assert "Of 16 points, the whole upload: 16 equivalent." in first
    assert "Of 16 points, until the last byte: 16 equivalent." in first
    assert "that no difference is seen is not enough" in first


def test_each_point_has_a_row(report: Report) -> None:
    rows = re.findall(r"^\| 1 MB \|.*\|$", report.markdown, re.MULTILINE)
    assert len(rows) == 2 * 8 + 2  # of ratios, of shares, and of clients without the link
    assert "equivalent" in rows[0]


def test_figures_and_tables_are_there(report: Report) -> None:
    names = {"times", "ratios", "shares"}
    assert report.figures.keys() == names | {f"{name}-narrow" for name in names}
    assert all(b"<svg" in drawn for drawn in report.figures.values())
    assert names | {"uploads", "pairs"} == report.tables.keys()
    assert len(report.tables["ratios"]) == 32
    assert report.csv("ratios").startswith("what,size,rtt,client,warm,kind,n,ratio")


@pytest.mark.slow
def test_points_are_in_the_order_of_their_bytes() -> None:
    text = make_report(uploads(sizes=(1_000_000, 64_000_000, 8_000_000)), about()).markdown
    sizes = re.findall(r"^\| (\d+ MB) \|", text, re.MULTILINE)
    assert list(dict.fromkeys(sizes)) == ["1 MB", "8 MB", "64 MB"]


def test_the_page_asks_for_nothing(report: Report) -> None:
    addresses = re.findall(r'(?:src|href)="([^"#][^"]{0,20})', report.html)
    assert all(address.startswith("data:") for address in addresses)


def test_what_cannot_be_claimed_is_said() -> None:
    limited = make_report(uploads(machine_rate=1e6), about()).markdown
    assert "Of 16 points, the whole upload: 16 limited by the machine's own speed." in limited
    assert "what is seen there is its processor, not the link" in limited


@pytest.mark.slow
def test_what_noise_hides_is_not_taken_for_a_difference(report: Report) -> None:
    assert "hardly could have been" not in report.markdown
    text = make_report(uploads(pairs=5, spread=0.15), about()).markdown
    assert "equivalence is not shown, and hardly could have been: pairs spread so much" in text


@pytest.mark.slow
def test_a_slow_machine_may_be_the_cause_of_a_difference(report: Report) -> None:
    assert "its processor may be the cause, not where the store is" in report.markdown
    assert "the whole differs and the transfer does not" not in report.markdown
    as_fast = make_report(uploads(machine_rate=200e6), about()).markdown
    assert "may be the cause" not in as_fast


@pytest.mark.slow
def test_an_answer_that_is_late_is_not_the_way_there() -> None:
    text = make_report(uploads(answer=0.5), about()).markdown
    assert "At 16 points (1 MB and 8 MB) the whole differs and the transfer does not" in text


def test_what_a_store_takes_without_the_link_is_told(report: Report) -> None:
    assert "## Without the link" in report.markdown
    assert "| 8 MB | podline | 0.040 s | 0.267 s |" in report.markdown.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_failed_batches_are_told() -> None:
    batch = Batch(0, 1_000_000, "", 0.02, "boto3", 0, 5)
    failed = [Measurement(batch, 1, 1, 1.8e9, 1.8e9, failure="the link was late")]
    text = make_report(uploads(), about(failed=failed)).markdown
    assert "## What failed" in text
    assert "1 MB, 20 ms, boto3, round 0, attempt 1, failure the link was late." in text


def test_what_a_model_takes_before_its_upload() -> None:
    models = (Point(120_000, "power/3", (), 0, 0.5), Point(7, "older/1", (), 0))
    found = about(design=replace(DESIGN, points=models))
    text = make_report(uploads(), found).markdown.replace("\xa0", " ")
    assert "| power/3 | 120 kB | 0.500 s |" in text
    assert "| older/1 | 7 B | – |" in text


def test_the_circumstances_are_told(report: Report) -> None:
    text = report.markdown.replace("\xa0", " ")
    assert "Congestion control: bbr; send buffers of up to 67.1 MB." in text


def test_the_last_line_has_the_numbers(report: Report) -> None:
    line = json.loads(json.dumps(report.last_line, allow_nan=False))
    assert line["verdicts"]["whole"] == {"equivalent": 16}
    assert line["points"][0]["whole"]["n"] == 10
    assert line["pairs"] == 160


def test_the_same_frame_makes_the_same_report(report: Report) -> None:
    again = make_report(uploads(), about())
    assert (again.html, again.figures) == (report.html, report.figures)
