"""Files: their hashes, whose they are, and how they are written whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_private(folder: Path) -> None:
    """Have a folder that only its owner can enter, as those above it that are made for it."""
    for above in reversed([folder, *folder.parents]):
        with suppress(FileExistsError):
            above.mkdir(mode=0o700)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside `path` that takes its place at the end, and goes away on an error.

    Nobody ever sees half of the file: it is written under another name in the same folder, and
    renamed, which a file system does in one step.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
