"""What earlier runs tell of a stage, and what of that counts."""

import threading
from typing import Any

import pytest

from podline.contract import HeadNote
from podline.latency import stage_profile
from podline.latency.observations import Moments, Observed, PodAhead
from podline.latency.stage_profile import Sample, StageProfile
from podline.store import Store, keys
from podline.store.keys import TryKey

from .test_timeline import a_result

WHERE = TryKey("d", "r", "t", -1, 1, "ab")


def profile(*seconds: float, **parameters: Any) -> StageProfile:
    return StageProfile(tuple(Sample(parameters, one, one / 10) for one in seconds))


def test_fewer_than_three_tell_nothing() -> None:
    assert profile(1.0, 2.0).seconds({}) is None
    assert profile(1.0, 2.0).ready({}) is None


def test_a_try_is_expected_to_be_short_and_a_pod_to_be_slow() -> None:
    known = profile(1.0, 2.0, 3.0, 4.0, 5.0, rows=10)
    assert known.seconds({"rows": 10}) == 2.0
    assert known.ready({"rows": 10}) == pytest.approx(0.4)


def test_the_nearest_sizes_count() -> None:
    small, large = profile(*[1.0] * 8, rows=1000).samples, profile(*[9.0] * 8, rows=1500).samples
    both = StageProfile((*large, *small))
    assert both.seconds({"rows": 1000}) == 1.0
    assert both.seconds({"rows": 1600}) == 9.0
    assert both.seconds({"rows": 10_000}) is None


@pytest.mark.parametrize("other", [{"source": "b"}, {"rows": 0}, {}, {"rows": 10, "more": 1}])
def test_what_is_no_size_must_be_the_same(other: dict[str, Any]) -> None:
    assert profile(1.0, 1.0, 1.0, rows=10).seconds(other) is None


def test_tries_add_up_whoever_comes_first(store: Store) -> None:
    threads = [
        threading.Thread(target=stage_profile.note, args=(store, WHERE, Sample({}, n, 0.5)))
        for n in (1.0, 2.0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage_profile.note(store, WHERE, Sample({}, 3.0, 0.5, ("keras",)))
    found = stage_profile.read(store, "d", "t")
    assert sorted(sample.seconds for sample in found.samples) == [1.0, 2.0, 3.0]
    assert found.libraries == ("keras",)
    assert stage_profile.read(store, "d", "other") == StageProfile()


def test_the_oldest_are_forgotten(store: Store) -> None:
    for number in range(25):
        stage_profile.note(store, WHERE, Sample({}, float(number), 0.5))
    seconds = [sample.seconds for sample in stage_profile.read(store, "d", "t").samples]
    assert seconds == [float(number) for number in range(5, 25)]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"samples": [{"x": 1}]}', b"\xff"])
def test_what_cannot_be_read_tells_nothing_and_is_replaced(store: Store, data: bytes) -> None:
    store.put(keys.profile_key("d", "t"), data)
    assert stage_profile.read(store, "d", "t").seconds({}) is None
    stage_profile.note(store, WHERE, Sample({}, 1.0, 0.5))
    assert len(stage_profile.read(store, "d", "t").samples) == 1


def test_what_a_try_tells() -> None:
    result = a_result(1000.5, boot=0.2, imports=1.0, code=1.0)
    seen = Observed(Moments(created=1000.2, heard=1003.2), result=result, parameters={"rows": 1})
    sample = stage_profile.sample_of(seen)
    assert sample is not None
    assert (sample.seconds, sample.ready) == (pytest.approx(3.0), pytest.approx(1.5))


def test_what_a_try_tells_whose_pod_was_made_ahead() -> None:
    result = a_result(1000.5, code=1.0)
    object.__setattr__(result, "ahead", HeadNote(995.0, 998.0))
    seen = Observed(Moments(created=1000.2, heard=1003.2), result=result, parameters={})
    seen.ahead = PodAhead(994.5, 1000.2, {})
    sample = stage_profile.sample_of(seen)
    assert sample is not None
    assert sample.ready == pytest.approx(3.5)
    seen.parameters = None  # nobody makes pods ahead
    assert stage_profile.sample_of(seen) is None
