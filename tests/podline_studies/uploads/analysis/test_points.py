"""What a study of uploads says of stores, where the truth is known."""

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from podline_studies.uploads.analysis.points import (
    COMPARISONS,
    Comparison,
    Summary,
    check_uploads,
    summarise,
)
from podline_studies.uploads.analysis.verdicts import Verdict
from podline_studies.uploads.design import Arm
from tests.support.simulated_uploads import BARE, DESIGN, MACHINE, about, uploads

CLUSTER_MACHINE, CLUSTER_BARE, MACHINE_BARE = COMPARISONS
THREE = about(design=replace(DESIGN, stores=(*DESIGN.stores, BARE)))


def found(frame: pd.DataFrame, told: Any = None) -> Summary:
    return summarise(frame, told or about())


def verdicts(
    of: Summary, comparison: Comparison = CLUSTER_MACHINE, kind: str = "whole"
) -> set[Verdict]:
    return {Verdict(word) for word in of.counts(comparison, kind)}


def test_equal_stores_are_equivalent() -> None:
    of = found(uploads(visits=8))
    assert len(of.points) == 2 * 2 * 2 * 2 * 2  # sizes, trips, clients, cold and warm, both kinds
    assert verdicts(of) == verdicts(of, kind="transfer") == {Verdict.EQUIVALENT}
    assert {one.judged.verdict for one in of.sizes} == {Verdict.EQUIVALENT}


def test_a_store_that_is_slower_is_different() -> None:
    of = found(uploads(ratio=1.4))
    assert verdicts(of) == {Verdict.DIFFERENT}
    assert of.points[0].judged.found.ratio == pytest.approx(1.4, rel=0.05)


def test_what_the_noise_hides_is_not_shown() -> None:
    of = found(uploads(ratio=1.08, spread=0.1))
    assert Verdict.OPEN in verdicts(of)
    assert any(one.judged.unclear for one in of.points)


def test_pairs_of_few_visits_show_nothing_however_many() -> None:
    of = found(uploads(visits=2, pairs=30))
    assert verdicts(of) == {Verdict.FEW}
    assert {one.pairs for one in of.points} == {60}
    # Those of a size's four round trips and clients tell together what chance does.
    assert {(one.judged.found.n, one.judged.found.free) for one in of.sizes} == {(8, 4)}
    assert {one.judged.verdict for one in of.sizes} == {Verdict.EQUIVALENT}


def test_what_differs_between_round_trips_is_no_noise_of_a_sizes_mean() -> None:
    """They are chosen: another draw of them is not what the interval is about."""
    frame = uploads(visits=8)
    far = (frame["rtt"] == 0.1) & (frame["store"] == MACHINE) & ~frame["direct"]
    frame.loc[far, "seconds"] *= 1.2
    spreads = {one.place.what: one.judged.found.spread for one in found(frame).sizes}
    same = {one.place.what: one.judged.found.spread for one in found(uploads(visits=8)).sizes}
    assert spreads == pytest.approx(same, rel=1e-6)


def test_what_the_cluster_costs_and_what_the_machine_costs_are_told_apart() -> None:
    """The cluster takes 1.21 of the machine's time, and the bare server the machine's own."""
    of = found(uploads(ratio=1.21, bare=1.0, visits=8), THREE)
    assert of.comparisons == [*COMPARISONS]
    ratios = {c: [one.judged.found.ratio for one in of.of_sizes(c, "whole")] for c in COMPARISONS}
    assert ratios[CLUSTER_MACHINE] == [pytest.approx(1.21, rel=0.03)] * 2
    assert ratios[CLUSTER_BARE] == [pytest.approx(1.21, rel=0.03)] * 2
    assert ratios[MACHINE_BARE] == [pytest.approx(1.0, rel=0.03)] * 2
    for place in range(2):
        product = ratios[CLUSTER_BARE][place] / ratios[MACHINE_BARE][place]
        assert product == pytest.approx(ratios[CLUSTER_MACHINE][place])


def test_a_slow_machine_limits_only_what_it_takes_part_in() -> None:
    of = found(uploads(machine_rate=1e6, bare=1.0), THREE)
    assert verdicts(of, CLUSTER_MACHINE) == verdicts(of, MACHINE_BARE) == {Verdict.LIMITED}
    assert Verdict.LIMITED not in verdicts(of, CLUSTER_BARE)


def test_a_machine_that_is_slow_itself_limits() -> None:
    """It takes 8 MB in 0.4 s; the link allows 0.69 s warm at 20 ms, 0.87 s cold at 100 ms."""
    limited = {
        (one.place.rtt, one.place.warm): one.judged.limited
        for one in found(uploads(sizes=(8_000_000,), machine_rate=20e6)).points
    }
    assert limited[0.02, True]
    assert not limited[0.1, False]
    assert Verdict.LIMITED not in verdicts(found(uploads(machine_rate=30e6)))


def test_a_machine_that_was_not_measured_without_the_link_shows_nothing() -> None:
    frame = uploads()
    assert verdicts(found(frame[~frame["direct"]])) == {Verdict.LIMITED}


def test_each_kind_of_link_has_points_of_its_own() -> None:
    of = found(uploads(arms=("", "reno"), sizes=(1_000_000,)))
    assert {(one.place.arm, one.judged.found.n) for one in of.sizes} == {("", 20), ("reno", 20)}
    assert len(of.of_sizes(CLUSTER_MACHINE, "whole")) == 1
    assert {arm for arm, _, _ in of.links} == {"", "reno"}


def test_where_tls_ends_in_front_of_all_stores_nothing_is_said_of_their_transfers() -> None:
    frame = uploads(arms=("", "TLS"), sizes=(1_000_000,))
    design = replace(DESIGN, arms=(Arm("TLS", 1e8, 0.0, 0.0, tls=True),))
    of = summarise(frame, about(design=design))
    known = {(one.place.arm, one.kind) for one in of.sizes if one.judged.found.n}
    assert known == {("", "whole"), ("", "transfer"), ("TLS", "whole")}
    limits = of.uploads[~of.uploads["direct"]].groupby(["arm", "rtt", "warm"])["limit_s"].first()
    added = (limits["TLS"] - limits[""]).unstack("warm")
    assert added[False].to_dict() == pytest.approx({0.02: 0.02, 0.1: 0.1})  # of its handshake
    assert not added[True].any()


def test_each_kind_of_machine_has_means_of_its_own() -> None:
    equal, slower = uploads(visits=8), uploads(1.2, visits=8)
    frame = pd.concat([equal[equal["sitting"] == 1], slower[slower["sitting"] == 2]])
    of = found(frame, about(machines=("fast", "slow")))
    spans = of.spans(CLUSTER_MACHINE, "whole")
    assert spans["fast"] == pytest.approx((1.0, 1.0), rel=0.03)
    assert spans["slow"] == pytest.approx((1.2, 1.2), rel=0.03)
    both = of.of_sizes(CLUSTER_MACHINE, "whole")[0].judged.found
    assert both.ratio == pytest.approx(math.sqrt(1.2), rel=0.02)


def test_machines_of_one_kind_are_not_told_apart() -> None:
    assert found(uploads()).by_machine == {}


def test_the_share_of_the_limit() -> None:
    shares: dict[str, float] = {}
    for one in found(uploads(visits=20)).times:
        shares[one.point.client] = one.share
    assert shares["podline"] == pytest.approx(0.95, rel=0.05)
    assert shares["boto3"] == pytest.approx(0.6, rel=0.05)


def test_drops_are_the_uploads_own() -> None:
    """Those of probes, 50 of 100, are left out where they were told apart."""
    of = found(uploads())
    assert of.dropped_usually == {"boto3": [0.05, 0.05], "podline": [0.001, 0.001]}
    assert not of.drops["with_probes"].any()


def test_warm_ups_do_not_count() -> None:
    frame = uploads()
    warm_up = frame.assign(warmup=True, seconds=frame["seconds"] * 100)
    of = found(pd.concat([frame, warm_up]))
    assert of.points[0].judged.found.ratio == pytest.approx(1, rel=0.05)


def test_a_pair_of_one_is_none() -> None:
    frame = uploads(sizes=(1_000_000,), rtts=(0.02,))
    lost = frame[~((frame["store"] == MACHINE) & (frame["pair"] == 1))]
    assert {one.pairs for one in found(lost).points} == {5}


def test_a_client_that_does_not_say_when_the_last_byte_went_has_no_verdict_on_its_transfer() -> (
    None
):
    of = found(uploads().assign(transfer_s=math.nan, commit_s=math.nan))
    assert verdicts(of, kind="transfer") == {Verdict.FEW}
    assert of.silent == ["boto3", "podline"]


def test_a_column_that_is_missing() -> None:
    with pytest.raises(ValueError, match="lacks the columns goodput"):
        check_uploads(uploads().drop(columns="goodput"))
