"""A design that nothing here has the link for is refused before anything is measured."""

from dataclasses import replace

import pytest

from podline_studies.batch_process import BatchFailed
from podline_studies.uploads import tasks
from podline_studies.uploads.batch import BatchResult, versions
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe
from podline_studies.uploads.design import Arm
from podline_studies.validation import DesignError
from tests.support import delay_link
from tests.support.simulated_uploads import DESIGN

RENO = Arm("reno", 1e8, 0.0, 0.0, congestion="reno")
TLS = Arm("TLS", 1e8, 0.0, 0.0, tls=True)


@pytest.mark.xdist_group("link")
@pytest.mark.parametrize(
    ("place", "arms", "said"),
    [
        ("process", (), "no delay link lies on this machine, and a process has none of its own"),
        ("pod", (RENO,), "the link 'reno' needs a delay link of this machine, and none lies"),
    ],
)
def test_no_link_lies(place: str, arms: tuple[Arm, ...], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        tasks._check_link(replace(DESIGN, place=place, arms=arms))


QUIET = BatchResult((), Probe(0.02, 1e7, "bbr", 1), Probe(0.02, 1e7, "bbr", 1), "", 0.1, versions())


@pytest.mark.parametrize(
    ("result", "link", "said"),
    [
        (replace(QUIET, busy=0.6), LinkStats(), "60% of the processors were taken right after it"),
        (QUIET, LinkStats(late_p99_s=0.004), r"one packet of a hundred was late by 4\.0 ms"),
        (replace(QUIET, versions={"code": "ab"}), LinkStats(), "other code than this side. fix: "),
    ],
)
def test_a_batch_that_does_not_count(result: BatchResult, link: LinkStats, said: str) -> None:
    tasks._check(QUIET, LinkStats(late_p99_s=0.0001))
    with pytest.raises(BatchFailed, match=said):
        tasks._check(result, link)


class TestALinkThatLies:
    pytestmark = delay_link.MARKS

    def test_tls_must_end_behind_it(self) -> None:
        with topology.laid({}):
            tasks._check_link(replace(DESIGN, arms=(RENO,)))
            with pytest.raises(DesignError, match="nothing ends TLS behind the delay link"):
                tasks._check_link(replace(DESIGN, arms=(TLS,)))
