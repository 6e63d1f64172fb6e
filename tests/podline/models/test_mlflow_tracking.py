"""What MLflow is told of a version, by a real server of it."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from podline.models.publishing import publish
from podline.models.registry import Model
from podline.store import Store
from tests.support import mlflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mlflow")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow.serving(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


def ask(server: str, path: str, **query: str) -> Any:
    address = f"{server}/api/2.0/mlflow/{path}?{urlencode(query)}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture
def skops(tmp_path: Path) -> Path:
    path = tmp_path / "model.skops"
    path.write_bytes(b"weights")
    return path


@pytest.mark.timeout(180)
def test_a_version_is_in_mlflow_too(
    server: str, store: Store, skops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    many = {f"p{number}": number for number in range(130)}  # more than MLflow takes at once
    for rmse in (0.5, 0.4):
        publish(skops, "power", metrics={"rmse": rmse}, parameters={**many, "long": "x" * 7000})
    found = ask(server, "model-versions/get", name="power", version="2")["model_version"]
    assert found["source"] == "s3://tests/models/power/versions/2"
    assert {"key": "podline.version", "value": "2"} in found["tags"]
    run = ask(server, "runs/get", run_id=found["run_id"])["run"]
    assert run["info"]["status"] == "FINISHED"
    assert [(m["key"], m["value"]) for m in run["data"]["metrics"]] == [("rmse", 0.4)]
    parameters = {p["key"]: p["value"] for p in run["data"]["params"]}
    assert len(parameters) == 131
    assert (parameters["p7"], len(parameters["long"])) == ("7", 6000)


def test_a_server_that_is_away_is_no_reason_to_fail(
    store: Store, skops: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    publish(skops, "power")
    assert "MLflow at http://127.0.0.1:9 was not told of power version 1" in caplog.text
    assert len(Model(store, "power").versions()) == 1
