"""The clients that are compared: ours, and what others would use, each a fresh one when it is made.

Each uploads files to new keys of one store, by keys of a connection. What is new about a client is
its connection: its first upload is a cold one, those that follow are warm.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from podline.exceptions import PodlineError
from podline.store.boto3_client import boto3_client
from podline.store.connection import StoreConnection


@dataclass(frozen=True)
class Timed:
    """The parts of an upload, in seconds; None: the client does not say.

    Attributes:
        transfer: until the last byte was acknowledged; where not `exact`, until it was read to be
            sent.
        commit: from then until the store had answered.
    """

    transfer: float | None = None
    commit: float | None = None
    exact: bool = False


class Client(Protocol):
    """Something that uploads."""

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file; it is stored when this returns."""

    def close(self) -> None:
        """Close its connections."""


class Podline:
    """`podline.store.upload.uploader.Uploader`."""

    def __init__(self, store: StoreConnection) -> None:
        from podline.store.upload.uploader import Uploader

        self._uploader = Uploader(store, exact=True)

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file in the way that suits the network."""
        done = self._uploader.put(key, path)
        if done.plan.parts > 1:  # its last request ends the upload
            return Timed(done.times.started - done.began, done.ended - done.times.started, True)
        sent = done.times.acknowledged
        return Timed(sent - done.began, done.ended - sent, True)

    def close(self) -> None:
        """Close its connections."""
        self._uploader.close()


class Boto3:
    """boto3 as the amazon provider's `S3Hook.load_file` uses it: `upload_file` as it is."""

    def __init__(self, store: StoreConnection) -> None:
        self._client = boto3_client(store, {})
        self._bucket = store.bucket
        self._sent = _Sent(self._client)

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file: from 8 MiB on in parts, ten at once."""
        began = time.perf_counter()
        self._client.upload_file(str(path), self._bucket, key)
        return self._sent.timed(began)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


class Boto3Tuned:
    """boto3 with what is known to help: one request, its body not signed, no Expect."""

    def __init__(self, store: StoreConnection) -> None:
        from botocore.handlers import add_expect_header

        self._client = boto3_client(store, {"payload_signing_enabled": False})
        self._client.meta.events.unregister("before-call.s3", add_expect_header)
        self._bucket = store.bucket
        self._sent = _Sent(self._client)

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file in one request."""
        began = time.perf_counter()
        with path.open("rb") as file:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=file)
        return self._sent.timed(began)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


class Obstore:
    """obstore: one request, its body not signed."""

    def __init__(self, store: StoreConnection) -> None:
        from obstore.store import S3Store

        self._store = S3Store(
            store.bucket,
            endpoint=store.endpoint_url,
            region=store.region,
            access_key_id=store.access_key,
            secret_access_key=store.secret_key,
            unsigned_payload=True,
            client_options={"allow_http": True, "timeout": timedelta(hours=1)},
        )

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file in one request."""
        import obstore

        obstore.put(self._store, key, path, use_multipart=False)
        return Timed()

    def close(self) -> None:
        """Nothing: its connections go with it."""


class Rclone:
    """rclone: a program, whose start is a part of each upload."""

    def __init__(self, store: StoreConnection) -> None:
        if shutil.which("rclone") is None:
            raise ClientMissing("rclone is not installed: apt-get install rclone")
        self._bucket = store.bucket
        # What the environment says to AWS' own clients is not for this store.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment = ours | {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_STORE_TYPE": "s3",
            "RCLONE_CONFIG_STORE_PROVIDER": "SeaweedFS",
            "RCLONE_CONFIG_STORE_ENDPOINT": store.endpoint_url or "",
            "RCLONE_CONFIG_STORE_REGION": store.region,
            "RCLONE_CONFIG_STORE_ACCESS_KEY_ID": store.access_key or "",
            "RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY": store.secret_key or "",
            "RCLONE_S3_NO_CHECK_BUCKET": "true",
        }

    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file."""
        command = ["rclone", "copyto", "--ignore-times", str(path), f"store:{self._bucket}/{key}"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        if done.returncode:
            raise PodlineError(f"rclone: {done.stderr.strip()[-500:]}")
        return Timed()

    def close(self) -> None:
        """Nothing: each upload is a process of its own."""


class _Sent:
    """When boto3 had read the last byte of a body, or began to complete parts."""

    def __init__(self, client: Any) -> None:
        self.at = 0.0
        client.meta.events.register("before-send.s3", self._before)

    def timed(self, began: float) -> Timed:
        """The parts of an upload that began then and ends now."""
        return Timed(self.at - began, time.perf_counter() - self.at)

    def _before(self, request: Any, **_: Any) -> None:
        body = request.body
        if not hasattr(body, "read"):
            self.at = time.perf_counter()
            return
        read = body.read

        def noted(*arguments: Any) -> Any:
            data = read(*arguments)
            self.at = time.perf_counter()
            return data

        body.read = noted


class ClientMissing(PodlineError):
    """A client is not installed."""


CLIENTS: dict[str, Callable[[StoreConnection], Client]] = {
    "podline": Podline,
    "boto3": Boto3,
    "boto3-tuned": Boto3Tuned,
    "obstore": Obstore,
    "rclone": Rclone,
}
COLD_ONLY = frozenset({"rclone"})  # nothing of them stays from one upload to the next
