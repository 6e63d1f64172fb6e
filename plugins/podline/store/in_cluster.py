"""The store that runs in a Kubernetes cluster, by helm-values/object-store.yaml.

Two Secrets, made once: ``object-store`` is the server's own; ``object-store-connection`` gives
pods of the same namespace the connection, by the service's name.
"""

import base64
import secrets
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from podline import settings
from podline.store.connection import StoreConnection
from podline.store.errors import StoreConnectionError, StoreError

SERVER_SECRET = "object-store"
CONNECTION_SECRET = "object-store-connection"
_SERVICE = "object-store"
_PORT = 8333
_MANIFEST = Path(__file__).parents[3] / "helm-values" / "object-store.yaml"


def new_secrets(namespace: str) -> dict[str, Any]:
    """Make the two Secrets, with new keys, as one manifest."""
    connection = StoreConnection(
        conn_id=settings.store_conn_id(),
        bucket=settings.store_bucket(),
        endpoint_url=f"http://{_SERVICE}:{_PORT}",
        access_key=secrets.token_hex(10),
        secret_key=secrets.token_urlsafe(30),
    )
    server = {
        "AWS_ACCESS_KEY_ID": connection.access_key,
        "AWS_SECRET_ACCESS_KEY": connection.secret_key,
        "BUCKET": connection.bucket,
        # Without it the server's port for its own kind would take new users from anybody.
        "WEED_JWT_FILER_SIGNING_KEY": secrets.token_urlsafe(30),
    }
    contents = {SERVER_SECRET: server, CONNECTION_SECRET: connection.to_env()}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": content,
            }
            for name, content in contents.items()
        ],
    }


def server_arguments(**instead: str) -> list[str]:
    """The server's arguments, as the cluster's store has them: for one like it elsewhere.

    Args:
        instead: options to have other values, by their names with ``_`` for each dot.
    """
    import yaml

    options = {f"-{name.replace('_', '.')}": value for name, value in instead.items()}
    for document in yaml.safe_load_all(_MANIFEST.read_text()):
        if document["kind"] == "StatefulSet":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            given = [argument.partition("=") for argument in container["args"]]
            values = [options.get(name, value) for name, _, value in given]
            return [f"{n}={v}" if v else n for (n, _, _), v in zip(given, values, strict=True)]
    raise StoreError(f"{_MANIFEST} has no StatefulSet")


def connection(namespace: str, endpoint: str = "") -> StoreConnection:
    """The connection to the store of the cluster that KUBECONFIG names, for this machine.

    Args:
        namespace: where the store runs.
        endpoint: its address as seen from here; by default its service's cluster address.

    Raises:
        StoreConnectionError: there is no such store, or it cannot be reached from here.
    """
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException

    try:
        try:
            config.load_kube_config()
        except config.ConfigException:
            config.load_incluster_config()
        core = client.CoreV1Api()
        secret = core.read_namespaced_secret(CONNECTION_SECRET, namespace)
        address = core.read_namespaced_service(_SERVICE, namespace).spec.cluster_ip
    except ApiException as error:
        raise StoreConnectionError(
            f"There is no store in the cluster's namespace {namespace!r} ({error.reason}): "
            "run `make cluster-store`."
        ) from None
    except (config.ConfigException, OSError) as error:
        raise StoreConnectionError(
            f"The cluster cannot be reached ({error}): set KUBECONFIG to the file that names it."
        ) from None
    endpoint = endpoint or f"http://{address}:{_PORT}"
    _check(endpoint, namespace)
    data = {name: base64.b64decode(value).decode() for name, value in secret.data.items()}
    found = StoreConnection.from_env(settings.store_conn_id(), data)
    return replace(found, endpoint_url=endpoint)


def _check(endpoint: str, namespace: str, patience: float = 5) -> None:
    """Refuse an address that nobody answers at: not every machine reaches services.

    A service answers a moment after its pod is ready, hence the patience, in seconds.
    """
    where = urlsplit(endpoint)
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection((where.hostname, where.port), timeout=2).close()
            return
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise StoreConnectionError(
                f"The cluster's store does not answer at {endpoint} ({error}). If this machine "
                "does not reach the cluster's services, run `kubectl port-forward --namespace "
                f"{namespace} service/{_SERVICE} {_PORT}`, and add --endpoint "
                f"http://127.0.0.1:{_PORT}."
            ) from None
