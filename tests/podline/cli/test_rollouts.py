"""`podline edge rollout` and `podline edge fleet`, with servers of their own processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from podline.fleet.records import read_fleet, read_rollouts
from podline.models.registry import Model
from podline.store import Store
from tests.support.airflow_server import free_port
from tests.support.edge import Edge, Load, publish_line, serving
from tests.support.waiting import until

from .conftest import Podline, Refused

QUICK = ("--observe", "0.5", "--limit", "20", "--patience", "5", "--latency", "20")


@pytest.fixture
def model(store: Store, tmp_path: Path) -> Model:
    """`power`, with version 1, which the alias `edge` means, and version 2."""
    found = Model(store, "power")
    found.promote(publish_line(tmp_path, 1), "edge")
    publish_line(tmp_path, 2)
    return found


@pytest.fixture
def edges(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Edge]]:
    """Two nodes that have registered, and have a token."""
    monkeypatch.setenv("PODLINE_EDGE_TOKEN", "open sesame")
    with ExitStack() as stack:
        found = []
        for name in ("attic", "barn"):
            port = str(free_port())
            options = ("--node", name, "--port", port, "--address", f"http://127.0.0.1:{port}")
            edge = serving(tmp_path / name, *options, models=("power@edge",))
            found.append(stack.enter_context(edge))
        until(lambda: [node.name for node in read_fleet(model.store)] == ["attic", "barn"])
        yield found


@pytest.fixture
def begun(store: Store) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Begins a rollout in a process of its own, up to the observation of its canary."""
    with ExitStack() as stack:

        def begin(*options: str) -> "subprocess.Popen[str]":
            command = [sys.executable, "-m", "podline.cli", "edge", "rollout", "power", "2"]
            process = subprocess.Popen(
                [*command, "--observe", "60", *options],
                env=os.environ | {"PODLINE_EDGE_TOKEN": "open sesame"},
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            until(lambda: [one.step for one in read_rollouts(store)] == ["observation"])
            return process

        yield begin


def meant(model: Model) -> int:
    alias = model.aliases.get("edge")
    return alias.version if alias else 0


def test_a_rollout_to_the_nodes_that_have_registered(
    podline: Podline, edges: list[Edge], model: Model
) -> None:
    with Load(edges[0]) as first, Load(edges[1]) as second:
        told = podline("edge", "rollout", "power", "latest", *QUICK)
    assert told.exit_code == 0, told.output
    assert "power: version 2 in place of version 1, 2 nodes" in told.stdout
    assert "promoted: it failed 0.0% of its" in told.stdout
    rows = [line.split() for line in told.stdout.splitlines()[-2:]]
    assert [row[:-2] for row in rows] == [["attic", "1", "serving", "2"], ["barn", "serving", "2"]]
    assert meant(model) == 2
    assert first.failures == second.failures == []
    (record,) = read_rollouts(model.store)
    assert record.started_by.startswith("by hand: ")
    until(lambda: [node.models[0].version for node in read_fleet(model.store)] == [2, 2])
    listed = podline("edge", "fleet").stdout.splitlines()[2:]
    assert [row.split()[0] for row in listed] == ["attic", "barn"]
    assert all("power@edge" in row and "ms" in row for row in listed)


def test_without_the_token_it_goes_back(
    podline: Podline, edges: list[Edge], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a connection's password."""
    monkeypatch.delenv("PODLINE_EDGE_TOKEN", raising=False)
    urls = [option for edge in edges for option in ("--node", edge.url)]
    told = podline("edge", "rollout", "power", "2", *QUICK, *urls)
    assert (told.exit_code, meant(model)) == (1, 1)
    assert "needs the server's token" in told.stdout
    monkeypatch.setenv("AIRFLOW__PODLINE__EDGE_CONN_ID", "edges")
    monkeypatch.setenv("AIRFLOW_CONN_EDGES", '{"password": "open sesame"}')
    told = podline("edge", "rollout", "power", "2", *QUICK, "--requests", "0", *urls)
    assert (told.exit_code, meant(model)) == (0, 2), told.output


def test_a_rollout_that_is_told_to_end_goes_back(
    edges: list[Edge], model: Model, begun: Callable[..., "subprocess.Popen[str]"]
) -> None:
    process = begun()
    assert edges[0].model()["pinned"] == 2
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "rolled back: it was interrupted" in said
    (record,) = read_rollouts(model.store)
    assert (record.state, record.decision) == ("rolled back", "it was interrupted")
    assert [(edge.model()["version"], edge.model()["pinned"]) for edge in edges] == [
        (1, None),
        (1, None),
    ]


@pytest.mark.slow
def test_a_rollout_that_is_killed_is_taken_over(
    podline: Podline,
    refused: Refused,
    edges: list[Edge],
    model: Model,
    begun: Callable[..., "subprocess.Popen[str]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lease is over after a while; the next one says what became of it, and how it is now."""
    monkeypatch.setenv("PODLINE_EDGE_TOKEN", "open sesame")
    process = begun("--lease", "3")
    assert "power is being rolled out already: " in refused("edge", "rollout", "power", "2")
    process.kill()
    process.wait()
    assert edges[0].model()["pinned"] == 2  # nobody has told it otherwise
    (left,) = read_rollouts(model.store)

    def rolled() -> str:
        monkeypatch.setenv("PODLINE_EDGE_TOKEN", "open sesame")
        told = podline("edge", "rollout", "power", "2", *QUICK, "--requests", "0")
        return told.stdout if told.exit_code == 0 else ""

    said = until(rolled)
    assert f"{left.id}: its process ended at the step observation. 'edge' means version 1" in said
    done, abandoned = read_rollouts(model.store)
    assert (done.state, abandoned.state) == ("promoted", "abandoned")
    assert meant(model) == 2
    assert [(edge.model()["version"], edge.model()["pinned"]) for edge in edges] == [
        (2, None),
        (2, None),
    ]


def test_a_fleet_of_none(podline: Podline, store: Store, model: Model) -> None:
    assert "No node has registered" in podline("edge", "fleet").stdout
    told = podline("edge", "rollout", "power", "2")
    assert told.exit_code == 1
    assert "failed: there is no node: start `podline edge serve` with --address" in told.stdout


def test_what_is_no_url_of_a_node(refused: Refused, store: Store, model: Model) -> None:
    said = refused("edge", "rollout", "power", "2", "--node", "10.0.0.7:8500")
    assert "'10.0.0.7:8500' is no URL of a node: give one such as http://10.0.0.7:8500" in said
    assert "has no version 9" in refused("edge", "rollout", "power", "9")


def test_a_connection_of_the_token_that_there_is_not(
    refused: Refused, store: Store, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__EDGE_CONN_ID", "edges")
    said = refused("edge", "rollout", "power", "2")
    assert "there is no connection 'edges' ([podline] edge_conn_id): add one" in said
