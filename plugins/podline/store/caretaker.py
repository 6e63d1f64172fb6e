"""Stops an embedded store that nobody uses any more: after a while, and after a kill too.

A process of its own, since whoever started the store may end at any moment, by SIGKILL as well:
``python -m podline.store.caretaker FOLDER SECONDS``.
"""

import os
import sys
import time
from pathlib import Path

_LOOK_EVERY = 1.0  # seconds


def watch(folder: Path, seconds: float) -> None:
    """Stop the store of a folder once nobody has used it for so long, unless it ends before.

    Args:
        folder: the store's.
        seconds: how long.
    """
    from podline.store import seaweedfs  # not before the fork: somebody waits for that

    used = time.monotonic()
    while seaweedfs.is_running(folder):
        if seaweedfs.is_used(folder):
            used = time.monotonic()
        elif time.monotonic() - used >= seconds:
            seaweedfs.stop_unused(folder)
            used = time.monotonic()
        time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    if os.fork() == 0:  # what waits for us need not wait longer, and is no parent of the rest
        watch(Path(sys.argv[1]), float(sys.argv[2]))
