"""Nodes and rollouts come back from the store as they went there; what is none is passed over."""

import json
from dataclasses import replace

import pytest

from podline.fleet.records import (
    RecordError,
    read_fleet,
    read_rollout,
    read_rollouts,
    remove_oldest,
)
from podline.fleet.rollout import Rollout
from podline.store import Store, keys
from tests.support.fleet_records import NODE, ROLLOUT


def put(store: Store, record: Rollout) -> None:
    store.put(keys.rollout_key(record.model, record.id), record.to_json().encode())


def test_a_node_comes_back(store: Store) -> None:
    store.put(keys.node_key("cellar"), NODE.to_json().encode())
    store.put(keys.node_key("attic"), replace(NODE, name="attic").to_json().encode())
    assert read_fleet(store) == [replace(NODE, name="attic"), NODE]


def test_a_node_that_is_not_heard_of_is_late() -> None:
    assert not NODE.is_late(NODE.seen + 30)
    assert NODE.is_late(NODE.seen + 46)


def test_a_rollout_comes_back_the_newest_first(store: Store) -> None:
    later = replace(ROLLOUT, id="20261128T150000.001Z-00000000")
    other = replace(ROLLOUT, id="20261128T150000.002Z-00000000", model="watch")
    for record in (ROLLOUT, later, other):
        put(store, record)
    assert read_rollouts(store) == [other, later, ROLLOUT]
    assert read_rollouts(store, "power") == [later, ROLLOUT]
    assert read_rollouts(store, "power", limit=1) == [later]
    assert read_rollout(store, "power", ROLLOUT.id) == ROLLOUT
    assert ROLLOUT.count("serving", "unreachable") == 2
    assert [node.seconds for node in ROLLOUT.nodes] == [0.5, None]


def test_the_oldest_records_of_a_model_are_removed(store: Store) -> None:
    ids = [f"20261128T15000{second}.000Z-00000000" for second in range(4)]
    records = [replace(ROLLOUT, id=one) for one in ids]
    other = replace(ROLLOUT, id=ids[0], model="watch")
    for record in (*records, other):
        put(store, record)
    remove_oldest(store, "power", kept=2)
    assert read_rollouts(store, "power") == [records[3], records[2]]
    assert read_rollouts(store, "watch") == [other]
    remove_oldest(store, "power", kept=2)
    assert len(read_rollouts(store, "power")) == 2


def test_what_a_later_podline_adds_is_no_trouble(store: Store) -> None:
    value = json.loads(ROLLOUT.to_json()) | {"weather": "fine"}
    store.put(keys.rollout_key("power", ROLLOUT.id), json.dumps(value).encode())
    assert read_rollouts(store) == [ROLLOUT]


@pytest.mark.parametrize(
    ("field", "bad", "said"),
    [
        ("state", "unknown", "state Input should be 'running'"),
        ("nodes", [{"name": 3}], "nodes.0.name Input should be a valid string"),
        ("started", float("nan"), "started Input should be a finite number"),
    ],
)
def test_what_is_no_record_is_passed_over(store: Store, field: str, bad: object, said: str) -> None:
    value = json.loads(ROLLOUT.to_json()) | {field: bad}
    store.put(keys.rollout_key("power", "bad"), json.dumps(value).encode())
    store.put(keys.rollout_key("power", "worse"), b"{")
    put(store, ROLLOUT)
    assert read_rollouts(store) == [ROLLOUT]
    with pytest.raises(RecordError, match=said):
        read_rollout(store, "power", "bad")
    with pytest.raises(RecordError, match="power has no rollout 'none'"):
        read_rollout(store, "power", "none")
