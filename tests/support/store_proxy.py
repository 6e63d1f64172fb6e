"""A way to a store that can be slow, break off and be gone."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Self
from urllib.parse import urlsplit

from podline.store import StoreConnection


class StoreProxy:
    """Passes bytes on between clients and a store.

    Args:
        connection: of the store.

    Attributes:
        gone: whether nobody is let in, and whoever is in is cut off.
        rate: bytes a second that come from the store; 0: as they come.
        cut_after: bytes from the store after which a connection is cut, once; 0: never.
        passed: bytes that came from the store.
    """

    def __init__(self, connection: StoreConnection) -> None:
        self.gone, self.rate, self.cut_after, self.passed = False, 0, 0, 0
        address = urlsplit(connection.endpoint_url or "")
        self._store = (address.hostname, address.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.connection = replace(connection, endpoint_url=f"http://127.0.0.1:{port}")
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()

    def leave(self) -> None:
        """Be gone, until `come_back`."""
        self.gone = True
        self.cut()

    def come_back(self) -> None:
        """Let clients in again."""
        self.gone = False

    def cut(self) -> None:
        """Cut all connections."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.gone:
                client.close()
                continue
            store = socket.create_connection(self._store)
            self._open += [client, store]
            threading.Thread(target=self._pass, args=(client, store), daemon=True).start()
            threading.Thread(target=self._return, args=(store, client), daemon=True).start()

    def _pass(self, client: socket.socket, store: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                store.sendall(data)
        with suppress(OSError):
            store.shutdown(socket.SHUT_WR)

    def _return(self, store: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := store.recv(65536):
                self.passed += len(data)
                if self.rate:
                    time.sleep(len(data) / self.rate)
                if self.cut_after and self.passed > self.cut_after:
                    self.cut_after = 0
                    break
                client.sendall(self._from_store(data))
        for end in (client, store):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _from_store(self, data: bytes) -> bytes:
        """What becomes of bytes from the store on their way."""
        return data
