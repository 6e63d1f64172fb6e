"""Finding the record of a try in the object store, where its nonce is not known."""

import pytest

from podline.latency import record_store
from podline.store import Store
from podline.store.keys import LATENCY, TryKey
from tests.support.latency import record


def where(number: int, nonce: str = "n") -> TryKey:
    return TryKey("d", "r", "a", -1, number, nonce)


def test_a_try_is_found_by_its_number(store: Store) -> None:
    for number in (1, 2, 11):
        record_store.put(store, where(number, "ab").prefix, record("a", try_number=number))
    for number in (1, 2, 11):
        assert record_store.find(store, where(number)) == record("a", try_number=number)
    assert record_store.find(store, where(3)) is None


def test_one_that_took_a_pod_over_left_it_in_the_folder_of_the_try_before(store: Store) -> None:
    record_store.put(store, where(1, "ab").prefix, record("a", try_number=2))
    assert record_store.find(store, where(2)) == record("a", try_number=2)
    assert record_store.find(store, where(1)) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b" " * 5_000_000, b"\xff"])
def test_what_is_no_record_is_none(store: Store, content: bytes) -> None:
    store.put(where(1, "ab").key(LATENCY), content)
    store.put("runs/d/r/a/-1/notes/latency.json", b"{}")
    assert record_store.find(store, where(1)) is None
