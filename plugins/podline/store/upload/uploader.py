"""The client that uploads: one request or parts, tried again, verified by the server.

Errors are those of `podline.store`.
"""

import base64
import hashlib
import re
import secrets
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from html import unescape
from queue import Empty, LifoQueue
from typing import Self

from podline.store import content
from podline.store.connection import StoreConnection
from podline.store.content import Content
from podline.store.errors import (
    DENIALS,
    DENYING,
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    ObjectMissing,
    StoreConnectionError,
    StoreError,
    StoreUnavailable,
)
from podline.store.patience import Patience
from podline.store.upload import Progress
from podline.store.upload.http_connection import Answer, Interrupted, Times, Wire
from podline.store.upload.part_planner import Network, Plan, is_lossy, plan

_PATIENCE = 10.0  # seconds that a store may be away before the first byte of an upload
_PATIENCE_LATER = 60.0  # and after it: what is there already would be lost
_BACKOFF = 0.1, 2.0  # seconds: the first wait, and the longest
_TELLING = 500  # segments that say how many are lost
_IDLE = 50.0  # seconds after which a kept connection is made anew: servers close theirs


@dataclass(frozen=True)
class Uploaded:
    """What an upload did.

    Attributes:
        etag: of the object.
        size: its bytes.
        plan: how it was sent.
        times: of the request with the last byte, or with all of them.
        began, ended: the whole call, on the clock of `time.perf_counter`.
        attempts: requests that had to be sent again, each with why.
    """

    etag: str
    size: int
    plan: Plan
    times: Times
    began: float
    ended: float
    attempts: list[str]


class Uploader:
    """Uploads to one store, with connections that are kept. Safe to use from several threads.

    Args:
        store: where to; with keys.
        exact: whether to note when bodies were acknowledged; see
            `podline.store.upload.http_connection.Wire`.
        patience: how long the store is waited for; by default for some seconds.
    """

    def __init__(
        self, store: StoreConnection, exact: bool = False, patience: Patience | None = None
    ) -> None:
        self.store, self.exact, self.patience = store, exact, patience
        self.network = Network()
        self._wires: LifoQueue[tuple[float, Wire]] = LifoQueue()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; whoever lets go of it need not."""
        with suppress(Empty):
            while True:
                self._wires.get_nowait()[1].close()

    def put(
        self,
        key: str,
        data: Content,
        progress: Progress | None = None,
        new: bool = True,
        how: Plan | None = None,
    ) -> Uploaded:
        """Upload an object, whole or not at all.

        Args:
            key: its key.
            data: its bytes, or a file that has them; a file is mapped, not read into memory.
            progress: gets the bytes that were sent since it was called before.
            new: whether the key must be free.
            how: in one request or in parts; by default what suits the network.

        Raises:
            AlreadyExists: the key is taken, and `new`.
            StoreUnavailable: the store does not answer.
            StoreError: it refuses.
        """
        began = time.perf_counter()
        body = content.view(data)
        chosen = how or plan(len(body), self.network)
        sending = _Sending(self, key, body, progress, new)
        etag, times = sending.in_parts(chosen) if chosen.parts > 1 else sending.whole()
        ended, attempts = time.perf_counter(), sending.tries.told
        done = Uploaded(etag, len(body), chosen, times, began, ended, attempts)
        self._learn(done)
        return done

    # --- connections

    @contextmanager
    def _wire(self) -> Iterator[Wire]:
        """A connection, kept for the next one who asks; the one used last comes first."""
        wire = self._kept() or Wire(self.store, self.exact, is_lossy(self.network))
        try:
            yield wire
        except BaseException:
            wire.close()
            raise
        self._note(wire)
        self._wires.put((time.monotonic(), wire))

    def _kept(self) -> Wire | None:
        with suppress(Empty):
            while True:
                since, wire = self._wires.get_nowait()
                if wire.is_open and time.monotonic() - since < _IDLE:
                    return wire
                wire.close()
        return None

    # --- what the network is like

    def _note(self, wire: Wire) -> None:
        info, before = wire.info(), wire.noted
        if info is None or not info.sent:
            return
        wire.noted = info
        loss = self.network.loss
        if before is not None and info.sent - before.sent > _TELLING:
            # Not of a connection's first request: its slow start overruns the queue.
            loss = (info.retransmitted - before.retransmitted) / (info.sent - before.sent)
        with self._lock:
            self.network = replace(
                self.network,
                rtt=min(filter(None, [self.network.rtt, info.rtt]), default=None),
                loss=loss,
                congestion=info.congestion,
                mss=info.mss,
            )

    def _learn(self, done: Uploaded) -> None:
        """The throughput of uploads that are large enough to tell."""
        seconds = done.ended - done.began - 2 * (self.network.rtt or 0)
        if done.size >= 1024 * 1024 and seconds > 0 and not done.attempts:
            with self._lock:
                self.network = replace(self.network, throughput=done.size / seconds)


class _Sending:
    """An object on its way.

    Args:
        uploader: whose connections it takes.
        key: of the object.
        body: its bytes.
        progress: gets the bytes that were sent since it was called before.
        new: whether the key must be free.
    """

    def __init__(
        self, uploader: Uploader, key: str, body: memoryview, progress: Progress | None, new: bool
    ) -> None:
        self.uploader, self.key, self.body = uploader, key, body
        self.progress = progress
        self.condition = {"If-None-Match": "*"} if new else {}
        self.tries = _Tries(uploader.store, uploader.patience)

    def whole(self) -> tuple[str, Times]:
        """Send it in one request; returns its ETag, and when what happened."""
        try:
            answer = self._ask("PUT", self.tries, headers=self.condition, body=self.body)
        except AlreadyExists:
            earlier = self._earlier(self.tries, {"x-amz-checksum-crc32": _crc32(self.body)})
            if earlier is None:
                raise
            answer = earlier
        return answer.headers.get("etag", ""), answer.times

    def in_parts(self, how: Plan) -> tuple[str, Times]:
        """Send it in parts; returns its ETag, and when what happened to the last request."""
        # Parts have checksums of their own; the object's is made of them.
        about = {"x-amz-checksum-algorithm": "CRC32"}
        upload = _tag(self._ask("POST", self.tries, {"uploads": ""}, about).body, "UploadId")
        try:
            answer = self._complete(upload, self._send_parts(upload, how))
        except BaseException:
            with suppress(StoreError):
                self._ask("DELETE", _Tries(self.uploader.store), {"uploadId": upload})
            raise
        etag = unescape(_tag(answer.body, "ETag")) or answer.headers.get("etag", "")
        return etag, answer.times

    def _send_parts(self, upload: str, how: Plan) -> list[tuple[str, str]]:
        """Send the parts; returns each one's ETag and checksum. A break costs a part, not more."""

        def send(number: int) -> tuple[str, str]:
            part = self.body[number * how.part : (number + 1) * how.part]
            query = {"partNumber": str(number + 1), "uploadId": upload}
            headers = self._ask("PUT", self.tries, query, body=part).headers
            return headers.get("etag", ""), headers.get("x-amz-checksum-crc32", "")

        with ThreadPoolExecutor(how.connections) as pool:
            return list(pool.map(send, range(how.parts)))

    def _complete(self, upload: str, parts: list[tuple[str, str]]) -> Answer:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_escaped(etag)}</ETag>"
            + (f"<ChecksumCRC32>{crc}</ChecksumCRC32>" if crc else "")
            + "</Part>"
            for number, (etag, crc) in enumerate(parts, start=1)
        )
        text = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"} | self.condition
        tries = _Tries(self.uploader.store, self.uploader.patience)
        tries.reached()
        try:
            answer = self._ask("POST", tries, {"uploadId": upload}, headers, text=text)
        except StoreError:
            earlier = self._earlier(tries, {"etag": _etag_of([etag for etag, _ in parts])})
            if earlier is None:
                raise
            return earlier
        if b"<Error>" in answer.body:  # S3 may say so after it has answered 200
            raise _refusal(self.uploader.store, self.key, replace(answer, status=500))
        return answer

    def _earlier(self, tries: "_Tries", expected: dict[str, str]) -> Answer | None:
        """The object that an attempt made whose answer was lost; None: there is none of ours."""
        if not tries.told:
            return None
        try:
            answer = self._ask("HEAD", tries, headers={"x-amz-checksum-mode": "ENABLED"})
        except ObjectMissing:
            return None
        return answer if expected.items() <= answer.headers.items() else None

    def _ask(
        self,
        method: str,
        tries: "_Tries",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: memoryview | None = None,
        text: bytes = b"",
    ) -> Answer:
        """Send a request until there is an answer, and again where another may come."""
        while True:
            told = _Counted(self.progress)
            try:
                with self.uploader._wire() as wire:
                    answer = wire.request(method, self.key, query, headers, body, told, text)
            except Interrupted as error:
                _check_tls(self.uploader.store, error)
                tries.again(str(error), told.sent > 0)
            else:
                if answer.status < 300:
                    tries.reached()
                    return answer
                if answer.status not in (408, 429) and (
                    answer.status < 500 or answer.status == 501
                ):
                    tries.reached()
                    raise _refusal(self.uploader.store, self.key, answer)
                why = f"{answer.status} {_tag(answer.body, 'Code')}".strip()
                tries.again(why, told.sent > 0, StoreUnavailable.failing)
            told.take_back()


def _refusal(store: StoreConnection, key: str, answer: Answer) -> StoreError:
    """What an answer says, as an error."""
    code, said = _tag(answer.body, "Code"), _tag(answer.body, "Message")
    if answer.status == 412:
        return AlreadyExists(key)
    if code == "NoSuchBucket":
        return BucketMissing.of(store.bucket, str(store))
    if answer.status in DENYING or code in DENIALS:
        return AccessDenied.by(str(store), code or str(answer.status))
    if answer.status == 404 and not code:  # of a HEAD, which has no words
        return ObjectMissing(key)
    words = " ".join(filter(None, [str(answer.status), code, said])).rstrip(".")
    return StoreError(
        f"The store at {store} refused {key!r}: {words}. Try again once; if that is refused too, "
        "the store's log says more."
    )


def _check_tls(store: StoreConnection, error: Interrupted) -> None:
    """Refuse to go on where there can be no TLS with what answers."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError) or "WRONG_VERSION_NUMBER" in str(cause):
        raise StoreConnectionError.by_tls(str(store), str(cause))


class _Tries:
    """How long an upload goes on trying: longer once something was sent, or with patience."""

    def __init__(self, store: StoreConnection, shared: Patience | None = None) -> None:
        self.store, self.shared = store, shared
        self.patience = _PATIENCE
        self.told: list[str] = []
        self.failing: float | None = None  # since when
        self.failures = 0  # since then
        self.lock = threading.Lock()

    def reached(self) -> None:
        """Something was done: the patience begins anew."""
        with self.lock:
            self.patience, self.failing, self.failures = _PATIENCE_LATER, None, 0
        if self.shared:
            self.shared.answered(id(self))

    def again(
        self,
        why: str,
        moved: bool,
        error: Callable[[str, str], StoreUnavailable] = StoreUnavailable.silent,
    ) -> None:
        """Wait before the next attempt.

        Args:
            why: the last one failed.
            moved: whether it had sent a part of its body.
            error: what that is where it lasts.

        Raises:
            StoreUnavailable: nothing was done for too long.
        """
        with self.lock:
            self.told.append(why)
            now = time.monotonic()
            self.failing = self.failing or now
            self.patience = max(self.patience, _PATIENCE_LATER if moved else 0)
            passed, since = now - self.failing, self.failing
            away = error(str(self.store), f"{why}, for {passed:.0f} s" if passed >= 1 else why)
            if passed > self.patience and self.shared is None:
                raise away
            first, longest = _BACKOFF
            wait = min(longest, first * 2**self.failures)
            self.failures += 1
        # Not by `random`, whose state is the caller's.
        wait *= secrets.SystemRandom().uniform(0.5, 1)
        if self.shared:
            self.shared.again(id(self), away, since, wait)
        else:
            time.sleep(wait)


class _Counted:
    """Progress that can be taken back where a request must be sent again."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.sent = progress, 0

    def __call__(self, sent: int) -> None:
        self.sent += sent
        if self.progress:
            self.progress(sent)

    def take_back(self) -> None:
        """Say that what was sent counts no more."""
        if self.progress and self.sent:
            self.progress(-self.sent)


def _etag_of(parts: list[str]) -> str:
    """The ETag that S3 makes of those of an object's parts; empty: it cannot be known."""
    try:
        together = b"".join(bytes.fromhex(etag.strip('"')) for etag in parts)
    except ValueError:
        return ""
    return f'"{hashlib.md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"'


def _escaped(etag: str) -> str:
    return etag.replace('"', "&quot;")


def _crc32(body: memoryview) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _tag(body: bytes, name: str) -> str:
    """The text of an element of an answer; S3's are flat enough for that."""
    found = re.search(rf"<{name}>(.*?)</{name}>".encode(), body, re.DOTALL)
    return found[1].decode() if found else ""
