"""Files: hashes, owners, writing them whole or not at all, a full disk; and where code is found."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CODE = Path(__file__).parents[1]  # the folder that podline is imported from


def searched_first(folder: Path, variable: str) -> str:
    """The folders of a variable such as PATH or PYTHONPATH, with another one before them."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])


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


# numpy and HDF5 give no errno.
_FULL = re.compile(r"(?i)no space left|not enough free space|requested and \d+ written")


def is_full(error: BaseException) -> bool:
    """Whether a file could not be written because its disk is full."""
    known = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, OSError) and (known or bool(_FULL.search(str(error))))


def full_disk(folder: Path) -> str:
    """What to say and to do where the disk of a temporary folder is full."""
    usage = shutil.disk_usage(folder)
    return (
        f"the disk of {folder} is full: {usage.free:,} of {usage.total:,} bytes are free. fix: "
        "make room there, or have TMPDIR name a folder on a larger disk; a pod asks for more by "
        "the tag request:ephemeral-storage:20Gi"
    )
