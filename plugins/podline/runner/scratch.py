"""A stage's own folder in the temporary one, and those that stages left which were killed.

Whoever holds the lock of a folder uses it; the kernel lets go of it when a process ends, however
that came.
"""

import contextlib
import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

_PREFIX = "podline-"
_LOCK = "lock"
_YOUNG = 60.0  # seconds in which a new folder gets its lock, for sure


class Scratch:
    """A folder that only its owner can read, until `remove`.

    Attributes:
        path: the folder.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._lock = (self.path / _LOCK).open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def folder(self, name: str) -> Path:
        """Make a folder in it."""
        path = self.path / name
        path.mkdir()
        return path

    def remove(self) -> None:
        """Remove it, and those that nobody uses any more."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()
        sweep()


def sweep() -> None:
    """Remove the folders whose stages are gone."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), path.open("rb") as lock:  # another's, or just removed
            if path.stat().st_mtime < time.time() - _YOUNG and _is_free(lock):
                shutil.rmtree(path.parent, ignore_errors=True)


def _is_free(lock: IO[bytes]) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
