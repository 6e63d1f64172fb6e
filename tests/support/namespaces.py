"""A namespace of one's own in the cluster of KUBECONFIG, and a way from its pods to here."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from tests.support.airflow_server import free_port
from tests.support.relay import Relay
from tests.support.waiting import until

_ENFORCE = "pod-security.kubernetes.io/enforce"


def connect() -> Any | None:
    """The API of pods, Secrets and namespaces; None: KUBECONFIG names no cluster."""
    if not os.environ.get("KUBECONFIG"):
        return None
    from kubernetes import client, config

    config.load_kube_config()
    return client.CoreV1Api()


@contextmanager
def own_namespace(
    core: Any, prefix: str = "podline-test", security: str = "restricted"
) -> Iterator[str]:
    """A new namespace that enforces a level of Pod Security; deleted at the end."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    until(lambda: _made(core, name, security), 120)
    try:
        yield name
    finally:
        core.delete_namespace(name)


def _made(core: Any, name: str, security: str) -> bool:
    """Whether a namespace is there; no pod is admitted before its account is.

    Another test may have stopped the API server: a fixture of a module has no lock of the cluster.
    """
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        with suppress(ApiException):  # it is there already
            core.create_namespace({"metadata": {"name": name, "labels": {_ENFORCE: security}}})
        return bool(core.list_namespaced_service_account(name).items)
    except HTTPError:
        return False


def _address_here(core: Any) -> str:
    """This machine's address as pods see it."""
    (node, *_) = core.list_node(label_selector="type!=fake").items  # of kwok's
    return next(str(a.address) for a in node.status.addresses if a.type == "InternalIP")


class Gate:
    """Has stages of pods wait until a test lets them go on, however long that takes it.

    Attributes:
        wait: the code of a cell that waits.
    """

    def __init__(self, core: Any) -> None:
        # Who connects is never accepted, and let go when nobody listens any more.
        self._listening = socket.create_server((_address_here(core), free_port()))
        self._where = self._listening.getsockname()
        self.wait = (
            "import contextlib, socket\nwith contextlib.suppress(OSError):\n"
            f"    socket.create_connection({self._where}).recv(1)\n"
        )

    def open(self) -> None:
        """Let them go on, and whoever comes later."""
        self._listening.close()

    def shut(self) -> None:
        """Have those that come wait again."""
        self._listening.close()
        self._listening = socket.create_server(self._where)


class PodRelay(Relay):
    """Passes connections from pods on to a server that listens on this machine only.

    Attributes:
        url: the server's address as pods see it.
    """

    def __init__(self, core: Any, url: str) -> None:
        where = urlsplit(url)
        super().__init__(_address_here(core), (str(where.hostname), int(where.port or 80)))
        self.url = f"http://{self.address}"
