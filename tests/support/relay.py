"""Passes TCP connections on to a server that listens elsewhere."""

import socket
import threading
import time
from contextlib import suppress

_BLOCK = 1 << 16  # bytes


class Relay:
    """Listens at an address of this machine, and passes each connection on.

    Attributes:
        address: where it listens, as HOST:PORT.
        delay: seconds until a new connection passes anything on.
        gone: whether nobody is let in, and whoever was in is cut off.
    """

    delay = 0.0

    def __init__(self, host: str, target: tuple[str, int]) -> None:
        self.target, self.gone = target, False
        self._listening = socket.create_server((host, 0))
        self.address = f"{host}:{self._listening.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def forwarded(self, data: bytes, back: bool) -> bytes:
        """What becomes of bytes on their way: nothing, and they need not wait.

        Args:
            data: as it came.
            back: whether it comes from the server.

        Raises:
            OSError: the connection breaks here.
        """
        return data

    def leave(self) -> None:
        """Be gone, until `come_back`."""
        self.gone = True
        _break(*self._ends)
        self._ends.clear()

    def come_back(self) -> None:
        """Let clients in again."""
        self.gone = False

    def close(self) -> None:
        """Break all connections, and listen no more."""
        self.gone = True
        _break(self._listening, *self._ends)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                if self.gone:
                    raise ConnectionRefusedError
                far = socket.create_connection(self.target)
            except OSError:  # the server may be away for now, too
                near.close()
                continue
            self._ends += [near, far]
            for ends in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        time.sleep(self.delay)
        try:
            while data := source.recv(_BLOCK):
                target.sendall(self.forwarded(data, back))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            _break(source, target)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
