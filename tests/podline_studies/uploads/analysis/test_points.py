"""What a study of uploads says of two stores, where the truth is known."""

import math
from collections.abc import Sequence

import pandas as pd
import pytest

from podline_studies.uploads.analysis.points import Compared, Verdict, check_uploads, summarise
from tests.support.simulated_uploads import MACHINE, about, uploads


def compared(frame: pd.DataFrame) -> Sequence[Compared]:
    return summarise(frame, about()).compared


def verdicts(frame: pd.DataFrame) -> set[Verdict]:
    return {one.verdict(one.whole) for one in compared(frame)}


def test_equal_stores_are_equivalent() -> None:
    found = compared(uploads(ratio=1.0))
    assert len(found) == 2 * 2 * 2 * 2  # sizes, round trips, clients, cold and warm
    assert all(one.verdict(one.whole) is Verdict.EQUIVALENT for one in found)
    assert all(one.verdict(one.transfer) is Verdict.EQUIVALENT for one in found)


def test_a_store_that_is_slower_is_different() -> None:
    found = compared(uploads(ratio=1.4))
    assert {one.verdict(one.whole) for one in found} == {Verdict.DIFFERENT}
    assert found[0].whole.ratio == pytest.approx(1.4, rel=0.05)


def test_what_the_noise_hides_is_not_shown() -> None:
    assert Verdict.OPEN in verdicts(uploads(ratio=1.08, pairs=5, spread=0.1))


def test_few_pairs_show_nothing() -> None:
    assert verdicts(uploads(pairs=3)) == {Verdict.FEW}


def test_a_machine_that_is_slow_itself_limits() -> None:
    """It takes 8 MB in 0.4 s; the link allows 0.69 s warm at 20 ms, 0.87 s cold at 100 ms."""
    found = {
        (one.point.rtt, one.point.warm): one.limited
        for one in compared(uploads(sizes=(8_000_000,), machine_rate=20e6))
    }
    assert found[0.02, True]
    assert not found[0.1, False]
    assert verdicts(uploads(machine_rate=1e6)) == {Verdict.LIMITED}
    assert Verdict.LIMITED not in verdicts(uploads(machine_rate=30e6))


def test_a_machine_that_was_not_measured_without_the_link_shows_nothing() -> None:
    frame = uploads()
    assert verdicts(frame[~frame["direct"]]) == {Verdict.LIMITED}


def test_the_share_of_the_limit() -> None:
    found = compared(uploads(pairs=30))
    shares = {one.point.client: one.shares["cluster"].mean for one in found}
    assert shares == {
        "podline": pytest.approx(0.95, rel=0.03),
        "boto3": pytest.approx(0.6, rel=0.03),
    }


def test_warm_ups_do_not_count() -> None:
    frame = uploads()
    warm_up = frame.assign(warmup=True, seconds=frame["seconds"] * 100)
    assert len(compared(pd.concat([frame, warm_up]))) == 16
    assert compared(pd.concat([frame, warm_up]))[0].whole.ratio == pytest.approx(1, rel=0.05)


def test_a_pair_of_one_is_none() -> None:
    frame = uploads(sizes=(1_000_000,), rtts=(0.02,), pairs=5)
    lost = frame[~((frame["store"] == MACHINE) & (frame["pair"] == 2))]
    assert {one.whole.n for one in compared(lost)} == {4}


def test_a_client_that_does_not_say_when_the_last_byte_went() -> None:
    frame = uploads().assign(transfer_s=math.nan, commit_s=math.nan)
    assert {one.verdict(one.transfer) for one in compared(frame)} == {Verdict.FEW}


def test_a_column_that_is_missing() -> None:
    with pytest.raises(ValueError, match="lacks the columns goodput"):
        check_uploads(uploads().drop(columns="goodput"))
