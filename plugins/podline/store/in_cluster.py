"""The store that runs in a Kubernetes cluster, by helm-values/object-store.yaml.

Two Secrets, made once: ``object-store`` is the server's own; ``object-store-connection`` gives
pods of the same namespace the connection, by the service's name. Pods of another namespace, such as
Airflow's own, get it by a third, ``airflow-store``; a team's, with a key of the team's own, by one
that is called ``object-store-connection`` there too.
"""

import base64
import secrets
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

from podline import settings
from podline.store import team_keys
from podline.store.connection import StoreConnection
from podline.store.errors import StoreConnectionError
from podline.store.weed_security import jwt_variables

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

SERVER_SECRET = "object-store"
CONNECTION_SECRET = "object-store-connection"
AIRFLOW_SECRET = "airflow-store"
_SERVICE = "object-store"
_PORT = 8333
# As helm-values/object-store.yaml has them and says why.
_OPTIONS = """
-ip=127.0.0.1 -ip.bind=127.0.0.1 -disableHttp
-filer -filer.maxMB=1
-s3 -s3.ip.bind=0.0.0.0 -s3.port=8333 -s3.port.iceberg=0 -s3.port.lance=0
-s3.autoCreateBucket=false -s3.iam.readOnly=false
-master.telemetry=false -master.electionTimeout=1s -master.volumeSizeLimitMB=1024
-volume.max=100 -volume.preStopSeconds=1
"""


class Secret(TypedDict):
    """A Secret, as the cluster's API takes it."""

    apiVersion: str
    kind: str
    metadata: dict[str, str]
    stringData: dict[str, str]


def new_secrets(namespace: str) -> list[Secret]:
    """Make the two Secrets, with new keys."""
    access_key, secret_key = secrets.token_hex(10), secrets.token_urlsafe(30)
    connection = StoreConnection(
        conn_id=settings.store_conn_id(),
        bucket=settings.store_bucket(),
        endpoint_url=f"http://{_SERVICE}:{_PORT}",
        access_key=access_key,
        secret_key=secret_key,
    )
    server = {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "BUCKET": connection.bucket,
        # Without them the server's port for its own kind would take new users from anybody.
        **jwt_variables(),
    }
    contents = {SERVER_SECRET: server, CONNECTION_SECRET: connection.to_env()}
    return [_secret(name, namespace, content) for name, content in contents.items()]


def copied_secret(namespace: str, other: str) -> Secret:
    """Make the Secret that gives pods of another namespace the connection.

    Args:
        namespace: where the store runs.
        other: where the Secret is to be.

    Raises:
        StoreConnectionError: there is no such store, or the cluster cannot be reached.
    """
    found, _ = _read(namespace)
    return _secret(AIRFLOW_SECRET, other, _seen_from_elsewhere(found, namespace).to_env())


def team_secret(namespace: str, team: str, other: str, endpoint: str = "") -> Secret:
    """Make a team's key to the store, and the Secret that gives it to the pods of the team.

    Args:
        namespace: where the store runs.
        team: the team's name.
        other: the namespace of the team's pods.
        endpoint: the store's address as seen from here; by default its service's cluster address.

    Raises:
        StoreError: there is no such store, it makes no keys, or it cannot be reached; or `other` is
            its own namespace, or another team's.
        ValueError: a team cannot be called so.
    """
    if other == namespace:  # before the team's older keys end
        raise StoreConnectionError(
            f"The team {team!r} would have its pods in {namespace!r}, the store's own namespace: "
            f"its Secret {CONNECTION_SECRET} would take the place of the whole key there. Give the "
            f"team a namespace of its own: --copy-to NAMESPACE, and Team({team!r}, "
            'namespace="NAMESPACE") in its DAG file.'
        )
    if (whose := _team_in(other)) not in ("", team):
        raise StoreConnectionError(
            f"The namespace {other!r} has the key of the team {whose!r}, and its pods would have "
            f"that of {team!r} then. Give each team a namespace of its own: --copy-to NAMESPACE, "
            f'and Team({team!r}, namespace="NAMESPACE") in its DAG file.'
        )
    made = team_keys.new_key(connection(namespace, endpoint), team)
    return _secret(CONNECTION_SECRET, other, _seen_from_elsewhere(made, namespace).to_env())


def _seen_from_elsewhere(found: StoreConnection, namespace: str) -> StoreConnection:
    """The connection for pods of another namespace than the store's."""
    return replace(found, endpoint_url=f"http://{_SERVICE}.{namespace}:{_PORT}")


def is_at(endpoint: str | None, namespace: str) -> bool:
    """Whether an address is that of the store in a namespace, as other namespaces see it."""
    host = urlsplit(endpoint or "").hostname or ""
    return host.split(".")[:2] == [_SERVICE, namespace]


def _secret(name: str, namespace: str, content: dict[str, str]) -> Secret:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": content,
    }


def server_arguments(data: str = "/data") -> list[str]:
    """The arguments of the cluster's server: for one like it elsewhere.

    Args:
        data: the folder of its data.
    """
    return ["server", f"-dir={data}", *_OPTIONS.split()]


def connection(namespace: str, endpoint: str = "") -> StoreConnection:
    """The connection to the store of the cluster that KUBECONFIG names, for this machine.

    Args:
        namespace: where the store runs.
        endpoint: its address as seen from here; by default its service's cluster address.

    Raises:
        StoreConnectionError: there is no such store, or it cannot be reached from here.
    """
    found, address = _read(namespace)
    endpoint = endpoint or f"http://{address}:{_PORT}"
    _check(endpoint, namespace)
    return replace(found, endpoint_url=endpoint)


def _read(namespace: str) -> tuple[StoreConnection, str]:
    """The connection in the cluster's Secret, and the address of the service; see `connection`."""
    from kubernetes.client.exceptions import ApiException

    core = _cluster()
    try:
        found = _connection_in(core, namespace)
        address = core.read_namespaced_service(_SERVICE, namespace).spec.cluster_ip
    except ApiException as error:
        raise StoreConnectionError(
            f"There is no store in the cluster's namespace {namespace!r} ({error.reason}): "
            "run `make cluster-store`."
        ) from None
    except OSError as error:
        raise _unreachable(error) from None
    return found, address


def _team_in(namespace: str) -> str:
    """Whose key a namespace has; empty: nobody's, or one that is no team's."""
    from kubernetes.client.exceptions import ApiException

    try:
        return _connection_in(_cluster(), namespace).team
    except (ApiException, StoreConnectionError):  # no Secret, or one that is no connection
        return ""
    except OSError as error:
        raise _unreachable(error) from None


def _connection_in(core: "CoreV1Api", namespace: str) -> StoreConnection:
    """The connection in a namespace's Secret."""
    secret = core.read_namespaced_secret(CONNECTION_SECRET, namespace)
    data = {name: base64.b64decode(value).decode() for name, value in secret.data.items()}
    return StoreConnection.from_env(settings.store_conn_id(), data)


def _cluster() -> "CoreV1Api":
    """The API of the cluster that KUBECONFIG names, or that this runs in."""
    from kubernetes import client, config

    try:
        try:
            config.load_kube_config()
        except config.ConfigException:
            config.load_incluster_config()
    except (config.ConfigException, OSError) as error:
        raise _unreachable(error) from None
    return client.CoreV1Api()


def _unreachable(error: Exception) -> StoreConnectionError:
    return StoreConnectionError(
        f"The cluster cannot be reached ({error}): set KUBECONFIG to the file that names it."
    )


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
