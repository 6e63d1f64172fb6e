"""Signals that go to a handler of ours for a while, and then to the one before."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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
