"""A node says in the store what it serves, and is gone from there when it ends."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from podline.edge.registration import Registration
from podline.edge.serve import EdgeError, Options, run
from podline.fleet.records import read_fleet
from podline.fleet.status import ModelStatus, NodeStatus
from podline.store import Store, keys
from tests.podline.edge.conftest import Publish
from tests.support.edge import serving
from tests.support.waiting import until

POWER = ModelStatus("power", "edge", 1, None, "READY", "", 0, 0, None, None)
STATUS = NodeStatus("barn", "0.2.0", 1000.0, 900.0, 0.0, 1, (POWER,))


class Node:
    """A node that says what it is told to."""

    def __init__(self, store: Store, every: float = 60.0) -> None:
        self.said, self.looks = STATUS, 0
        self.registration = Registration(store, "http://10.0.0.7:8500", self.status, every)

    def status(self) -> NodeStatus:
        self.looks += 1
        return self.said

    def seen(self, store: Store) -> list[float]:
        return [node.seen for node in read_fleet(store)]


def test_a_server_registers_and_leaves(publish: Publish, store: Store, tmp_path: Path) -> None:
    publish(1)
    options = ("--node", "barn", "--address", "http://127.0.0.1:1/")
    with serving(tmp_path / "edge", *options, models=("power@edge",)) as edge:
        until(lambda: [model.version for node in read_fleet(store) for model in node.models] == [1])
        (node,) = read_fleet(store)
        assert (node.name, node.address, node.is_late()) == ("barn", "http://127.0.0.1:1", False)
        (model,) = node.models
        assert (model.name, model.alias, model.state, model.reason) == (
            "power", "edge", "READY", "",
        )  # fmt: skip
        publish(2)
        until(lambda: read_fleet(store)[0].models[0].version == 2)
        edge.process.send_signal(signal.SIGTERM)
        assert edge.process.wait(30) == 0
    assert read_fleet(store) == []


@pytest.mark.parametrize("address", ["10.0.0.7:8500", "ftp://10.0.0.7", "http://ada:pw@10.0.0.7"])
def test_an_address_that_nobody_reaches(store: Store, tmp_path: Path, address: str) -> None:
    with pytest.raises(EdgeError, match="is no URL of a server: give one such as http://10.0.0.7"):
        run(Options(["power"], tmp_path, address=address), store)


def test_it_says_what_has_changed_at_once_and_the_rest_seldom(store: Store) -> None:
    node = Node(store)
    node.registration.start()
    until(lambda: node.seen(store) == [1000.0])
    node.said = replace(STATUS, now=1001.0)  # nothing but the time
    looks = node.looks
    until(lambda: node.looks > looks + 1)
    assert node.seen(store) == [1000.0]
    node.said = replace(STATUS, now=1002.0, models=(replace(POWER, version=2),))
    until(lambda: node.seen(store) == [1002.0])
    node.registration.stop()
    assert read_fleet(store) == []


def test_it_says_now_and_then_that_it_is_there(store: Store) -> None:
    node = Node(store, every=0.1)
    node.registration.start()
    until(lambda: node.seen(store) == [1000.0])
    node.said = replace(STATUS, now=1003.0)
    until(lambda: node.seen(store) == [1003.0])
    node.registration.stop()


def test_a_node_that_was_killed_comes_back_under_its_name(store: Store) -> None:
    store.put(keys.node_key("barn"), b"what one before has left")
    node = Node(store)
    node.registration.start()
    until(lambda: node.seen(store) == [1000.0])
    node.registration.stop()


def test_a_store_that_cannot_be_written_to_is_told_once(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """And waited for."""
    wrong = Store(replace(store.connection, secret_key="wrong"))
    node = Node(wrong, every=0.1)
    node.registration.start()
    until(lambda: node.looks > 3)
    node.registration.stop()
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert line["event"] == "not registered"
    assert "does not allow this" in line["reason"]
    assert read_fleet(store) == []
