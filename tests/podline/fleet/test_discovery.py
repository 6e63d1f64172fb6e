"""Nodes are found in the store, in a cluster, or by their URLs."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from podline.fleet.discovery import DiscoveryError, at, labelled, registered
from podline.fleet.member import Target
from podline.store import Store, keys
from tests.podline.fleet.test_records import NODE


def test_nodes_that_serve_the_model(store: Store) -> None:
    other = replace(NODE, name="roof", models=(replace(NODE.models[0], name="voltage"),))
    for node in (NODE, other):
        store.put(keys.node_key(node.name), node.to_json().encode())
    assert registered(store, "power") == [Target("cellar", "http://10.0.0.7:8500")]
    assert registered(store, "current") == []


def test_urls_are_names_too_and_each_counts_once() -> None:
    assert at(["http://10.0.0.7:8500/", "https://edges.lan/roof", "http://10.0.0.7:8500"]) == [
        Target("10.0.0.7:8500", "http://10.0.0.7:8500"),
        Target("edges.lan/roof", "https://edges.lan/roof"),
    ]
    with pytest.raises(DiscoveryError, match="'10.0.0.7:8500' is no URL of a node"):
        at(["10.0.0.7:8500"])


# --- in a cluster: what its API server answers


def pod(name: str, address: str | None, ports: Any = (), **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "edge", "ports": [*ports]}]},
        "status": {"podIP": address} if address else {},
    }


PODS = [
    pod("edge-b", "10.1.0.2", [{"name": "metrics", "containerPort": 9}, {"name": "http", "containerPort": 80}]),
    pod("edge-a", "10.1.0.1"),
    pod("edge-c", "fd00::1"),
    pod("edge-pending", None),
    pod("edge-ending", "10.1.0.9", deletionTimestamp="2026-01-01T00:00:00Z"),
]  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths that a cluster was asked for, which KUBECONFIG names."""
    paths: list[str] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            denied = "/namespaces/secret/" in self.path
            body = json.dumps({"items": PODS}).encode()
            self.send_response(403 if denied else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "one", "user": {}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    yield paths
    server.shutdown()
    server.server_close()
    thread.join()


def test_pods_with_a_label(asked: list[str]) -> None:
    """Those that have an address and stay, at the port that is named http."""
    assert labelled() == [
        Target("edge-a", "http://10.1.0.1:8500"),
        Target("edge-b", "http://10.1.0.2:80"),
        Target("edge-c", "http://[fd00::1]:8500"),
    ]
    labelled("app=edge", "field")
    assert asked == [
        "/api/v1/pods?labelSelector=podline.dev%2Fedge",
        "/api/v1/namespaces/field/pods?labelSelector=app%3Dedge",
    ]


def test_pods_that_may_not_be_listed(asked: list[str]) -> None:
    with pytest.raises(DiscoveryError, match="does not list the pods with 'app=edge': 403"):
        labelled("app=edge", "secret")


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    location = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(location, str(tmp_path / "none"))
    with pytest.raises(DiscoveryError, match="there is no cluster to find nodes in: "):
        labelled()
