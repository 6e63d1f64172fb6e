"""When an upload's last byte was acknowledged, of clients that do not say (Linux).

What a client has written may wait in its socket for seconds. The kernel says how much of it the
other side has (TCP_INFO), of any connection of this process, whoever opened it.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from podline.store.upload import tcp_info

_POLL = 0.001  # seconds
_DESCRIPTORS = "/proc/self/fd"


class Acknowledgement:
    """The acknowledgement of an upload's bytes, over connections of this process to one server.

    Make it before the upload: it notes what was acknowledged by then. `wait` as soon as bytes may
    be under way, and ask `when` at the end.

    Args:
        endpoint: the server's URL.
        size: bytes of the upload, in one request.
    """

    def __init__(self, endpoint: str, size: int) -> None:
        parts = urlsplit(endpoint)
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        self._servers = {address[:2] for *_, address in found}
        self._size = size
        self._before = {port: acked for port, acked, _ in self._connections()}
        self._when: float | None = None
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None

    def wait(self) -> None:
        """Begin to wait for it, in a thread; once is enough."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def when(self, answered: float) -> float | None:
        """When it came, by the clock of `time.perf_counter`; None: nobody saw it.

        Args:
            answered: when the upload was answered, on the same clock.
        """
        self._answered.set()
        if self._thread is None:
            return None
        self._thread.join()
        if self._when is None:
            return answered if self._is_there() else None
        return min(self._when, answered)  # who waited may have looked at the clock later

    def _watch(self) -> None:
        while not self._is_there():
            if self._answered.wait(_POLL):
                return
        self._when = time.perf_counter()

    def _is_there(self) -> bool:
        """Whether all is acknowledged but the last two segments.

        The receiver may keep their ACK back (RFC 1122, 4.2.3.2); an upload that is no longer is
        waited for.
        """
        acked = last = 0
        for port, so_far, mss in self._connections():
            acked += so_far - self._before.get(port, 0)
            last = max(last, 2 * mss)
        return acked >= (self._size - last if self._size > last else self._size) > 0

    def _connections(self) -> Iterator[tuple[int, int, int]]:
        """Of each connection to the server: its own port, bytes acknowledged, and a segment's."""
        for name in os.listdir(_DESCRIPTORS):
            with suppress(OSError):  # closed meanwhile, or no connection
                if not os.readlink(f"{_DESCRIPTORS}/{name}").startswith("socket:"):
                    continue
                with socket.socket(fileno=os.dup(int(name))) as connection:
                    if connection.getpeername()[:2] in self._servers:
                        info = tcp_info.read(connection)
                        if info is not None:
                            yield connection.getsockname()[1], info.acked, info.mss
