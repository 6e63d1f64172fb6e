"""Objects in an S3 store: written once, read without copies.

The client is obstore. Measured against boto3 1.44 on the embedded server (two cores, medians of
11, MiB/s): put of 1 MiB 135 to 108, of 64 MiB 201 to 176; get of 1 MiB 632 to 430, of 64 MiB 803
to 1126; a new process has it imported after 23 ms, and boto3 with a client after 472 (n = 9).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore import exceptions
from obstore.store import S3Store

from podline.files import replacing
from podline.store import content
from podline.store.connection import StoreConnection
from podline.store.content import Content
from podline.store.errors import (
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    Conflict,
    ObjectMissing,
    StoreError,
)
from podline.store.explanation import explanation
from podline.store.patience import Patience

if TYPE_CHECKING:  # obstore has these names for type checkers only
    from obstore import GetOptions, ObjectMeta, PutMode
    from obstore.store import ClientConfig, RetryConfig

    from podline.store.upload import Progress
    from podline.store.upload.uploader import Uploader

_T = TypeVar("_T")
_MIB = 1024 * 1024
_LARGE = 1 * _MIB
_LARGEST = 5 * 1024 * _MIB  # of one PUT in S3
_CONNECT = timedelta(seconds=5)
_SILENCE = timedelta(seconds=15)
_RETRY: RetryConfig = {  # of who has no patience
    "max_retries": 50,  # the time decides
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}

_SOON = timedelta(seconds=2)  # of who has

_patience: Patience | None = None  # of all who open a store in this process
_owner: int | None = None  # the process whose threads do obstore's work


@dataclass(frozen=True)
class ObjectInfo:
    """What the store says about an object; size in bytes, `modified` with its time zone."""

    key: str
    size: int
    etag: str
    modified: datetime


class Store:
    """The objects of one bucket. Safe to use from several threads, not across a fork.

    A store that is down is an error after about 10 s, after a minute where a large write had begun,
    or when the patience is over. Every method can raise StoreUnavailable, BucketMissing,
    AccessDenied, and StoreError for anything else that the store says.

    Args:
        connection: where it is, and who we are there.
        patience: how long it is waited for.
    """

    def __init__(self, connection: StoreConnection, patience: Patience | None = None) -> None:
        self.connection, self.patience = connection, patience

    def __repr__(self) -> str:
        return f"Store({self.connection})"

    @cached_property
    def hasty(self) -> Store:
        """The same store, without patience."""
        return Store(self.connection) if self.patience else self

    # --- writing -----------------------------------------------------------------------------

    def put(self, key: str, data: Content, progress: Progress | None = None) -> None:
        """Write `data` (bytes, or the content of a file) under a new key.

        Of several writers of a key one wins (If-None-Match), and nobody sees half an object. A file
        is mapped, not read into memory, so it must not shrink meanwhile.

        Args:
            key: its key.
            data: its bytes, or a file that has them.
            progress: gets the bytes that were sent since it was called before; fewer than none
                where they are sent again.

        Raises:
            AlreadyExists: the key is taken.
            StoreError: `data` is larger than the 5 GiB that S3 takes in one request, and the
                connection has no keys of its own.
        """
        view = content.view(data)
        if view.nbytes >= _LARGE and self.connection.access_key:
            _refuse_fork()
            self._uploader.put(key, view, progress)
            return
        if view.nbytes > _LARGEST:
            raise StoreError(
                f"Object {key!r} of {view.nbytes} bytes is larger than the {_LARGEST} that "
                "S3 takes in one request: write it in parts."
            )
        client = self._patient_client if view.nbytes > _LARGE else self._client

        def send() -> None:
            try:
                # One request, not parts: S3 checks If-None-Match in it, and it is as fast.
                obstore.put(client, key, view, mode="create", use_multipart=False)
            except FileNotFoundError:  # of a write, only the bucket can be missing
                raise BucketMissing.of(self.connection.bucket, str(self.connection)) from None

        self._ask(send, key)
        if progress:
            progress(view.nbytes)

    def put_if_absent(self, key: str, data: Content, progress: Progress | None = None) -> bool:
        """Write `data` unless the key is taken; returns whether it was written.

        Args:
            key: its key.
            data: its bytes, or a file that has them.
            progress: as `put` takes it.
        """
        try:
            self.put(key, data, progress)
        except AlreadyExists:
            return False
        return True

    def put_same(self, key: str, data: Content, progress: Progress | None = None) -> str:
        """Write `data` unless the key has these very bytes already; returns their sha256 (hex).

        For keys that nobody else writes: a request that was sent again, since its answer was lost,
        finds the object that the first one made.

        Args:
            key: its key.
            data: its bytes, or a file that has them.
            progress: as `put` takes it.

        Raises:
            AlreadyExists: the key is taken, by something else.
        """
        view = content.view(data)
        with content.digested(view) as digest:
            written = self.put_if_absent(key, view, progress)
        if not written and self.digest(key) != digest():
            raise AlreadyExists(key)
        return digest()

    def swap(self, key: str, data: bytes, etag: str | None) -> str:
        """Replace one version of an object; returns the new ETag.

        Args:
            key: its key.
            data: what takes its place.
            etag: of the version that is replaced; None: there is no object yet.

        Raises:
            Conflict: the object is another version by now, or is gone.
        """

        def send() -> str:
            try:
                mode: PutMode = "create" if etag is None else {"e_tag": etag}
                result = obstore.put(self._client, key, data, mode=mode, use_multipart=False)
                return result["e_tag"] or ""
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
                raise Conflict(key) from None
            except FileNotFoundError as error:  # S3 answers 404 where others answer 412
                if etag is None or "NoSuchBucket" in str(error):
                    raise
                raise Conflict(key) from None

        return self._ask(send, key)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; a missing one is no error."""
        listed = list(keys)
        self._ask(lambda: obstore.delete(self._client, listed))

    def ensure_bucket(self) -> None:
        """Make the bucket unless it exists."""
        region = self.connection.region
        body = b""
        if self.connection.endpoint_url is None and region != "us-east-1":
            body = (
                "<CreateBucketConfiguration><LocationConstraint>"
                f"{region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()

        def send() -> None:
            try:
                # A PUT of the empty key is S3's CreateBucket, which obstore has no call for.
                obstore.put(self._client, "", body, use_multipart=False)
            except exceptions.AlreadyExistsError:
                pass
            except exceptions.GenericError as error:
                # A new bucket has no ETag, and obstore misses it: that is the success.
                if "ETag Header missing" not in str(error):
                    raise

        self._ask(send)

    # --- reading -----------------------------------------------------------------------------

    def get(self, key: str) -> memoryview:
        """The object's bytes, as they arrived (read-only, not copied).

        Raises:
            ObjectMissing: there is no such object.
        """
        return self._read(lambda: memoryview(obstore.get(self._client, key).bytes()), key)

    def get_version(self, key: str) -> tuple[memoryview, str]:
        """The object's bytes and ETag.

        Raises:
            ObjectMissing: there is no such object.
        """

        def read() -> tuple[memoryview, str]:
            result = obstore.get(self._client, key)
            return memoryview(result.bytes()), result.meta["e_tag"] or ""

        return self._read(read, key)

    def get_changed(self, key: str, etag: str) -> tuple[memoryview, str] | None:
        """The object's bytes and ETag; None: it still is the version of that ETag.

        Args:
            key: the object's.
            etag: of the version that is known; "": of none.

        Raises:
            ObjectMissing: there is no such object.
        """

        def read() -> tuple[memoryview, str] | None:
            try:
                result = obstore.get(self._client, key, options={"if_none_match": etag})
                return memoryview(result.bytes()), result.meta["e_tag"] or ""
            except exceptions.NotModifiedError:
                return None

        return self._read(read, key) if etag else self.get_version(key)

    def download(self, key: str, path: Path) -> str:
        """Write the object to the file `path`, whole or not at all; returns its sha256 (hex).

        Raises:
            ObjectMissing: there is no such object.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            return self.digest(key, file.write)

    def digest(self, key: str, take: Callable[[bytes], object] = len) -> str:
        """The sha256 (hex) of the object's bytes, of which a few megabytes are held at a time.

        Args:
            key: the object's.
            take: gets each piece of it.

        Raises:
            ObjectMissing: there is no such object.
        """
        digest = hashlib.sha256()

        def both(chunk: bytes) -> None:
            digest.update(chunk)
            take(chunk)

        self.stream(key, both)
        return digest.hexdigest()

    def stream(self, key: str, take: Callable[[bytes], object], begin: int = 0) -> None:
        """Read the object from a byte on, a few megabytes at a time.

        Args:
            key: the object's.
            take: gets each piece of it.
            begin: the first byte; where the object has no more than that, nothing is read.

        Raises:
            ObjectMissing: there is no such object.
        """

        def read() -> None:
            nonlocal begin
            # Where it broke off: an object is written once.
            options: GetOptions = {"range": {"offset": begin}} if begin else {}
            found = obstore.get(self._client, key, options=options)
            for chunk in found.stream(min_chunk_size=4 * _MIB):
                begin += len(chunk)
                take(chunk)

        self._read(read, key)

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield the object's bytes, a few megabytes at a time.

        Raises:
            ObjectMissing: there is no such object.
        """
        found = self._read(lambda: obstore.get(self._client, key), key)
        with self._explained(key):
            for chunk in found.stream(min_chunk_size=4 * _MIB):
                yield bytes(chunk)

    def head(self, key: str) -> ObjectInfo:
        """Size, ETag and time of the object.

        Raises:
            ObjectMissing: there is no such object.
        """
        return self._read(lambda: _info(obstore.head(self._client, key)), key)

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.head(key)
        except ObjectMissing:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects below the folder `prefix` (whole segments: ``a`` does not list ``ab/c``)."""
        last: str | None = None
        chunks: Iterator[Sequence[ObjectMeta]] | None = None

        def read() -> Sequence[ObjectMeta]:
            nonlocal chunks
            if chunks is None:
                chunks = iter(
                    obstore.list(self._client, prefix or None, offset=last, chunk_size=1000)
                )
            try:
                return next(chunks, ())
            except exceptions.BaseError:
                chunks = None  # from the last one that came
                raise

        while chunk := self._ask(read):
            yield from map(_info, chunk)
            last = chunk[-1]["path"]

    def list_folders(self, prefix: str = "") -> Sequence[str]:
        """The folders right below the folder `prefix`, as prefixes without a slash at the end."""
        result = self._ask(lambda: obstore.list_with_delimiter(self._client, prefix or None))
        return sorted(result["common_prefixes"])

    # --- the clients -------------------------------------------------------------------------

    @cached_property
    def _uploader(self) -> Uploader:
        """For large writes, where a connection's keys can sign them."""
        from podline.store.upload.uploader import Uploader

        return Uploader(self.connection, patience=self.patience)

    @cached_property
    def _client(self) -> S3Store:
        return self._make_client({"read_timeout": _SILENCE, "timeout": timedelta(hours=6)})

    @cached_property
    def _patient_client(self) -> S3Store:
        """For large writes without keys: reqwest's read timeout runs on while a body is sent."""
        return self._make_client({"timeout": timedelta(hours=1)})

    def _make_client(self, options: ClientConfig) -> S3Store:
        connection = self.connection
        # A provider, since obstore mixes keys given as such with AWS_SESSION_TOKEN.
        provider = connection.provider() if connection.access_key else None
        if (connection.endpoint_url or "").startswith("http://"):
            # Without TLS there is none to check, and reading the system's takes 4 to 7 ms.
            options = {**options, "allow_invalid_certificates": True}
        return S3Store(
            connection.bucket,
            endpoint=connection.endpoint_url,
            region=connection.region,
            unsigned_payload=True,  # hashing the body for the signature costs a third of the time
            client_options={"allow_http": True, "connect_timeout": _CONNECT, **options},
            retry_config=_RETRY | {"retry_timeout": _SOON} if self.patience else _RETRY,
            credential_provider=provider,
        )

    def _read(self, request: Callable[[], _T], key: str) -> _T:
        """Send a request for an object.

        Amazon S3 says of one that is not there that it is forbidden, to who may not list the whole
        bucket: a team looks into the object's folder then.
        """
        try:
            return self._ask(request, key)
        except AccessDenied:
            if self.connection.team and self._is_missing(key):
                raise ObjectMissing(key) from None
            raise

    def _is_missing(self, key: str) -> bool:
        """Whether we may list the folder of an object, and it is not there."""
        try:
            return all(item.key != key for item in self.list(key.rpartition("/")[0]))
        except AccessDenied:
            return False

    def _ask(self, request: Callable[[], _T], key: str = "") -> _T:
        """Send a request, as often as our patience has it; its errors are ours."""

        def send() -> _T:
            with self._explained(key):
                return request()

        return self.patience.keep(send) if self.patience else send()

    @contextmanager
    def _explained(self, key: str = "") -> Iterator[None]:
        """Turn obstore's errors into ours."""
        _refuse_fork()
        try:
            yield
        except (FileNotFoundError, exceptions.BaseError) as error:
            raise explanation(self.connection, key, error) from None


def open_store(
    connection: StoreConnection | None = None, patience: Patience | None = None
) -> Store:
    """The store of `connection`, by default that of the setting ``store_conn_id``.

    Nothing is sent yet.

    Args:
        connection: where it is.
        patience: how long it is waited for; by default that of the process, if it has one.

    Raises:
        StoreConnectionError: there is no such connection.
    """
    return Store(connection or StoreConnection.read(), patience or _patience)


def wait_for_stores(patience: Patience) -> None:
    """Have whatever opens a store in this process, a notebook's cells too, wait for it."""
    global _patience
    _patience = patience


def _refuse_fork() -> None:
    """A forked child has none of obstore's threads: it would wait for ever."""
    global _owner
    if _owner is None:
        _owner = os.getpid()
    elif _owner != os.getpid():
        raise StoreError(
            f"This process was forked from {_owner} after that one had used the store: use the "
            "store in the child only, or start the child with spawn."
        )


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])
