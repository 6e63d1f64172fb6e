"""What a stage is at while it goes on: noted in Airflow's state store, beside its work.

Once a second what was observed is looked at, so that a phase that is soon over is never written.
"""

import logging
import threading
from collections.abc import Callable

from podline.latency.observations import Observed
from podline.phases import PhaseName
from podline.settings import Backend

_EVERY = 1.0  # seconds
_log = logging.getLogger(__name__)

Now = tuple[PhaseName, float]  # a phase, and since when (epoch)


def now_of(seen: Observed) -> Now | None:
    """What a try is at, as far as its worker sees; None: its own work has not begun."""
    at = seen.moments
    begun = at.created if seen.backend == Backend.PROCESS else at.running
    steps: tuple[tuple[PhaseName, float | None], ...] = (
        ("finish", at.resumed),
        ("finish", at.heard),
        ("run", begun),
        ("start", at.bound),
        ("schedule", at.created if at.adopted is None else at.adopted),
        ("submit", at.execute),
    )
    return next(((phase, since) for phase, since in steps if since is not None), None)


class LivePhase:
    """Notes what a try is at, in a thread, until it is told to end.

    Args:
        look: gives what is observed by now.
        note: keeps what the try is at; it may take its time.
    """

    def __init__(self, look: Callable[[], Observed | None], note: Callable[[Now], object]) -> None:
        self._look, self._note = look, note
        self._over = threading.Event()
        threading.Thread(target=self._keep, daemon=True).start()

    def end(self) -> None:
        """Note nothing more."""
        self._over.set()

    def _keep(self) -> None:
        noted: Now | None = None
        while not self._over.wait(_EVERY):
            seen = self._look()
            now = now_of(seen) if seen else None
            if now is None or now == noted:
                continue
            try:
                self._note(now)
            except Exception as error:
                _log.info("what this try is at cannot be noted: %s", error)
                return
            noted = now
