"""The object store as the cluster has it, in the network namespace behind a delay link."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from podline.store import Store, StoreConnection, StoreError
from podline.store.in_cluster import server_arguments
from podline.uploads.links import topology

PORT = 8333
_READY = 60.0  # seconds


@contextmanager
def serving(folder: Path, address: str = topology.SINK) -> Iterator[StoreConnection]:
    """A store at an address of the namespace; it is stopped at the end.

    Args:
        folder: of its data and its log.
        address: one that the namespace has.
    """
    (folder / "data").mkdir(parents=True)
    connection = StoreConnection(
        conn_id="far", bucket="uploads", endpoint_url=f"http://{address}:{PORT}",
        access_key=secrets.token_hex(10), secret_key=secrets.token_urlsafe(30),
    )  # fmt: skip
    keys = {
        "AWS_ACCESS_KEY_ID": connection.access_key or "",
        "AWS_SECRET_ACCESS_KEY": connection.secret_key or "",
    }
    weed = str(Path(sys.executable).with_name("weed"))
    arguments = server_arguments(dir=str(folder / "data"), s3_ip_bind="0.0.0.0")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            topology.inside(weed, *arguments), env=os.environ | keys, cwd=folder,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(server, connection, folder / "log")
        yield connection
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], connection: StoreConnection, log: Path) -> None:
    """Wait until the bucket is there and takes an object."""
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline and server.poll() is None:
        store = Store(replace(connection))
        try:
            store.ensure_bucket()
            store.put(f"ready/{secrets.token_hex(8)}", b"ready")
            return
        except StoreError:
            time.sleep(0.2)
    raise RuntimeError(f"the store does not answer:\n{log.read_text()[-3000:]}")
