"""The published models: shown to those who may read assets, with nothing of DAGs they may not."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from podline.models import lineage
from podline.models.publishing import publish
from podline.store import Store, StoreConnection, keys
from tests.support.records import Answer, Server

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
    assert [version["version"] for version in answer.json["versions"]] == [1]
    assert (answer.json["aliases"], answer.json["moves"]) == ({}, [])
    assert {"model": "power", "aliases": {}} in server.ask(PATH, "carl").json["models"]
    assert "small" not in answer.text
    for path in ("versions/2/files/model.skops", "compare?versions=1,2"):
        answer = server.ask(f"{PATH}/power/{path}", "carl")
        assert (answer.status, answer.json) == (404, {"detail": "power has no version 2"})


@pytest.mark.usefixtures("power")
@pytest.mark.parametrize(
    ("user", "moves", "opens"),
    [("admin", True, True), ("dora", False, False), ("gina", False, True)],
)
def test_what_the_reader_may_do_is_said(
    server: Server, user: str, moves: bool, opens: bool
) -> None:
    answer = server.ask(f"{PATH}/power", user).json
    assert answer["may_move_aliases"] is moves
    assert [one["may_open_notebook"] for one in answer["versions"]] == [opens, False]


@pytest.fixture(scope="module")
def secret(server: Server, store_server: StoreConnection, tmp_path_factory: Any) -> Iterator[None]:
    """A model of which a DAG published every version."""
    path = tmp_path_factory.mktemp("model") / "model.skops"
    path.write_bytes(b"weights")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store_server.to_env().items():
            patch.setenv(name, value)
        patch.setattr(lineage, "_stage", {})
        patch.setattr(lineage, "published", [])
        lineage.begin_stage("runs/small/r/second/-1/1-ab12", "small", "c0ffee")
        publish(path, "secret")
    yield
    store = Store(store_server)
    store.delete(item.key for item in store.list("models/secret"))


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(("user", "sees"), [("admin", True), ("anna", True), ("carl", False)])
def test_a_model_is_there_for_who_may_read_a_dag_that_published_it(
    server: Server, user: str, sees: bool
) -> None:
    found = server.ask(f"{PATH}?search=secret", user).json
    assert [model["model"] for model in found["models"]] == ["secret"] * sees
    assert found["total_entries"] == int(sees)
    for path in ("", "/compare?versions=1,1", "/versions/1/files/model.skops"):
        assert server.ask(f"{PATH}/secret{path}", user).status == (200 if sees else 404)
    unknown = server.ask(f"{PATH}/nothing/versions/1/files/model.skops", "carl")
    assert "secret" not in unknown.text


def test_nobody_unknown_sees_a_model(server: Server) -> None:
    for path in (PATH, f"{PATH}/power"):
        assert server.ask(path, None).status == 401


def test_a_model_that_is_not_there(server: Server) -> None:
    answer = server.ask(f"{PATH}/nothing")
    assert (answer.status, answer.json) == (404, {"detail": "there is no model 'nothing'"})
    assert server.ask(f"{PATH}/a%20b").status == 404


@pytest.mark.usefixtures("power")
def test_models_are_searched_and_paged(server: Server) -> None:
    found = server.ask(f"{PATH}?search=POW&limit=1").json
    assert [model["model"] for model in found["models"]] == ["power"]
    assert (found["total_entries"], found["limit"], found["offset"]) == (1, 1, 0)
    assert server.ask(f"{PATH}?search=nothing").json["total_entries"] == 0
    assert server.ask(f"{PATH}?offset=1000").json["models"] == []


@pytest.mark.usefixtures("power")
def test_versions_are_compared(server: Server) -> None:
    found = server.ask(f"{PATH}/power/compare?versions=1,2").json
    assert found["versions"] == [1, 2]
    assert found["metrics"] == [
        {"name": "rmse", "values": [0.5, 0.4], "changed": True},
        {"name": "mae", "values": [None, 0.2], "changed": True},
    ]
    assert {"name": "all", "values": [7, 7], "changed": False} in found["sizes"]
    assert all(row["values"][0] == row["values"][1] for row in found["libraries"])
    notebook = next(row for row in found["about"] if row["name"] == "notebook")
    assert notebook["values"][1] == "c0ffee"
    for versions, status in {"1,7": 404, "1": 422, "1,x": 422, ",".join("1" * 11): 422}.items():
        assert server.ask(f"{PATH}/power/compare?versions={versions}").status == status


# --- files --------------------------------------------------------------------------------------

FILE = f"{PATH}/power/versions/2/files/model.skops"


@pytest.mark.usefixtures("power")
def test_a_file_is_saved(server: Server) -> None:
    answer = server.ask(FILE, "dora")
    assert (answer.status, answer.body) == (200, b"weights")
    assert answer.headers["content-disposition"] == 'attachment; filename="power-2-model.skops"'
    assert answer.headers["content-length"] == "7"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.ask(FILE, None).status == 401


@pytest.mark.usefixtures("power")
@pytest.mark.parametrize(
    "path", ["2/files/manifest.json", "2/files/../../1/model.skops", "7/files/model.skops"]
)
def test_no_other_file_is_given(server: Server, path: str) -> None:
    assert server.ask(f"{PATH}/power/versions/{path}").status == 404


@pytest.mark.usefixtures("power")
def test_a_file_that_is_not_what_was_published_is_not_given_whole(
    server: Server, store_server: StoreConnection
) -> None:
    store, key = Store(store_server), keys.version_key("power", 2, "model.skops")
    replace(store, key, b"Weights")
    try:
        with pytest.raises(http.client.IncompleteRead):
            server.ask(FILE)
    finally:
        replace(store, key, b"weights")


def replace(store: Store, key: str, data: bytes) -> None:
    """Overwrite what is written only once."""
    store.delete([key])
    store.put(key, data)


# --- aliases ------------------------------------------------------------------------------------

ALIAS = f"{PATH}/power/aliases/champion"


@pytest.fixture
def champion(server: Server, power: None) -> Iterator[None]:
    """The alias is put back."""
    yield
    now = server.ask(f"{PATH}/power").json["aliases"]["champion"]
    if now != 2:
        server.ask(ALIAS, method="POST", body={"version": 2, "expected": now})


def move(server: Server, user: str | None = "admin", **headers: str) -> Answer:
    """Have the champion be version 1, which is 2."""
    body = {"version": 1, "expected": 2}
    return server.ask(ALIAS, user, method="POST", body=body, **headers)


@pytest.mark.usefixtures("champion")
def test_an_alias_is_moved_and_rolled_back_and_airflow_logs_who_did(server: Server) -> None:
    answer = move(server)
    assert (answer.status, answer.json["version"], answer.json["before"][-1]) == (200, 1, 2)
    (means,) = (
        found for found in server.ask(f"{PATH}/power").json["moves"] if found["alias"] == "champion"
    )
    assert (means["version"], means["before"][-1]) == (1, 2)
    back = server.ask(ALIAS, method="POST", body={"version": 2, "expected": 1})
    assert (back.status, back.json["version"]) == (200, 2)
    logs = server.ask("/api/v2/eventLogs?event=podline.move_alias&order_by=-id").json["event_logs"]
    assert [log["owner"] for log in logs[:2]] == ["admin", "admin"]
    told = json.loads(logs[0]["extra"])
    assert told == {
        "name": "power",
        "alias": "champion",
        "version": 2,
        "expected": 1,
        "method": "POST",
    }


@pytest.mark.usefixtures("champion")
def test_an_alias_that_somebody_else_moved_stays(server: Server) -> None:
    for body in ({"version": 1, "expected": 1}, {"version": 1, "expected": None}):
        answer = server.ask(ALIAS, method="POST", body=body)
        assert answer.status == 409
        assert "means version 2 by now" in answer.json["detail"]
    assert server.ask(f"{PATH}/power").json["aliases"]["champion"] == 2


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 7, "expected": 2}, 404),
        ({"version": 1}, 422),
        ({"version": "1", "expected": 2}, 422),
        ({"version": 0, "expected": 2}, 422),
        ({"version": 1, "expected": 2, "more": 1}, 422),
    ],
)
def test_what_an_alias_cannot_mean(server: Server, body: dict[str, object], status: int) -> None:
    assert server.ask(ALIAS, method="POST", body=body).status == status


@pytest.mark.usefixtures("champion")
def test_an_alias_is_moved_by_who_may_make_events_of_assets(server: Server) -> None:
    event = {"asset_id": 1, "extra": {}}
    for user, status in {None: 401, "anna": 403, "carl": 403, "gina": 403}.items():
        assert move(server, user).status == status
        airflows = server.ask("/api/v2/assets/events", user, method="POST", body=event).status
        assert airflows == status
    assert server.ask(f"{PATH}/power").json["aliases"]["champion"] == 2


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    "headers",
    [
        {},  # a browser of old, or a form
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "OURS"},
        {"Authorization": "Basic x"},
        {"Authorization": "Bearer "},
    ],
)
def test_a_cookie_that_another_sites_page_has_sent_does_not_suffice(
    server: Server, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("OURS", server.url) for name, value in headers.items()}
    cookie = {"Cookie": f"_token={server.token('admin')}"}
    assert move(server, None, **cookie, **sent).status == 403
    assert server.ask(f"{PATH}/power").json["aliases"]["champion"] == 2


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "OURS"}])
def test_a_cookie_suffices_from_airflows_own_pages(server: Server, headers: dict[str, str]) -> None:
    sent = {name: value.replace("OURS", server.url) for name, value in headers.items()}
    cookie = {"Cookie": f"_token={server.token('admin')}"}
    assert move(server, None, **cookie, **sent).status == 200


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "x/application/json"]
)
def test_what_a_form_can_send_is_no_request_to_move(server: Server, kind: str) -> None:
    cookie = {"Cookie": f"_token={server.token('admin')}", "Sec-Fetch-Site": "same-origin"}
    assert move(server, None, **cookie, **{"Content-Type": kind}).status == 415
    assert server.ask(f"{PATH}/power").json["aliases"]["champion"] == 2
