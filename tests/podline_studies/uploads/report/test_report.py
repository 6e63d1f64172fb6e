"""The upload study's report: what it says, and what it must not."""

import json
import math
import re
from dataclasses import replace

import pytest

from podline_studies.reports.page import Report
from podline_studies.uploads.batch import Measurement
from podline_studies.uploads.design import Arm, Batch, Point
from podline_studies.uploads.report.report import make_report
from tests.support.simulated_uploads import BARE, DESIGN, about, uploads

# In one process, which draws what they share once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study reports")]


def plain(of: Report) -> str:
    """A report's words, with plain spaces."""
    return of.markdown.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(uploads(), about())


def test_the_answer_comes_first(report: Report) -> None:
    first = plain(report).split("##")[0]
    assert 'a virtual machine ("machine": emulated, with a processor several times slower' in first
    assert "20 ms to 100 ms away, over the usual link: 100 Mbit/s, loss 0 %, jitter 0 ms" in first
    spans = "1.01 to 1.01, by size, in intervals from 0.998 to 1.02"
    assert f"- cluster ÷ machine: {spans}: within 5 % at 1 MB and 8 MB.\n" in first


def test_what_cannot_be_claimed_comes_second(report: Report) -> None:
    titles = re.findall(r"^## (.*)$", report.markdown, re.MULTILINE)
    assert titles[0] == "What cannot be claimed"
    text = plain(report)
    assert "its ratios do not show what one with hardware support (KVM) costs" in text
    assert "what Kubernetes costs and what the machine costs are not told apart" in text
    assert "loses nothing" in text


def test_an_older_study_is_told_what_it_lacks() -> None:
    frame = uploads(visits=2).assign(transfer_s=math.nan, with_probes=True)
    told = about(design=replace(DESIGN, accelerated=None))
    text = plain(make_report(frame, told))
    assert "whether it was emulated is not recorded" in text.split("##")[0]
    assert "It was measured on 2 occasions, its visits, and 4 are needed" in text
    assert "For boto3 and podline the last acknowledgement was not recorded" in text
    assert "What the queue dropped includes what probes of the link lost." in text


def test_a_machine_with_kvm_and_a_bare_server_and_other_links() -> None:
    arms = (Arm("reno", 1e8, 0.0, 0.0, congestion="reno"), Arm("queue of 2", 1e8, 0.0, 0.0, 2.0))
    stores = (*DESIGN.stores, BARE)
    told = about(design=replace(DESIGN, stores=stores, arms=arms, accelerated=True))
    made = make_report(uploads(bare=1.0, arms=("", "reno", "queue of 2")), told)
    text = plain(made)
    assert '("machine": it runs by KVM) and as a plain process ("bare")' in text
    assert "- cluster ÷ bare: " in text
    answered = text.partition("Until the last byte was acknowledged")[2]
    assert re.search(r"- machine ÷ bare: .*: within 5 % at 1 MB and 8 MB\.\n", answered)
    assert "Each other link differs from the usual one only in what its name says." in text
    assert "| 1 MB | reno |" in text
    assert "loses nothing" not in text


def test_kinds_of_machines_are_set_beside_each_other(report: Report) -> None:
    made = make_report(uploads(visits=8), about(machines=("one", "two")))
    assert "on machines of 2 kinds" in plain(made)
    assert "| stores | one | two |" in plain(made)
    assert re.search(
        r"\| cluster ÷ machine \| [\d.]+ to [\d.]+ \| [\d.]+ to [\d.]+ \|", plain(made)
    )
    assert {*made.tables["machines"]["machine"]} == {"one", "two"}
    assert "machines" not in report.tables
    assert "kinds" not in report.markdown


def test_figures_and_tables_are_there(report: Report) -> None:
    names = {"times", "ratios", "drops"}
    assert report.figures.keys() == names | {f"{name}-narrow" for name in names}
    assert all(b"<svg" in drawn for drawn in report.figures.values())
    # On a dark page, too: they have a ground of their own.
    assert all(b"fill: #ffffff" in drawn for drawn in report.figures.values())
    assert names | {"sizes", "links", "uploads", "pairs"} == report.tables.keys()
    assert len(report.tables["ratios"]) == 32 + 4
    assert report.csv("sizes").startswith("arm,size,what,comparison,kind,pairs,n,ratio")


def test_sizes_are_in_the_order_of_their_bytes(report: Report) -> None:
    sizes = re.findall(r"^\| (\d+ MB) \| usual", report.markdown, re.MULTILINE)
    assert list(dict.fromkeys(sizes)) == ["1 MB", "8 MB"]


def test_the_margin_that_a_ratio_keeps_to_stands_beside_it() -> None:
    text = plain(make_report(uploads(0.94, sizes=[8_000_000]), about()))
    found = r"0\.94\S* \(\S+ to \S+\): within 10 % yet different"
    assert re.search(rf"\| 8 MB \| usual \| {found} \|", text)
    assert re.search(rf"- cluster ÷ machine: {found} at 8 MB\.\n", text.split("##")[0])


def test_the_page_asks_for_nothing(report: Report) -> None:
    addresses = re.findall(r'(?:src|href)="([^"#][^"]{0,20})', report.html)
    assert all(address.startswith("data:") for address in addresses)


def test_a_slow_machine_leaves_nothing_to_say() -> None:
    text = plain(make_report(uploads(machine_rate=1e6), about()))
    assert "cluster ÷ machine: not known, or limited by a store's own speed." in text
    assert "So of cluster ÷ machine 16 of 16." in text


def test_what_noise_hides_is_not_taken_for_a_difference(report: Report) -> None:
    assert "% power" not in plain(report)
    text = plain(make_report(uploads(spread=0.15), about()))
    assert "the test had less than 90 % power" in text


def test_what_a_store_takes_without_the_link_is_told(report: Report) -> None:
    assert "A cold upload by podline, median." in plain(report)
    assert "| bytes | cluster | machine |" in plain(report)
    assert "| 8 MB | 0.040 s | 0.267 s |" in plain(report)


def test_what_the_queue_dropped_is_told_by_client(report: Report) -> None:
    found = "Over the usual link: boto3 5.0 % to 5.0 % by size, podline 0.1 % to 0.1 % by size."
    assert found in plain(report)


def test_failed_batches_are_told() -> None:
    batch = Batch(0, 1_000_000, "", 0.02, "boto3", 0, 5)
    failed = [Measurement(batch, 1, 1, 1.8e9, 1.8e9, failure="the link was late")]
    made = make_report(uploads(), about(failed=failed))
    assert "1 attempt failed or disturbed, and made again" in plain(made)
    assert '"1 MB, 20 ms, boto3, round 0",1,the link was late' in made.csv("failed")


def test_what_a_model_takes_before_its_upload() -> None:
    models = (Point(120_000, "power/3", (), 0, 0.5), Point(7, "older/1", (), 0))
    found = about(design=replace(DESIGN, points=models))
    text = make_report(uploads(), found).markdown.replace("\xa0", " ")
    assert "| power/3 | 120 kB | 0.500 s |" in text
    assert "| older/1 | 7 B | – |" in text


def test_the_circumstances_are_told(report: Report) -> None:
    text = report.markdown.replace("\xa0", " ")
    assert "Congestion control: bbr; send buffers of up to 67.1 MB." in text
    assert "Points, with their round trips: 1 MB and 8 MB (20, 100 ms; 10 pairs each)." in text


def test_the_last_line_has_the_numbers(report: Report) -> None:
    line = json.loads(json.dumps(report.last_line, allow_nan=False))
    assert sum(line["verdicts"]["cluster ÷ machine, whole"].values()) == 16
    assert line["points"][0]["n"] == 5
    assert line["sizes"][0]["n"] == 20
    assert line["pairs"] == 160
    assert line["accelerated"] is False


def test_the_same_frame_makes_the_same_report(report: Report) -> None:
    again = make_report(uploads(), about())
    assert (again.html, again.figures) == (report.html, report.figures)
