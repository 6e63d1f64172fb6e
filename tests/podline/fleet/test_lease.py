"""One rollout of a model at a time has its lease."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from podline.fleet.lease import Holder, Lease, LeaseLost, RolloutUnderWay
from podline.store import Store, keys


def lease(store: Store, rollout: str, seconds: float = 30.0, model: str = "power") -> Lease:
    return Lease(store, model, rollout, "by a test", seconds)


def test_of_many_one_has_it(store: Store) -> None:
    def take(number: int) -> bool:
        try:
            lease(store, f"rollout-{number}").take()
            return True
        except RolloutUnderWay:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_who_is_refused_is_told_who_has_it(store: Store) -> None:
    lease(store, "first").take()
    with pytest.raises(
        RolloutUnderWay,
        match=r"power is being rolled out already: first, started by a test, heard of \d s ago. Wa",
    ):
        lease(store, "second").take()
    assert lease(store, "second", model="watch").take() is None  # each model has its own


def test_what_was_given_back_is_free(store: Store) -> None:
    first = lease(store, "first")
    assert first.take() is None
    first.renew()
    first.release()
    assert lease(store, "second").take() is None


def test_what_was_not_renewed_is_taken_over_and_its_holder_is_told(store: Store) -> None:
    first, second = lease(store, "first", 0.2), lease(store, "second")
    first.take()
    time.sleep(0.3)
    holder = second.take()
    assert holder
    assert (holder.rollout, holder.by) == ("first", "by a test")
    with pytest.raises(LeaseLost, match="not heard of for 0.2 s, and second, started by a test, h"):
        first.renew()
    first.release()  # it is not its own any more
    second.renew()


def test_a_renewal_whose_answer_was_lost(store: Store) -> None:
    """The next one finds the store changed, by itself."""
    mine = lease(store, "first")
    mine.take()
    key = keys.lease_key("power")
    data = Holder("first", "by a test", time.time(), 30.0).to_json().encode()
    store.swap(key, data, store.head(key).etag)
    mine.renew()
    mine.renew()


def test_what_is_no_lease_is_nobodys(store: Store) -> None:
    store.put(keys.lease_key("power"), b"[]")
    assert lease(store, "first").take() is None
