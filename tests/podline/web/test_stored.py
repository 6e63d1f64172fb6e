"""Records that the object store alone has; a store that is away harms no answer."""

import time
from dataclasses import replace

import pytest

from podline.latency import record_store
from podline.latency.record import Record
from podline.latency.record_reader import TryId
from podline.store import Store
from podline.store.keys import TryKey
from podline.web import stored


def put(store: Store, number: int) -> TryId:
    id_ = TryId("r", "a", number, 1)
    about = {"version": 1, "dag_id": "d", **id_._asdict(), "kind": "stage", "state": "failed"}
    record = Record.model_validate(about | {"start": 1000.0, "end": 1001.0})
    record_store.put(store, TryKey("d", *id_, nonce="ab").prefix, record)
    return id_


def test_those_that_are_there(store: Store) -> None:
    ids = [put(store, number) for number in range(2)]
    found = stored.find("d", [*ids, TryId("r", "a", 7, 1)])
    assert [Record.model_validate_json(found[id_]).map_index for id_ in ids] == [0, 1]
    assert len(found) == 2


def test_of_many_only_a_few_the_wanted_ones_first(store: Store) -> None:
    ids = [put(store, number) for number in range(30)]
    assert stored.find("d", ids).keys() == set(ids[:10])
    assert ids[29] in stored.find("d", ids, first=("a", 29))


@pytest.mark.parametrize("address", [None, "http://127.0.0.1:9", "http://192.0.2.1"])
def test_a_store_that_is_away_is_not_waited_for(
    address: str | None, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variable,) = store.connection.to_env()
    if address is None:
        monkeypatch.delenv(variable)
    else:
        there = replace(store.connection, endpoint_url=address).to_env()
        monkeypatch.setenv(variable, there[variable])
    start = time.monotonic()
    assert stored.find("d", [TryId("r", "a", -1, 1)]) == {}
    assert time.monotonic() - start < 8  # the store's client itself would wait for 10 s
