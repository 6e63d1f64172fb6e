"""Requests to an inference server, as a process of its own: closed loops, or at a rate.

Prints a line of JSON: when each answer came (epoch, seconds), how long it took, which version gave
it, and what failed.
"""

import argparse
import asyncio
import json
import re
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_VERSION = re.compile(rb'"model_version": ?"(\d*)"')


class Loop(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered and it is its time.

    Args:
        request: its bytes.
        seconds: between two requests; 0: none.
        ended: when the last one is sent (epoch).
    """

    def __init__(self, request: bytes, seconds: float, ended: float) -> None:
        self.request, self.seconds, self.ended = request, seconds, ended
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers: list[tuple[float, float, str]] = []
        self.failures: list[str] = []
        self._received = b""
        self._due = time.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, split, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not split or not length or len(body) < int(length[1]):
            return
        now, self._received = time.time(), b""
        # A request that had to wait for its turn has waited for the server.
        self.answers.append((now, now - self._due, self._version(head, body)))
        if now >= self.ended:
            self._transport.close()
            return
        self._due = max(self._due + self.seconds, 0) if self.seconds else now
        if (wait := self._due - now) > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if time.time() < self.ended:
            self.failures.append(f"the connection was lost: {error}")
        self.done.set_result(None)

    def _version(self, head: bytes, body: bytes) -> str:
        if b" 200 " not in head.split(b"\r\n")[0]:
            self.failures.append(body[:200].decode(errors="replace"))
        found = _VERSION.search(body)
        return found[1].decode() if found else ""

    def _send(self) -> None:
        self._transport.write(self.request)


async def measure(url: str, connections: int, seconds: float, rate: float, columns: int) -> None:
    """Send requests, and print what became of them.

    Args:
        url: of a model's `infer`.
        connections: at once.
        seconds: how long.
        rate: requests a second, of all connections; 0: as many as there can be.
        columns: of the one row in a request.
    """
    address = urlsplit(url)
    row = [float(column) for column in range(1, columns + 1)]
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, columns], "data": row}
    body = json.dumps({"inputs": [tensor]}).encode()
    request = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    ended, pause = time.time() + seconds, connections / rate if rate else 0.0
    loops = []
    for _ in range(connections):
        connect = asyncio.get_running_loop().create_connection
        _, loop = await connect(
            lambda: Loop(request, pause, ended), address.hostname or "", address.port or 80
        )
        loops.append(loop)
        await asyncio.sleep(pause / connections)
    await asyncio.gather(*(loop.done for loop in loops))
    answers = sorted(answer for loop in loops for answer in loop.answers)
    failures = [failure for loop in loops for failure in loop.failures]
    print(json.dumps({"answers": answers, "failures": failures}))


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--columns", type=int, default=3)
    uvloop.run(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
