"""A connection is read in all forms that Airflow takes, and told without its secrets."""

import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from podline.store import Store, StoreConnection, StoreConnectionError, open_store

NAME = "AIRFLOW_CONN_PODLINE_STORE"
JSON = {
    "conn_type": "aws",
    "login": "key",
    "password": "se/cr@et",
    "extra": {"endpoint_url": "http://store:8333", "region_name": "eu-west-1"},
}
KEYS_IN_EXTRA = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "se/cr@et",
    "endpoint_url": "http://other",
    "region_name": "eu-west-1",
    "service_config": {"s3": {"endpoint_url": "http://store:8333"}},
}
EXPECTED = StoreConnection(
    "podline_store", "podline", "http://store:8333", "key", "se/cr@et", None, "eu-west-1"
)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(JSON),
        json.dumps(JSON | {"extra": json.dumps(JSON["extra"])}),
        json.dumps({"conn_type": "aws", "extra": KEYS_IN_EXTRA}),
        "aws://key:se%2Fcr%40et@/?endpoint_url=http%3A%2F%2Fstore%3A8333&region_name=eu-west-1",
        "aws://key:se%2Fcr%40et@/?__extra__=" + quote(json.dumps(JSON["extra"])),
    ],
    ids=["json", "extra as text", "keys in extra", "uri", "uri with __extra__"],
)
def test_forms_of_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, value)
    assert StoreConnection.from_env("podline_store") == EXPECTED


def test_bucket_and_token(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"aws_session_token": "t", "service_config": {"s3": {"bucket_name": "mine"}}}
    monkeypatch.setenv(NAME, json.dumps(JSON | {"extra": extra}))
    connection = StoreConnection.from_env("podline_store")
    assert (connection.bucket, connection.session_token) == ("mine", "t")
    assert connection.endpoint_url is None


@pytest.mark.parametrize(
    "connection",
    [
        EXPECTED,
        StoreConnection("podline_store", "other"),
        StoreConnection("my_store", "b", None, "k", "s", "token"),
    ],
)
def test_to_env_is_read_back(connection: StoreConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in connection.to_env().items():
        monkeypatch.setenv(name, value)
    assert StoreConnection.from_env(connection.conn_id) == connection


def test_airflow_reads_what_to_env_gives(store: Store) -> None:
    """The same connection through Airflow's own code, in a process of its own."""
    code = "import airflow.sdk\nfrom podline.store import open_store\nprint(open_store())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert repr(store) in done.stdout


def test_secrets_stay_out_of_text() -> None:
    connection = StoreConnection("c", "b", "http://e", "key", "hidden-1", "TOKEN")
    shown = f"{connection} {connection!r} {Store(connection)!r}"
    assert "hidden-1" not in shown
    assert "TOKEN" not in shown


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "AIRFLOW_CONN_PODLINE_STORE is not set"),
        ("{hidden-1", "neither a connection in JSON nor a URI"),
        ('{"conn_type": "aws", "extra": "[1]", "password": "hidden-1"}', "extra is not an object"),
        ("http://key:hidden-1@store", "type 'http'"),
        ('{"login": "key", "password": "hidden-1"}', "type None"),
    ],
)
def test_errors_name_the_fix_and_not_the_secret(
    value: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value:
        monkeypatch.setenv(NAME, value)
    else:
        monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(StoreConnectionError, match=message) as caught:
        StoreConnection.from_env("podline_store")
    assert "hidden-1" not in str(caught.value)


def test_open_store_uses_the_setting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_CONN_ID", "other")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ[NAME])
    other = open_store()
    assert other.connection.conn_id == "other"
    other.put("a", b"1")
    assert store.exists("a")


def test_a_teams_connection_says_so() -> None:
    made = StoreConnection("podline_store", "b", "http://s", "k", "s", team="vision")
    (value,) = made.to_env().values()
    assert json.loads(value)["extra"]["team"] == "vision"
    assert StoreConnection.from_env("podline_store", made.to_env()) == made
    assert str(made).endswith("of the team 'vision'")
