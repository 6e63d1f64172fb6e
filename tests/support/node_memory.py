"""The memory that the node has for its pods, taken by something beside them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import until

PODS = Path("/sys/fs/cgroup/memory/kubepods")  # where the kernel's control groups are version 1
LIMIT = "memory.limit_in_bytes"
_LEFT = 64 << 20  # bytes, before the kernel gives up what it only caches
_TAKE = """
import os, sys, time
with open(sys.argv[1], "w") as group:
    group.write(str(os.getpid()))
kept, wanted = [], int(sys.argv[2])
while sum(map(len, kept)) < wanted:
    kept.append(b"x" * (16 << 20))
time.sleep(120)
"""


@contextmanager
def taken(group: Path) -> Iterator[None]:
    """Leave a control group no memory: the kernel kills whom it finds the least worth in it.

    It is what it has now and a little, and a process of ours takes more. That one counts as one
    that the node cannot do without, unlike a stage, whose pod asks for less than it may have.
    Nothing outside the group is harmed, and nothing takes more than that.

    Args:
        group: such as `PODS`.
    """
    limit, beside = group / LIMIT, group / "beside"
    before = limit.read_text()
    most = int((group / "memory.usage_in_bytes").read_text()) + _LEFT
    beside.mkdir()
    command = [sys.executable, "-c", _TAKE, str(beside / "cgroup.procs"), str(most)]
    process = None
    try:
        limit.write_text(str(most))
        process = subprocess.Popen(command)
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()
        limit.write_text(before)
        until(lambda: _removed(beside), 20)


def _removed(group: Path) -> bool:
    """Whether a group is gone: its last process may be a moment longer in it."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True
