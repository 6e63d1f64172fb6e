"""The store as a service of the cluster: for pods, for this machine, and over a restart."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from podline.store import BucketMissing, Store, StoreConnection
from tests.support.image_pods import BASE
from tests.support.store_in_cluster import have_store, wait_ready
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("object-store")]

CONNECTION = {"envFrom": [{"secretRef": {"name": "object-store-connection"}}]}


@pytest.fixture(scope="module")
def connection(core: Any, namespace: str) -> StoreConnection:
    """The store's connection, once its pod says that it is ready."""
    return have_store(core, namespace)


def test_ready_means_that_a_write_succeeds(connection: StoreConnection) -> None:
    store = Store(connection)
    store.put("first", b"hello")
    assert bytes(store.get("first")) == b"hello"


def test_pods_and_this_machine_share_it(connection: StoreConnection, run: Any) -> None:
    store = Store(connection)
    store.put("from here", b"hello")
    code = (
        "from podline.store import open_store; store = open_store(); print(store.connection);"
        "store.put('from there', bytes(store.get('from here')) + b', too')"
    )
    said = run(BASE, "python", "-c", code, container=CONNECTION)
    assert said.startswith("http://object-store:8333, bucket 'podline'")
    assert bytes(store.get("from there")) == b"hello, too"


def test_data_outlives_the_pod(connection: StoreConnection, core: Any, namespace: str) -> None:
    data = bytes(range(256)) * 40_000
    Store(connection).put("kept", data)
    before = wait_ready(core, namespace)
    core.delete_namespaced_pod("object-store-0", namespace, grace_period_seconds=1)
    wait_ready(core, namespace, other_than=before)
    # For a moment after its restart the server finds no bucket.
    until(lambda: Store(connection).exists("kept"))
    assert bytes(Store(connection).get("kept")) == data


def test_buckets_are_not_made_by_writing(connection: StoreConnection) -> None:
    with pytest.raises(BucketMissing):
        Store(replace(connection, bucket="another")).put("x", b"")


def test_nobody_gets_in_without_keys(
    connection: StoreConnection, core: Any, namespace: str
) -> None:
    import grpc

    address = core.read_namespaced_pod("object-store-0", namespace).status.pod_ip
    for port in (8080, 8888, 9333, 18080, 18888, 19333):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=60)
    with grpc.insecure_channel(f"{address}:18333") as channel:
        put_identity = channel.unary_unary("/messaging_pb.SeaweedS3IamCache/PutIdentity")
        with pytest.raises(grpc.RpcError) as refused:
            put_identity(b"", timeout=60)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for method in ("GET", "PUT", "DELETE"):
        asked = urllib.request.Request(f"{connection.endpoint_url}/podline/kept", method=method)
        with pytest.raises(urllib.error.HTTPError) as forbidden:
            urllib.request.urlopen(asked, timeout=60)
        assert forbidden.value.code == 403
        forbidden.value.close()


def test_the_shells_connection(connection: StoreConnection, namespace: str) -> None:
    command = [sys.executable, "-m", "podline.cli", "store", "env", "--cluster"]
    done = subprocess.run(
        [*command, "--namespace", namespace], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("export AIRFLOW_CONN_PODLINE_STORE=")
    assert f'"endpoint_url": "{connection.endpoint_url}"' in done.stdout
    missing = subprocess.run([*command, "--namespace", "default"], capture_output=True, text=True)
    assert "run `make cluster-store`" in missing.stderr


def test_pods_of_another_namespace_get_it_too(
    connection: StoreConnection, namespace: str, core: Any
) -> None:
    command = [sys.executable, "-m", "podline.cli", "store", "secrets", "--copy-to", "airflow"]
    done = subprocess.run(
        [*command, "--namespace", namespace], capture_output=True, text=True, check=True
    )
    (secret,) = json.loads(done.stdout)["items"]
    assert secret["metadata"] == {"name": "airflow-store", "namespace": "airflow"}
    found = StoreConnection.from_env("podline_store", secret["stringData"])
    assert found == replace(connection, endpoint_url=f"http://object-store.{namespace}:8333")
    missing = subprocess.run([*command, "--namespace", "default"], capture_output=True, text=True)
    assert "run `make cluster-store`" in missing.stderr


def test_pods_of_a_team_have_its_own_key(
    connection: StoreConnection, namespace: str, core: Any, run: Any
) -> None:
    """By the command that the documentation names; here the team's pods share the namespace."""
    Store(connection).put("runs/forecasts.power/r/result.json", b"theirs")
    command = [sys.executable, "-m", "podline.cli", "store", "secrets", "--team", "vision"]
    done = subprocess.run(
        [*command, "--namespace", namespace], capture_output=True, text=True, check=True
    )
    (secret,) = json.loads(done.stdout)["items"]
    assert secret["metadata"] == {"name": "object-store-connection", "namespace": "vision"}
    secret["metadata"] = {"name": "vision", "namespace": namespace}
    core.create_namespaced_secret(namespace, secret)
    code = (
        "from podline.store import AccessDenied, open_store; store = open_store();"
        "store.put('runs/vision.power/r/result.json', b'ours')\n"
        "try: store.get('runs/forecasts.power/r/result.json')\n"
        "except AccessDenied: print('denied')"
    )
    said = run(
        BASE, "python", "-c", code, container={"envFrom": [{"secretRef": {"name": "vision"}}]}
    )
    assert said.strip() == "denied"
    assert bytes(Store(connection).get("runs/vision.power/r/result.json")) == b"ours"
