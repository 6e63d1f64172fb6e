"""The object store as the cluster has it, in the network namespace behind a delay link."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podline.store import Store, StoreConnection, StoreError
from podline.store.in_cluster import server_arguments
from podline.store.weed_security import jwt_variables
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.subprocesses import ended

PORT = 8333
_READY = 120.0  # seconds


@contextmanager
def serving(folder: Path, address: str = topology.SINK) -> Iterator[StoreConnection]:
    """A store at an address of the namespace; it is stopped at the end.

    Args:
        folder: of its data and its log.
        address: one that the namespace has.
    """
    (folder / "data").mkdir(parents=True)
    connection = new_store("far", address)
    weed = str(Path(sys.executable).with_name("weed"))
    arguments = [*server_arguments(str(folder / "data")), *_ports()]
    command, environment = topology.inside(weed, *arguments), os.environ | keys_of(connection)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    with ended(server):
        if not has_served(server, connection, _READY):
            said = (folder / "log").read_text()[-3000:]
            raise RuntimeError(f"the store does not answer:\n{said}")
        yield connection


def _ports() -> list[str]:
    """Ports of its parts: sockets in /tmp are named after them, and namespaces share that folder."""
    first = 20_000 + secrets.randbelow(1000)
    parts = ("volume", "master", "filer")
    return [f"-{part}.port={first + 1000 * place}" for place, part in enumerate(parts)]


def new_store(conn_id: str, address: str, bucket: str = "uploads") -> StoreConnection:
    """The connection of a store that is to be started, with keys of its own."""
    keys = secrets.token_hex(10), secrets.token_urlsafe(30)
    return StoreConnection(conn_id, bucket, f"http://{address}:{PORT}", *keys)


def keys_of(store: StoreConnection) -> dict[str, str]:
    """The keys of a store, as its server's environment has them, those of its other doors too."""
    return {
        **jwt_variables(),
        "AWS_ACCESS_KEY_ID": store.access_key or "",
        "AWS_SECRET_ACCESS_KEY": store.secret_key or "",
    }


def has_served(
    server: subprocess.Popen[bytes], connection: StoreConnection, seconds: float
) -> bool:
    """Wait until the bucket is there and takes an object; False: it does not, or has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        store = Store(connection)
        try:
            store.ensure_bucket()
            store.put(f"ready/{secrets.token_hex(8)}", b"ready")
            return True
        except StoreError:
            time.sleep(0.2)
    return False
