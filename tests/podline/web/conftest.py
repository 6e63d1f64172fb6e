"""One API server for the tests of the API and of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.records import Server, serving
from podline.models import origin
from podline.models.publishing import publish
from podline.store import StoreConnection


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, store_server: StoreConnection
) -> Iterator[Server]:
    """The server, after a run of a notebook's DAG and of one of plain tasks."""
    with serving(tmp_path_factory.mktemp("airflow"), store_server.to_env()) as found:
        yield found


@pytest.fixture(scope="session")
def power(
    server: Server, store_server: StoreConnection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Two versions of a model: one by hand, one by a run of the DAG `small`."""
    path: Path = tmp_path_factory.mktemp("model") / "model.tflite"
    path.write_bytes(b"weights")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store_server.to_env().items():
            patch.setenv(name, value)
        patch.setattr(origin, "_stage", None)
        patch.setattr(origin, "_data", {})
        patch.setattr(origin, "published", [])
        publish(path, "power", metrics={"rmse": 0.5})
        run = server.runs["small"].replace("+", "%2B")
        origin.begin_stage(f"runs/small/{run}/second/-1/1-ab12", "small", "c0ffee")
        publish(path, "power", metrics={"rmse": 0.4, "mae": 0.2}, monitor="rmse", promote=True)
    return
