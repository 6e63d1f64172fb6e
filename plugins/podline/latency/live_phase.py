"""What a stage is at while it goes on: noted in Airflow's state store, beside its work.

Once a second what was observed is looked at, so that a phase that is soon over is never written.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from podline.latency.observations import Observed

if TYPE_CHECKING:
    from podline.latency.record import Note

_EVERY = 1.0  # seconds
_log = logging.getLogger(__name__)


def note_of(start: float, now: float, seen: Observed) -> "Note | None":
    """What a try is at, and what it has behind it; None: its own work has not begun.

    Args:
        start: Airflow's (epoch).
        now: the time (epoch).
        seen: what its worker sees.
    """
    from podline.latency import timeline
    from podline.latency.record import Note

    if seen.moments.execute is None and seen.moments.resumed is None:
        return None
    *past, last = timeline.so_far(start, now, seen)
    return Note(phase=last.name, since=round(start + last.start, 6), phases=tuple(past))


class LivePhase:
    """Notes what a try is at, in a thread, until it is told to end.

    Args:
        start: gives the try's start (epoch).
        look: gives what is observed by now.
        note: keeps what the try is at; it may take its time.
    """

    def __init__(
        self,
        start: Callable[[], float],
        look: Callable[[], Observed | None],
        note: Callable[["Note"], object],
    ) -> None:
        self._start, self._look, self._note = start, look, note
        self._over = threading.Event()
        threading.Thread(target=self._keep, daemon=True).start()

    def end(self) -> None:
        """Note nothing more."""
        self._over.set()

    def _keep(self) -> None:
        start, noted = 0.0, None
        try:
            while not self._over.wait(_EVERY):
                start = start or self._start()
                seen = self._look()
                now = note_of(start, time.time(), seen) if seen else None
                if now is not None and now != noted:
                    self._note(now)
                    noted = now
        except Exception as error:
            _log.info("what this try is at cannot be noted: %s", error)
