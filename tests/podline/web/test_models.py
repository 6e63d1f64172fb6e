"""The published models: shown to those who may read assets, with nothing of DAGs they may not."""

import pytest

from tests.support.records import Server

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

PATH = "/podline/api/v1/models"


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
