"""Passes TCP connections on to a server that listens elsewhere on this machine."""

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
    """

    delay = 0.0

    def __init__(self, host: str, target: tuple[str, int]) -> None:
        self.target, self.open = target, True
        self.server = socket.create_server((host, 0))
        self.address = f"{host}:{self.server.getsockname()[1]}"
        self.sockets: list[socket.socket] = [self.server]
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for(self, size: int, back: bool) -> None:
        """Wait until so many bytes may pass, which is at once.

        Args:
            size: in bytes.
            back: whether they come from the server.
        """

    def cut(self) -> None:
        """Break all connections, and accept no more."""
        self.open = False
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while self.open:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:  # that is away for now
                near.close()
                continue
            self.sockets += [near, far]
            for ends in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        time.sleep(self.delay)
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                self.wait_for(len(data), back)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
