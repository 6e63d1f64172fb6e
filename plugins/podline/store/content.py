"""What is written to a store: bytes, or the content of a file."""

import mmap
import os
from pathlib import Path

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
