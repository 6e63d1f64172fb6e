"""What is written to a store: bytes, or the content of a file."""

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_LARGE = 1024 * 1024  # bytes: of less a thread takes longer

Content = bytes | bytearray | memoryview | Path


def view(content: Content) -> memoryview:
    """The bytes, not copied; those of a file are mapped, not read into memory.

    A file must not shrink as long as there is a view of it.
    """
    if not isinstance(content, Path):
        return memoryview(content).cast("B")
    with content.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:  # an empty file cannot be mapped
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@contextmanager
def digested(data: memoryview) -> Iterator[Callable[[], str]]:
    """The sha256 of `data`, made while the block sends them."""
    if data.nbytes < _LARGE:
        found = hashlib.sha256(data).hexdigest()
        yield lambda: found
        return
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(lambda: hashlib.sha256(data).hexdigest()).result
