"""The clients that are compared: ours, and what others would use.

A class here, with a name of its own, is all that a client takes: `CLIENTS` has it then, and with it
the DAG's parameter and the benchmark.
"""

import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from podline.exceptions import PodlineError
from podline.store.boto3_client import boto3_client
from podline.store.connection import StoreConnection
from podline_studies.uploads.acknowledgement import Acknowledgement

CLIENTS: dict[str, type["Client"]] = {}  # by their names


class ClientMissing(PodlineError):
    """A client is not installed."""


@dataclass(frozen=True)
class Timed:
    """The parts of an upload, in seconds; None: the client does not say.

    Attributes:
        transfer: until the last byte was acknowledged; of parts, until all were answered.
        commit: from then until the store had answered.
        exact: whether it says.
    """

    transfer: float | None = None
    commit: float | None = None
    exact: bool = False

    @classmethod
    def of(cls, began: float, sent: float | None, ended: float) -> Self:
        """The parts of an upload by three moments; `sent` None: it is not known."""
        return cls() if sent is None else cls(sent - began, ended - sent, True)


class Client(ABC):
    """Uploads files to new keys of one store; a new one has no connection yet.

    Args:
        store: where to, with keys.

    Raises:
        ClientMissing: its program is not installed.

    Attributes:
        name: as it is asked for.
        cold_only: nothing stays from one upload to the next; otherwise those after the first are
            warm.
        program: that must be installed.
    """

    name: ClassVar[str]
    cold_only: ClassVar[bool] = False
    program: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        CLIENTS[cls.name] = cls

    def __init__(self, store: StoreConnection) -> None:
        if not self.is_installed():
            raise ClientMissing(f"{self.program} is not installed: apt-get install {self.program}")
        self.bucket = store.bucket
        self.open(store)

    @classmethod
    def is_installed(cls) -> bool:
        """Whether it can be used here."""
        return not cls.program or shutil.which(cls.program) is not None

    @abstractmethod
    def open(self, store: StoreConnection) -> None:
        """Get ready for uploads to a store, by the keys of its connection."""

    @abstractmethod
    def upload(self, path: Path, key: str) -> Timed:
        """Upload a file; it is stored when this returns.

        Raises:
            Exception: the client's own, where it does not succeed.
        """

    def close(self) -> None:
        """Close its connections; those of some clients go with them."""
        return


class Podline(Client):
    """`podline.store.upload.uploader.Uploader`, which sends in the way that suits the network."""

    name = "podline"

    def open(self, store: StoreConnection) -> None:
        from podline.store.upload.uploader import Uploader

        self._uploader = Uploader(store, exact=True)

    def upload(self, path: Path, key: str) -> Timed:
        done = self._uploader.put(key, path)
        # Of parts, the last request ends the upload.
        sent = done.times.started if done.plan.parts > 1 else done.times.acknowledged
        return Timed.of(done.began, sent, done.ended)

    def close(self) -> None:
        self._uploader.close()


class Boto3(Client):
    """boto3 as the amazon provider's `S3Hook.load_file` uses it: in parts from 8 MiB on."""

    name = "boto3"
    settings: ClassVar[dict[str, bool]] = {}

    def open(self, store: StoreConnection) -> None:
        self._client = boto3_client(store, self.settings)
        self._endpoint = store.endpoint_url or ""
        self._completing: float | None = None  # when putting parts together began
        self._acknowledgement: Acknowledgement | None = None
        events = self._client.meta.events
        events.register("before-send.s3.PutObject", self._before_body)
        events.register("before-send.s3.CompleteMultipartUpload", self._before_completing)

    def upload(self, path: Path, key: str) -> Timed:
        self._completing = None
        self._acknowledgement = Acknowledgement(self._endpoint, path.stat().st_size)
        began = time.perf_counter()
        self._send(path, key)
        ended = time.perf_counter()
        sent = self._completing or self._acknowledgement.when(ended)
        return Timed.of(began, sent, ended)

    def close(self) -> None:
        self._client.close()

    def _send(self, path: Path, key: str) -> None:
        self._client.upload_file(str(path), self.bucket, key)

    def _before_completing(self, **_: Any) -> None:
        """Each part was answered by now."""
        self._completing = time.perf_counter()

    def _before_body(self, request: Any, **_: Any) -> None:
        """Wait for the last acknowledgement once the last byte is handed to the kernel."""
        acknowledgement, body = self._acknowledgement, request.body
        if not hasattr(body, "read") or acknowledgement is None:
            return
        read = body.read

        def noted(*arguments: Any) -> Any:
            data = read(*arguments)
            if not data:
                acknowledgement.wait()
            return data

        body.read = noted


class Boto3Tuned(Boto3):
    """boto3 with what is known to help: one request, its body not signed, no Expect."""

    name = "boto3-tuned"
    settings: ClassVar[dict[str, bool]] = {"payload_signing_enabled": False}

    def open(self, store: StoreConnection) -> None:
        from botocore.handlers import add_expect_header

        super().open(store)
        self._client.meta.events.unregister("before-call.s3", add_expect_header)

    def _send(self, path: Path, key: str) -> None:
        with path.open("rb") as file:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=file)


class Obstore(Client):
    """obstore: one request, its body not signed."""

    name = "obstore"

    def open(self, store: StoreConnection) -> None:
        from obstore.store import S3Store

        self._endpoint = store.endpoint_url or ""
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
        import obstore

        acknowledgement = Acknowledgement(self._endpoint, path.stat().st_size)
        acknowledgement.wait()
        began = time.perf_counter()
        obstore.put(self._store, key, path, use_multipart=False)
        ended = time.perf_counter()
        return Timed.of(began, acknowledgement.when(ended), ended)


class Rclone(Client):
    """rclone: a program, whose start is a part of each upload; its connections are its own."""

    name = program = "rclone"
    cold_only = True

    def open(self, store: StoreConnection) -> None:
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
        command = ["rclone", "copyto", "--ignore-times", str(path), f"store:{self.bucket}/{key}"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        if done.returncode:
            raise PodlineError(f"rclone: {done.stderr.strip()[-500:]}")
        return Timed()
