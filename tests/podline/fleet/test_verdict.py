"""A version is judged by what was seen of it, and of the one before meanwhile."""

from dataclasses import replace

import pytest

from podline.fleet.latencies import bucket
from podline.fleet.rollout import Measure, Strategy
from podline.fleet.status import ModelStatus, Quality
from podline.fleet.verdict import early, judge, measure

STRATEGY = Strategy()
GOOD = Measure(1, 1000, 0, 0.010, 0.020, 100, 0.20)
STATUS = ModelStatus("power", "edge", 3, None, "READY", "", 0, 0, None, None)


@pytest.mark.parametrize(
    "new",
    [
        GOOD,
        replace(GOOD, errors=10),  # as many as are allowed
        replace(GOOD, p50=0.019, p99=0.034),  # a little slower
        replace(GOOD, error=0.22),
        replace(GOOD, error=0.9, labels=19),  # of few labels nobody can say
        replace(GOOD, p99=0.5, requests=499),  # nor of few requests' slowest
        replace(GOOD, error=None, labels=0),
    ],
)
def test_a_version_that_is_good_enough(new: Measure) -> None:
    assert judge(new, GOOD, STRATEGY).good
    assert early(new, GOOD, STRATEGY) is None


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (
            replace(GOOD, errors=11),
            "it failed 1.1% of its 1000 requests, and the one before 0.0% of 1000: 1.0% more are "
            "allowed",
        ),
        (
            replace(GOOD, p50=0.021),
            "it answered 50 % of its 1000 requests within 21 ms, and the one before within 10 ms: "
            "1.5 times as long is allowed",
        ),
        (
            replace(GOOD, p99=0.036),
            "it answered 99 % of its 1000 requests within 36 ms, and the one before within 20 ms: "
            "1.5 times as long is allowed",
        ),
        (
            replace(GOOD, error=0.23),
            "its answers were off by 0.23 on 100 labels, and those of the one before by 0.2 on "
            "100: 1.1 times as far is allowed",
        ),
        (
            replace(GOOD, requests=19),
            "it had 19 requests within 600 s, and is judged by 20 at least",
        ),
    ],
)
def test_a_version_that_is_not(new: Measure, said: str) -> None:
    assert judge(new, GOOD, STRATEGY).why == said
    assert not judge(new, GOOD, STRATEGY).good


def test_errors_of_both_are_no_fault_of_the_new_one() -> None:
    """Such as those of requests that no version can answer."""
    assert judge(replace(GOOD, errors=200), replace(GOOD, errors=200), STRATEGY).good


def test_only_errors_are_seen_at_once_and_only_on_enough_requests() -> None:
    assert early(replace(GOOD, errors=500), GOOD, STRATEGY)
    assert early(replace(GOOD, requests=19, errors=19), GOOD, STRATEGY) is None
    assert early(replace(GOOD, p50=9.0), GOOD, STRATEGY) is None


def test_with_nothing_to_compare_it_with() -> None:
    found = judge(GOOD, Measure(), STRATEGY)
    assert found.good
    assert found.why == (
        "it failed 0.0% of its 1000 requests, answered 50 % within 10 ms and 99 % within 20 ms, "
        "was off by 0.2 on 100 labels; there was nothing to compare it with"
    )


def test_nodes_are_measured_between_two_looks() -> None:
    first = replace(
        STATUS, requests=10, errors=1, latencies={bucket(0.5): 10}, quality={3: Quality(10, 1.0)}
    )
    last = replace(
        STATUS,
        requests=110,
        errors=3,
        latencies={bucket(0.5): 10, bucket(0.002): 100},
        quality={3: Quality(30, 0.5)},
    )
    found = measure(3, [(first, last), (None, replace(last, requests=110, quality={}))])
    assert (found.nodes, found.requests, found.errors) == (2, 210, 5)
    assert found.p50 == pytest.approx(0.002, rel=0.05)
    assert found.p99 == pytest.approx(0.5, rel=0.05)
    assert (found.labels, found.error) == (20, pytest.approx(0.25))


def test_a_node_with_another_version_or_that_began_anew() -> None:
    last = replace(STATUS, requests=5, latencies={bucket(0.002): 5})
    assert measure(2, [(None, last)]) == Measure()
    more = replace(last, requests=50, latencies={bucket(0.5): 50})
    assert measure(3, [(more, last)]).requests == 5
    assert measure(3, [(replace(more, version=2), last)]).requests == 5
