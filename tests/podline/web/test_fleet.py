"""The edge's nodes and rollouts over the API: for who may read assets, as they are in the store."""

import time
from dataclasses import replace

import pytest

from podline.models.registry import Model
from podline.store import Store, StoreConnection, keys
from tests.support.fleet_records import NODE, ROLLOUT, kept
from tests.support.records import Server

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

PATH = "/podline/api/v1/edge"


@pytest.fixture
def store(store_server: StoreConnection) -> Store:
    return Store(store_server)


def test_the_nodes_by_name(server: Server, store: Store) -> None:
    now = replace(NODE, seen=time.time())
    with kept(store, [now, replace(NODE, name="attic", seen=time.time() - 46)]):
        found = server.ask(f"{PATH}/nodes").json
        assert [(node["name"], node["late"]) for node in found["nodes"]] == [
            ("attic", True),  # for three times the 15 s after which it says something
            ("cellar", False),
        ]
        assert found["nodes"][1]["models"][0]["version"] == 2
        assert found["total_entries"] == 2
        assert found["now"] == pytest.approx(time.time(), abs=30)
        for search, names in {"ATT": ["attic"], "powe": ["attic", "cellar"], "x": []}.items():
            answer = server.ask(f"{PATH}/nodes?search={search}").json
            assert [node["name"] for node in answer["nodes"]] == names
        page = server.ask(f"{PATH}/nodes?limit=1&offset=1").json
        assert ([node["name"] for node in page["nodes"]], page["total_entries"]) == (["cellar"], 2)


def test_what_is_no_record_of_a_node_is_passed_over(server: Server, store: Store) -> None:
    key = keys.node_key("forged")
    store.put(key, b'{"name": "forged", "address": 1}')
    try:
        assert server.ask(f"{PATH}/nodes").json["nodes"] == []
    finally:
        store.delete([key])


def test_rollouts_the_newest_first(server: Server, store: Store) -> None:
    later = replace(ROLLOUT, id="20261129T150000.000Z-1a2b3c4d", state="running", ended=None)
    other = replace(ROLLOUT, id="20261127T150000.000Z-1a2b3c4d", model="activity")
    with kept(store, [ROLLOUT, later, other]):
        found = server.ask(f"{PATH}/rollouts").json["rollouts"]
        assert [one["id"] for one in found] == [later.id, ROLLOUT.id, other.id]
        assert found[1]["nodes"] == {"serving": 1, "unreachable": 1}
        assert found[1]["decision"] == ROLLOUT.decision
        ours = server.ask(f"{PATH}/rollouts?model=power&limit=1").json["rollouts"]
        assert [one["id"] for one in ours] == [later.id]


def test_one_rollout_with_each_nodes_way(server: Server, store: Store) -> None:
    with kept(store, [ROLLOUT]):
        found = server.ask(f"{PATH}/rollouts/power/{ROLLOUT.id}").json
    assert (found["state"], found["before"], found["version"]) == ("promoted", 2, 3)
    cellar, roof = found["nodes"]
    assert [phase["name"] for phase in cellar["phases"]] == ["publish", "notice", "swap"]
    assert (roof["state"], roof["error"]) == ("unreachable", "no answer")


def test_a_rollout_that_is_not_there(server: Server) -> None:
    answer = server.ask(f"{PATH}/rollouts/power/nothing")
    assert (answer.status, answer.json["detail"]) == (404, "power has no rollout 'nothing'")


@pytest.mark.parametrize("path", ["nodes", "rollouts", "rollouts/power/x"])
def test_nobody_unknown_sees_the_edge(server: Server, path: str) -> None:
    assert server.ask(f"{PATH}/{path}", None).status == 401


def test_who_may_read_assets_may_read_the_edge(server: Server) -> None:
    assert server.ask(f"{PATH}/nodes", "carl").status == 200
    assert server.ask(f"{PATH}/rollouts", "carl").status == 200


@pytest.mark.usefixtures("power")
def test_of_a_model_that_one_may_not_see_nothing_is_said(server: Server, store: Store) -> None:
    """carl may read no DAG: of `power` he sees what was published by hand, of `ours` nothing."""
    manifest = Model(store, "power").version(2)
    ours = replace(manifest, name="ours", version=1)
    store.put(keys.manifest_key("ours", 1), ours.to_json().encode())
    models = (NODE.models[0], replace(NODE.models[0], name="ours"))
    rollout = replace(ROLLOUT, id="20261129T150000.000Z-1a2b3c4d", model="ours")
    try:
        with kept(store, [replace(NODE, models=models), ROLLOUT, rollout]):
            for user, names in {"admin": ["power", "ours"], "carl": ["power"]}.items():
                (node,) = server.ask(f"{PATH}/nodes", user).json["nodes"]
                assert [model["name"] for model in node["models"]] == names
                found = server.ask(f"{PATH}/rollouts", user).json["rollouts"]
                assert {one["model"] for one in found} == {*names}
                one = server.ask(f"{PATH}/rollouts/ours/{rollout.id}", user).status
                assert one == (200 if "ours" in names else 404)
            assert server.ask(f"{PATH}/nodes?search=ours", "carl").json["nodes"] == []
            assert server.ask(f"{PATH}/rollouts?model=ours", "carl").json["rollouts"] == []
            last = server.ask(f"{PATH}/rollouts?limit=1", "carl").json["rollouts"]
            assert [one["model"] for one in last] == ["power"]
    finally:
        store.delete([keys.manifest_key("ours", 1)])
