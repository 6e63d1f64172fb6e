"""Signals that go to a handler of ours for a while, and then to the one before."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of <linux/prctl.h>


@contextmanager
def handled(handler: Callable[[int], object], *numbers: signal.Signals) -> Iterator[None]:
    """Call `handler` with each of these signals that comes meanwhile.

    With a handler a child starts with the signal at its default, even where a shell had started
    us with it ignored (`make up &`).
    """

    def call(number: int, _: FrameType | None) -> None:
        handler(number)

    before = {number: signal.signal(number, call) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def unwind(number: int) -> None:
    """End this process as Ctrl-C does, by an exception: what it started is stopped first.

    Raises:
        SystemExit: with the exit code that a shell gives for the signal.
    """
    raise SystemExit(128 + number)


def end_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM once its parent is gone, SIGKILL included.

    On other systems than Linux nothing happens.

    Args:
        parent: the process that started this one; where it is gone already, this one ends now.

    Raises:
        SystemExit: it is gone.
    """
    _control(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if sys.platform == "linux" and os.getppid() != parent:
        unwind(signal.SIGTERM)


def adopt_orphans() -> None:
    """Have what a child of this process leaves behind be its own child, where that can be."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)


def _control(option: int, value: int) -> None:
    """Set an attribute of this process, on Linux."""
    if sys.platform == "linux":
        import ctypes  # a few milliseconds

        ctypes.CDLL(None).prctl(option, value)
