"""Uploads to an S3 store that come near to what the network allows.

What the rest of podline needs of them stands here; `uploader.Uploader` does it.
"""

from collections.abc import Callable
from typing import Protocol

from podline.store.content import Content

Progress = Callable[[int], object]  # gets the bytes that were sent since it was called before


class Uploads(Protocol):
    """Uploads objects to one store."""

    def put(self, key: str, data: Content, progress: Progress | None = None) -> object:
        """Upload an object to a key that is free, whole or not at all.

        Args:
            key: its key.
            data: its bytes, or a file that has them.
            progress: gets the bytes that were sent since it was called before.
        """

    def close(self) -> None:
        """Close all connections."""
