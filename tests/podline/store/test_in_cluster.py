"""The keys and the connection of a store in a cluster; with a real one: tests/images."""

from pathlib import Path

import pytest
import yaml

from podline.store import StoreConnection, StoreConnectionError, in_cluster


def test_secrets_are_new_each_time_and_fit_together() -> None:
    first, second = (in_cluster.new_secrets("space") for _ in range(2))
    server, connection = first
    assert [item["metadata"]["name"] for item in first] == [
        "object-store",
        "object-store-connection",
    ]
    assert {item["metadata"]["namespace"] for item in first} == {"space"}
    assert len(connection["stringData"]) == 1  # a stage gets no more than it needs
    found = StoreConnection.from_env("podline_store", connection["stringData"])
    assert found.endpoint_url == "http://object-store:8333"
    assert found.access_key == server["stringData"]["AWS_ACCESS_KEY_ID"]
    assert found.secret_key == server["stringData"]["AWS_SECRET_ACCESS_KEY"]
    assert found.bucket == server["stringData"]["BUCKET"]
    keys = [name for name in server["stringData"] if name != "BUCKET"]
    assert len([name for name in keys if name.startswith("WEED_JWT_")]) == 4
    values = {item[0]["stringData"][key] for item in (first, second) for key in keys}
    assert len(values) == 2 * len(keys)


def test_a_teams_secret_takes_the_place_of_no_other() -> None:
    """It is refused before a cluster is asked, and before the team's older key ends."""
    with pytest.raises(StoreConnectionError, match="the store's own namespace") as refused:
        in_cluster.team_secret("space", "space", "space")
    assert "--copy-to NAMESPACE, and Team('space', namespace=" in str(refused.value)


@pytest.mark.parametrize(
    ("endpoint", "is_there"),
    [
        ("http://object-store.space:8333", True),
        ("http://object-store.space.svc.cluster.local:8333", True),
        ("http://object-store.spaces:8333", False),
        ("http://object-store:8333", False),
        ("https://s3.example.com", False),
        (None, False),
    ],
)
def test_where_a_store_is(endpoint: str | None, is_there: bool) -> None:
    assert in_cluster.is_at(endpoint, "space") is is_there


def test_the_manifest_has_the_servers_arguments() -> None:
    manifest = Path(__file__).parents[3] / "helm-values" / "object-store.yaml"
    documents = yaml.safe_load_all(manifest.read_text())
    (store,) = (item for item in documents if item["kind"] == "StatefulSet")
    (container,) = store["spec"]["template"]["spec"]["containers"]
    assert container["args"] == in_cluster.server_arguments()


@pytest.mark.parametrize(
    "text", ["", "apiVersion: v1\nkind: Config\nclusters: []\n"], ids=["missing", "empty"]
)
def test_no_cluster(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    if text:
        path.write_text(text)
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    with pytest.raises(StoreConnectionError, match="set KUBECONFIG"):
        in_cluster.connection("podline")


def test_an_address_where_nobody_answers() -> None:
    with pytest.raises(StoreConnectionError, match="kubectl port-forward --namespace space"):
        in_cluster._check("http://127.0.0.1:1", "space", patience=0.2)
