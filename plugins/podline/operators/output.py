"""A process's output as lines for a log: live, with progress bars that stay readable."""

import codecs
import time
from collections.abc import Iterable, Iterator

_BAR_EVERY = 5.0  # seconds between two states of a progress bar


def readable_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield lines as they are complete.

    What a carriage return overwrites is dropped, but for one state of a progress bar every
    five seconds.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest, shown = "", time.monotonic()
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield last_state(line)
        if lines:
            shown = time.monotonic()
        elif "\r" in rest and time.monotonic() - shown >= _BAR_EVERY:
            yield last_state(rest)
            rest, shown = rest.rpartition("\r")[2], time.monotonic()
    rest += decoder.decode(b"", final=True)
    if rest:
        yield last_state(rest)


def last_state(line: str) -> str:
    """Return what a terminal shows of a line with carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]
