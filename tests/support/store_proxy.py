"""A way to a store that can be slow, break off and be gone."""

import time
from dataclasses import replace
from typing import Self
from urllib.parse import urlsplit

from podline.store import StoreConnection
from tests.support.relay import Relay


class StoreProxy(Relay):
    """Passes bytes on between clients and a store.

    Args:
        connection: of the store.

    Attributes:
        connection: of the store by this way.
        rate: bytes a second that come from the store; 0: as they come.
        cut_after: bytes from the store after which a connection is cut, once; 0: never.
        passed: bytes that came from the store.
    """

    def __init__(self, connection: StoreConnection) -> None:
        self.rate, self.cut_after, self.passed = 0, 0, 0
        store = urlsplit(connection.endpoint_url or "")
        super().__init__("127.0.0.1", (str(store.hostname), int(store.port or 80)))
        self.connection = replace(connection, endpoint_url=f"http://{self.address}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forwarded(self, data: bytes, back: bool) -> bytes:
        """What comes back at its rate, unless the connection is cut."""
        if back:
            self.passed += len(data)
            if self.rate:
                time.sleep(len(data) / self.rate)
            if self.cut_after and self.passed > self.cut_after:
                self.cut_after = 0
                raise ConnectionResetError("cut")
        return data
