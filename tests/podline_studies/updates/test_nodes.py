"""The nodes that are compared: what they say when they do not start, or are told what they cannot."""

import json
import time
from pathlib import Path

import pytest

from podline.store import Store
from podline_studies.updates.design import Cell
from podline_studies.updates.models import publish_cell, write_dense
from podline_studies.updates.nodes import (
    WAYS,
    MlServer,
    NodeError,
    Podline,
    Polling,
    free_ports,
    write_mlserver_model,
    write_mlserver_settings,
)

SMALL = Cell(10_000, "float32", 1)


def test_our_way_comes_first_and_the_one_that_polls_is_told_nothing() -> None:
    assert next(iter(WAYS)) == "podline"
    assert [name for name, way in WAYS.items() if not way.told] == ["podline", "polling"]


def test_a_program_that_is_not_there(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match="mlserver is not on the PATH: pip install mlserver"):
        MlServer(tmp_path / "node", store.connection, "dense")


def test_a_node_that_does_not_start_says_why(tmp_path: Path, store: Store) -> None:
    node = Podline(tmp_path / "node", store.connection, "no/name")
    wanted = pytest.raises(NodeError, match="Podline does not serve: .*is no name for a model")
    with wanted, node.running():
        pass


def test_a_version_that_was_not_taken_up(tmp_path: Path, store: Store) -> None:
    publish_cell(write_dense(tmp_path, 10_000, 1), "dense", SMALL)
    with Polling(tmp_path / "node", store.connection, "dense").running() as node:
        assert node.taken(1).fetch > 0
        with pytest.raises(NodeError, match="did not take up version 7"):
            node.taken(7)
        with pytest.raises(NodeError, match="is told of nothing"):
            node.tell(1, "model.onnx")


def test_a_version_that_is_not_complete_is_not_polled(tmp_path: Path, store: Store) -> None:
    """TensorFlow Serving would see its folder: here the manifest comes last."""
    path = write_dense(tmp_path, 10_000, 1)
    publish_cell(path, "dense", SMALL)
    store.put("models/dense/versions/2/model.onnx", path)
    with Polling(tmp_path / "node", store.connection, "dense").running() as node:
        version = publish_cell(path, "dense", SMALL).number
        assert version == 3
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            if str(version) in node.ask("GET", "/status"):
                break
        assert sorted(node.ask("GET", "/status")) == ["1", "3"]


def test_mlserver_is_set_up_to_reload_while_it_answers(tmp_path: Path) -> None:
    """With a version of its own it would refuse requests while a new one loads."""
    write_mlserver_settings(tmp_path, free_ports(3))
    write_mlserver_model(tmp_path, "dense", "3.onnx", 3)
    model = json.loads((tmp_path / "model-settings.json").read_text())
    assert "version" not in model["parameters"]
    assert model["parameters"] == {"uri": "./3.onnx", "extra": {"version": "3"}}
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert len({settings[f"{name}_port"] for name in ("http", "grpc", "metrics")}) == 3
    assert (tmp_path / "mlserver_model.py").is_file()
