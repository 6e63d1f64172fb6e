"""One connection to an S3 server that sends a body as fast as the network takes it."""

import base64
import http.client
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, urlsplit

from podline.store.connection import StoreConnection
from podline.store.upload import Progress, tcp_info
from podline.store.upload.pacing import Pacing
from podline.store.upload.sigv4 import UNSIGNED, UNSIGNED_WITH_TRAILER, query_string, signed_headers

_CONNECT = 10.0  # seconds
_LOOK = 0.002  # seconds between two looks at what was lost, or waits
_SILENCE = 60.0  # seconds without a byte sent or received
_STEP = 256 * 1024  # bytes between two looks at the checksum and the progress
_CHUNK = 4 * _STEP  # bytes of aws-chunked; some servers take no more than 16 MiB
_TRAILER = "x-amz-checksum-crc32"


@dataclass
class Times:
    """When what happened to a request, on the clock of `time.perf_counter`; 0: it did not.

    Attributes:
        started: before the request's first byte.
        sent: the body's last byte was handed to the kernel.
        acknowledged: the other side's kernel had it; see `tcp.wait_until_acknowledged`.
        answered: the answer's head was read.
    """

    started: float = 0.0
    sent: float = 0.0
    acknowledged: float = 0.0
    answered: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What the server said.

    Attributes:
        status: of HTTP.
        headers: by their names in lower case.
        body: the text of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    times: Times = field(default_factory=Times)


class Interrupted(Exception):
    """The connection broke, or nothing moved on it; the request may be sent again."""


class Wire:
    """A connection that is opened when it is needed, and kept.

    Args:
        store: the server's address, the bucket and the keys.
        exact: whether to note when a body was acknowledged, which takes some of the processor.
        lossy: whether the way is known to lose segments.

    Attributes:
        noted: for the one who uses it.
    """

    def __init__(self, store: StoreConnection, exact: bool = False, lossy: bool = False) -> None:
        self.store, self.exact, self.lossy = store, exact, lossy
        self.noted: tcp_info.TcpInfo | None = None  # what was known of it after its last request
        url = store.endpoint_url or f"https://s3.{store.region}.amazonaws.com"
        parts = urlsplit(url)
        self._host, self._root = parts.netloc, parts.path.rstrip("/")
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._http = kind(parts.hostname or "", parts.port, timeout=_CONNECT)
        self._pacing = Pacing(None, lossy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
        self.noted = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._http.sock is not None

    def info(self) -> tcp_info.TcpInfo | None:
        """What the kernel knows of the connection."""
        return tcp_info.read(self._http.sock) if self._http.sock is not None else None

    def request(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: memoryview | None = None,
        progress: Progress | None = None,
        text: bytes = b"",
    ) -> Answer:
        """Send a request, and read the answer.

        A body is followed by its CRC-32, which is computed while it is sent, and which the server
        compares.

        Args:
            method: of HTTP.
            key: of the object; empty: the bucket itself.
            query: parameters.
            headers: beside those that every request has.
            body: the bytes of an object to send.
            progress: is told of them.
            text: what to send instead, as it is.

        Raises:
            Interrupted: the connection broke, or nothing moved on it for a minute.
        """
        times = Times(started=time.perf_counter())
        try:
            size = None if body is None else len(body)
            self._open(size)
            with tcp_info.corked(self._http.sock):
                self._send_head(method, key, query or {}, headers or {}, size, len(text))
                if body is None:
                    self._http.send(text)
                else:
                    self._send_body(body, progress)
            if body is not None:
                times.sent = time.perf_counter()
                tcp_info.wait_for_room(self._http.sock, _SILENCE)
                if self.exact:
                    times.acknowledged = tcp_info.wait_until_acknowledged(
                        self._http.sock, len(body)
                    )
                self._watch()
            return self._read_answer(times)
        except (OSError, http.client.HTTPException) as error:
            refusal = self._refusal(times)
            self.close()
            if refusal is not None:
                return refusal
            raise Interrupted(f"{type(error).__name__}: {error}") from error

    def _open(self, size: int | None) -> None:
        """Connect, unless that is done; a body of some bytes comes next, if any."""
        if self._http.sock is None:
            self._http.timeout = _CONNECT
            self._pacing = Pacing(size, self.lossy)
            # http.client's own way in for another way to connect; TLS comes on top of it.
            self._http._create_connection = self._pacing.connect  # type: ignore[attr-defined]
            self._http.connect()
        elif size is not None:
            self._pacing.begin(self._http.sock, size)
        assert self._http.sock is not None
        self._http.sock.settimeout(_SILENCE)

    def _watch(self) -> None:
        """Look at what is lost until there is an answer, where that makes a difference."""
        until = time.monotonic() + _SILENCE
        while self._pacing.short and not tcp_info.has_answer(self._http.sock, _LOOK):
            if time.monotonic() > until:
                raise TimeoutError(f"no answer within {_SILENCE:g} s")
            self._pacing.look(self._http.sock)

    def _send_head(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        size: int | None,
        plain: int,
    ) -> None:
        path = f"{self._root}/{self.store.bucket}/{quote(key, safe='/-_.~')}"
        given = {"Host": self._host, "Content-Length": str(plain), **headers}
        payload = UNSIGNED
        if size is not None:
            payload = UNSIGNED_WITH_TRAILER
            given |= {
                "Content-Length": str(_framed(size)),
                "Content-Encoding": "aws-chunked",
                "x-amz-decoded-content-length": str(size),
                "x-amz-trailer": _TRAILER,
                "x-amz-sdk-checksum-algorithm": "CRC32",
            }
        signed = signed_headers(self.store, method, path, query, given, payload)
        target = f"{path}?{query_string(query)}" if query else path
        self._http.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in signed.items():
            self._http.putheader(name, value)
        self._http.endheaders()

    def _send_body(self, body: memoryview, progress: Progress | None) -> None:
        """Send the body in chunks, and its checksum after them."""
        sock, crc = self._http.sock, 0
        for chunk in range(0, len(body), _CHUNK):
            end = min(chunk + _CHUNK, len(body))
            sock.sendall(_frame(end - chunk))
            for first in range(chunk, end, _STEP):
                part = body[first : min(first + _STEP, end)]
                sock.sendall(part)
                crc = zlib.crc32(part, crc)  # while the kernel sends
                self._pacing.look(sock)
                if progress:
                    progress(len(part))
            sock.sendall(b"\r\n")
        sock.sendall(_end(crc))

    def _read_answer(self, times: Times) -> Answer:
        answer = self._http.getresponse()
        times.answered = time.perf_counter()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read(), times)

    def _refusal(self, times: Times) -> Answer | None:
        """What the server said before it closed: a request that it refuses it need not read."""
        if self._http.sock is None:
            return None
        try:
            self._http.sock.settimeout(0.2)
            return self._read_answer(times)
        except (OSError, http.client.HTTPException):
            return None


# aws-chunked with a trailer: "Signature calculations … (chunked upload with trailing headers)" in
# Amazon S3's API Reference; without a signature of each chunk.


def _frame(size: int) -> bytes:
    return f"{size:x}\r\n".encode()


def _end(crc: int) -> bytes:
    """The empty chunk, and the trailer with the checksum."""
    text = base64.b64encode(crc.to_bytes(4, "big")).decode()
    return f"0\r\n{_TRAILER}:{text}\r\n\r\n".encode()


def _framed(size: int) -> int:
    """The bytes of a body with its chunks' heads and ends, and the trailer."""
    whole, rest = divmod(size, _CHUNK)
    heads = whole * (len(_frame(_CHUNK)) + 2) + (len(_frame(rest)) + 2 if rest else 0)
    return size + heads + len(_end(0))
