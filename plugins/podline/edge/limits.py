"""What requests may take: bytes, places at once, and seconds."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from podline.edge.protocol import ProtocolError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable

    from podline.edge.metrics import Metrics

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What requests may take.

    Attributes:
        body: bytes of a request.
        concurrency: requests at once.
        seconds: in which a request must arrive, and in which it must be answered.
    """

    body: int = 16 * _MIB
    concurrency: int = 64
    seconds: float = 10.0

    async def read(self, headers: Mapping[bytes, bytes], receive: "ASGIReceiveCallable") -> bytes:
        """The body of a request.

        Args:
            headers: the request's, in small letters.
            receive: ASGI's.

        Raises:
            ProtocolError: it is too long, or takes too long to arrive.
            ConnectionError: the client has gone.
        """
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.body:
            raise self._too_long()
        if b"content-encoding" in headers:
            raise ProtocolError(
                "compressed requests are not read: send them as they are",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        try:
            async with asyncio.timeout(self.seconds):
                return await self._all(receive)
        except TimeoutError:
            raise ProtocolError(
                f"the request did not arrive within {self.seconds:g} s", HTTPStatus.REQUEST_TIMEOUT
            ) from None

    async def _all(self, receive: "ASGIReceiveCallable") -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ConnectionError("the client has gone")
            part = message.get("body", b"")
            size += len(part)
            if size > self.body:
                raise self._too_long()
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_long(self) -> ProtocolError:
        return ProtocolError(
            f"the request has more than the {self.body:,} bytes that are allowed",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )

    @contextmanager
    def place(self, metrics: "Metrics") -> Iterator[None]:
        """A place among the requests that are under way.

        Raises:
            ProtocolError: all are taken.
        """
        if metrics.in_flight >= self.concurrency:
            raise ProtocolError(
                f"{self.concurrency} requests are under way, which is as many as are allowed: try "
                "again",
                HTTPStatus.SERVICE_UNAVAILABLE,
            )
        metrics.in_flight += 1
        try:
            yield
        finally:
            metrics.in_flight -= 1
