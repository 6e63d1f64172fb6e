"""The update study's report: what it says, and what it must not."""

import json
import re

import pytest

from podline_studies.reports.page import Report
from podline_studies.updates.batch import Measurement
from podline_studies.updates.design import Batch, Cell
from podline_studies.updates.report.report import make_report
from tests.support.simulated_updates import about, updates

# In one process, which draws what they share once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study reports")]


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(updates(), about())


def plain(report: Report) -> str:
    return report.markdown.replace("\N{NO-BREAK SPACE}", " ")


def test_the_answer_comes_first_with_number_interval_and_conditions(report: Report) -> None:
    first = plain(report).split("\n\n")[1]
    assert re.match(
        r"From the call of publish .* podline's edge takes [\d.]+ s \([\d.]+ s to [\d.]+ s\) "
        r"\(n = 8\) for a model of \d MB \(float32\) in the cluster's store, over a round trip of "
        r"\d+ ms and \d+ Mbit/s; the link alone allows the bytes [\d.]+ s\. Beside it, "
        r"MLServer, when it is told at once, takes 1\.\d+ \(1\.\d+ to 1\.\d+\) times as long; .*\. "
        r"No longer than 1 s and 1\.15 times what the link allows took, of all updates by podline's "
        r"edge \d+ of 128 from the cluster's store and \d+ of 128 from the machine's store, and by "
        r"podline's edge that is told at once \d+ of 128 from the cluster's store and \d+ of 128 from "
        r"the machine's store\.",
        first.replace("\\", ""),
    ), first


def test_a_busy_machine_is_said_before_all_else(report: Report) -> None:
    assert "busy with other work" not in report.markdown
    busy = plain(make_report(updates(busy=0.7), about())).split("\n\n")[1]
    assert "The machine was busy with other work: 70.0 % of its processors were taken" in busy


def test_each_question_has_one_figure_and_its_table(report: Report) -> None:
    names = {"times", "steps", "ways", "forms", "stores"}
    assert report.figures.keys() == names | {f"{name}-narrow" for name in names}
    assert all(b"<svg" in drawn for drawn in report.figures.values())
    assert names | {"parts", "updates"} == report.tables.keys()
    assert len(report.tables["times"]) == 32
    assert len(report.tables["ways"]) == 3 * 32


def test_the_limit_has_its_source(report: Report) -> None:
    assert "TransferTime = RTT + 1/Bandwidth × TransferSize" in report.markdown


def test_parts_are_told_over_one_link(report: Report) -> None:
    part = plain(report).split("## Where the time goes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| \d MB \|.*\|$", part, re.MULTILINE)
    assert len(rows) == 2 * 2 * 4  # sizes, forms, ways
    assert "parts.csv" in part


def test_polling_is_not_said_to_be_what_it_is_not(report: Report) -> None:
    assert "not TensorFlow Serving itself" in report.markdown


def test_one_store_is_compared_with_none() -> None:
    one = {"stores": ("podline_store",)}
    text = make_report(updates(**one), about(**one)).markdown
    assert "## The cluster beside the machine" not in text
    assert "in the only store, over" in text
    assert "cluster's store" not in text
    assert "## Beside other ways" in text


def test_few_repeats_have_no_interval() -> None:
    few = plain(make_report(updates(repeats=4), about()))
    assert "there is no interval of the times" not in few
    from podline_studies.updates.design import MB, Point

    points = (Point(MB, (0.02,), (100e6,), 3),)
    few = plain(make_report(updates(points=points), about(points=points)))
    assert "With n = 3 at a point there is no interval of the times" in few
    assert "(each: " in few


def test_failed_batches_are_told() -> None:
    batch = Batch(0, "vm_store", 0.02, 10e6, 0, (Cell(1, "int8", 1),))
    failed = [Measurement(batch, 1, 1, 1.8e9, 1.8e9, failure="the link was late")]
    text = plain(make_report(updates(), about(failed)))
    assert "batch vm_store, 20 ms, 10 Mbit/s, round 0, attempt 1, failure the link" in text


def test_the_last_line_has_the_numbers(report: Report) -> None:
    line = json.loads(json.dumps(report.last_line, allow_nan=False))
    assert line["within"]["podline"]["of"] == 256
    assert line["within"]["podline-told"]["of"] == 256
    assert set(line["refused"].values()) == {0}
    assert len(line["points"]) == 128
    assert line["compared"][0]["n"] == 8


def test_the_page_asks_for_nothing(report: Report) -> None:
    addresses = re.findall(r'(?:src|href)="([^"#][^"]{0,20})', report.html)
    assert all(address.startswith("data:") for address in addresses)


def test_the_same_frame_makes_the_same_report(report: Report) -> None:
    again = make_report(updates(), about())
    assert (again.html, again.figures) == (report.html, report.figures)
