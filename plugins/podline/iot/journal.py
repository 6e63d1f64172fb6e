"""What a replay saw, kept as JSON lines: in a file, or in the store."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podline.exceptions import PodlineError
from podline.iot.device import Value
from podline.store import Store, keys

_PART = 1000  # lines of an object


class JournalError(PodlineError):
    """What was seen cannot be kept."""


@dataclass(frozen=True)
class Observation:
    """An answer, and what was true.

    Attributes:
        time, known: of the reading (ISO 8601), and when the truth was seen.
        answer: None: there was none, which `failure` says why.
        truth, baseline: what was true, and what would have been said without a model.
        version: that answered; 0: none.
        seconds: that the answer took.
        error, baseline_error: over the window that ends here; None: it is not full.
        expected: the error of the version's own evaluation.
    """

    time: str
    known: str
    answer: Value | None
    truth: Value
    baseline: Value
    version: int
    seconds: float
    error: float | None
    baseline_error: float | None
    expected: float | None
    failure: str = ""
    kind: str = "observation"


@dataclass(frozen=True)
class Event:
    """Something that happened at a time of the device's.

    Attributes:
        time: when (ISO 8601).
        event: ``version``, ``drift``, ``pipeline`` or ``failure``.
        text: what, in words.
        version: that answers then.
    """

    time: str
    event: str
    text: str
    version: int
    kind: str = "event"


class Journal(ABC):
    """Keeps observations and events, in order.

    Attributes:
        where: the journal's place, for whoever looks for it.
    """

    where: str

    @abstractmethod
    def write(self, record: Observation | Event) -> None:
        """Keep one more."""

    @abstractmethod
    def lines(self) -> Iterator[dict[str, Any]]:
        """All that was kept."""

    @abstractmethod
    def close(self) -> None:
        """Keep what is not kept yet; nothing more comes."""


class FileJournal(Journal):
    """A file, to which lines are added.

    Args:
        path: its path; folders are made.

    Raises:
        JournalError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from None

    def write(self, record: Observation | Event) -> None:
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()

    def lines(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        yield from map(json.loads, self._file)

    def close(self) -> None:
        self._file.close()


class StoreJournal(Journal):
    """Objects of the store, each with up to a thousand lines.

    Args:
        store: where.
        model: whose answers are kept.
        began: a word for this replay, such as when it began.
    """

    def __init__(self, store: Store, model: str, began: str) -> None:
        self.where = keys.observations_prefix(model, began)
        self._store, self._parts = store, 0
        self._open: list[str] = []

    def write(self, record: Observation | Event) -> None:
        self._open.append(json.dumps(asdict(record)) + "\n")
        if len(self._open) == _PART:
            self._put()

    def lines(self) -> Iterator[dict[str, Any]]:
        for part in range(self._parts):
            text = bytes(self._store.get(self._key(part))).decode()
            yield from map(json.loads, text.splitlines())
        yield from map(json.loads, self._open)

    def close(self) -> None:
        if self._open:
            self._put()

    def _put(self) -> None:
        self._store.put(self._key(self._parts), "".join(self._open).encode())
        self._parts += 1
        self._open.clear()

    def _key(self, part: int) -> str:
        return f"{self.where}/{part:05}.jsonl"
