"""A process's output as lines for a log: live, with progress bars that stay readable."""

import codecs
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from podline.contract import AHEAD_MARK, BEGUN, PHASE_MARK, READY, RESULT_MARK, TAKEN
from podline.phases import STAGE_PHASES, StagePhase
from podline.secrecy import redacted

_AHEAD = re.compile(f"{AHEAD_MARK} ({BEGUN}|{READY}|{TAKEN})")
_BAR_EVERY = 5.0  # seconds between two states of a progress bar


class Transcript:
    """What a stage says: its lines go to the log, but for those that are for us.

    The last one names the result; others say which phase has ended.

    Args:
        stage: the stage's name.
        nonce: of the try, which lines for us repeat.
        log: takes the others.
        ended: takes when phases did (epoch, by the stage's clock).

    Attributes:
        last: the last line that said something.
        told: is told how far a pod is that was made ahead, by the words of the contract.
    """

    def __init__(
        self,
        stage: str,
        nonce: str,
        log: Callable[[str], object],
        ended: dict[StagePhase, float],
    ) -> None:
        self.stage, self._log, self._ended = stage, log, ended
        self.nonce = nonce
        self.last = ""
        self.told: Callable[[str], object] = lambda word: None
        self._blank = False

    def hear(self, line: str) -> "Stored | None":
        """Take a line; the result, if it was the one that names it."""
        if stored := stored_in(line, self.nonce):
            return stored
        if self._is_of_a_phase(line) or self._is_of_a_pod_ahead(line):
            self._blank = False
            return None
        if self._blank:
            self._log("")
        # A line for us is set apart by an empty one, which is not the notebook's.
        self._blank = not line
        if line:
            self.last = redacted(line)
            self._log(self.last)
        return None

    def _is_of_a_pod_ahead(self, line: str) -> bool:
        found = _AHEAD.fullmatch(line)
        if found:
            self.told(found[1])
        return found is not None

    def _is_of_a_phase(self, line: str) -> bool:
        found = re.fullmatch(rf"{PHASE_MARK} {re.escape(self.nonce)} (\w+) (\d+\.\d+)", line)
        for name in STAGE_PHASES[:-1]:  # the result says when the last one did
            if found and found[1] == name:
                self._ended[name] = float(found[2])
        return found is not None


class Stored(NamedTuple):
    """A result that a stage says it has stored.

    Attributes:
        digest: its sha256.
        at: when, in seconds since the epoch by the stage's clock.
    """

    digest: str
    at: float


def stored_in(line: str, nonce: str) -> Stored | None:
    """The result of the try `nonce`, if the line names it."""
    found = re.fullmatch(rf"{RESULT_MARK} {re.escape(nonce)} (\w+) (\d+\.\d+)", line)
    return Stored(found[1], float(found[2])) if found else None


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
