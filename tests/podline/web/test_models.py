"""The published models: shown to those who may read assets, with nothing of DAGs they may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.records import Server
from podline.models import origin
from podline.models.publishing import publish
from podline.store import StoreConnection

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

PATH = "/podline/api/v1/models"


@pytest.fixture(scope="module")
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


@pytest.mark.usefixtures("power")
def test_models_and_versions(server: Server) -> None:
    found = server.ask(PATH).json["models"]
    assert {"model": "power", "aliases": {"champion": 2, "latest": 2}} in found
    answer = server.ask(f"{PATH}/power").json
    newest, first = answer["versions"]
    assert (newest["version"], newest["aliases"]) == (2, ["champion", "latest"])
    assert (newest["metrics"], newest["bytes"]) == ({"rmse": 0.4, "mae": 0.2}, 7)
    assert (newest["origin"]["dag_id"], newest["origin"]["task_id"]) == ("small", "second")
    assert newest["origin"]["run_id"] == server.runs["small"]
    assert (first["aliases"], first["origin"]["dag_id"]) == ([], "")


@pytest.mark.usefixtures("power")
def test_of_a_dag_that_one_may_not_read_nothing_is_said(server: Server) -> None:
    answer = server.ask(f"{PATH}/power", "carl")
    assert answer.status == 200
    assert answer.json["versions"][0]["origin"] == {"data": {}, "hidden": True}
    assert "small" not in answer.text


def test_nobody_unknown_sees_a_model(server: Server) -> None:
    for path in (PATH, f"{PATH}/power"):
        assert server.ask(path, None).status == 401


def test_a_model_that_is_not_there(server: Server) -> None:
    answer = server.ask(f"{PATH}/nothing")
    assert (answer.status, answer.json) == (404, {"detail": "there is no model 'nothing'"})
    assert server.ask(f"{PATH}/a%20b").status == 404
