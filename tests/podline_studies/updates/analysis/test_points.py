"""What a study of updates says, where the truth is known."""

import pandas as pd
import pytest

from podline_studies.updates.analysis.points import Summary, check_updates, summarise
from podline_studies.updates.limit import limit
from tests.support.simulated_updates import SHARE, TIMES, about, updates


def found(frame: pd.DataFrame | None = None) -> Summary:
    return summarise(updates() if frame is None else frame, about())


def test_each_way_has_its_updates_at_each_point() -> None:
    summary = found()
    assert len(summary.taken) == 2 * 2 * 2 * 2 * 2 * 4  # sizes, forms, trips, rates, stores, ways
    assert {one.seconds.n for one in summary.taken} == {8}
    assert summary.batches == 2 * 2 * 2 * 2  # trips, rates, stores, rounds


def test_a_time_is_the_transfer_and_what_is_ones_own() -> None:
    for one in found(updates(own=0.5, spread=0.02)).of("podline"):
        if one.side != "cluster":
            continue
        share = 4 if one.point.form == "int8" else 1
        size, goodput = one.point.size // share, one.point.rate / 8 * SHARE
        assert one.limit == pytest.approx(limit(size, goodput, one.point.rtt))
        assert one.limit < one.start
        assert one.seconds.mean == pytest.approx(one.limit + 0.5, rel=0.03)
        assert one.parts["fetch"] == pytest.approx(one.limit)


def test_the_goal_counts_the_limit_and_no_more() -> None:
    fast = found(updates(own=0.8, spread=0.001, machine=1.0))
    assert sum(one.within for one in fast.of("podline")) == fast.many("podline")
    assert all(one.more < 1 for one in fast.of("podline"))
    slow = found(updates(own=2.5, spread=0.001, machine=1.0))
    # Of 6.7 s a transfer's 15 % are one second: the goal allows 2 s there, not more.
    assert sum(one.within for one in slow.of("podline")) == 0
    assert all(one.more > 1 for one in slow.of("podline"))


def test_other_ways_are_compared_with_ours_update_by_update() -> None:
    pairs = found(updates(own=0.5, spread=0.02)).pairs("way")
    assert len(pairs) == 3 * 32
    for one in pairs:
        assert (one.second, one.times.n) == ("podline", 8)
        share = 4 if one.point.form == "int8" else 1
        transfer = limit(one.point.size // share, one.point.rate / 8 * SHARE, one.point.rtt)
        expected = (transfer + 0.5 * TIMES[one.first]) / (transfer + 0.5)
        assert one.times.ratio == pytest.approx(expected, rel=0.04)
    covered = [one.times.low < one.times.ratio < one.times.high for one in pairs]  # type: ignore[operator]
    assert all(covered)


def test_a_smaller_form_is_compared_with_the_whole_one() -> None:
    pairs = [one for one in found().pairs("form") if one.way == "podline"]
    assert len(pairs) == 2 * 2 * 2 * 2
    assert {(one.first, one.second) for one in pairs} == {("int8", "float32")}
    slow = [one for one in pairs if one.point.rate == 10e6 and one.point.size == 8_000_000]
    assert all(one.times.ratio < 0.45 for one in slow)


def test_the_stores_are_compared_by_batches_of_one_round() -> None:
    summary = found(updates(machine=1.3))
    pairs = [one for one in summary.pairs("store") if one.way == "podline"]
    assert len(pairs) == 2 * 2 * 2 * 2
    for one in pairs:
        assert (one.first, one.second, one.times.n) == ("machine", "cluster", 8)
        assert one.times.ratio == pytest.approx(1.3, rel=0.05)
        more = summary.longer(one)
        assert more["fetch"] == pytest.approx(0, abs=1e-9)
        assert more["load"] > 0.25 * 0.5


def test_one_store_alone_is_no_pair() -> None:
    one = {"stores": ("podline_store",)}
    summary = summarise(updates(**one), about(**one))
    assert summary.pairs("store") == []
    assert {taken.side for taken in summary.taken} == {"cluster"}
    assert len(summary.pairs("way")) == 3 * 16


def test_the_usual_point_is_the_middle_one_of_ours() -> None:
    usual = found().usual
    assert (usual.way, usual.side, usual.point.form) == ("podline", "cluster", "float32")
    limits = sorted(
        one.limit
        for one in found().of("podline")
        if one.side == "cluster" and one.point.form == "float32"
    )
    assert usual.limit == limits[len(limits) // 2]
    assert {each.first for each in found().beside(usual)} == set(TIMES) - {"podline"}


def test_warm_ups_do_not_count() -> None:
    frame = updates()
    warm_up = frame.assign(warmup=True, seconds=frame["seconds"] * 100)
    both = found(pd.concat([frame, warm_up]))
    assert [one.seconds for one in both.taken] == [one.seconds for one in found().taken]


def test_requests_that_are_refused_are_counted_by_way() -> None:
    assert found(updates(refused=1)).refused == dict.fromkeys(TIMES, (256, 25_600))
    assert found().refused == dict.fromkeys(TIMES, (0, 25_600))


def test_a_column_that_is_missing() -> None:
    with pytest.raises(ValueError, match="lacks the columns goodput"):
        check_updates(updates().drop(columns="goodput"))
