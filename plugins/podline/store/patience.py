"""How long those who need a store wait while it is away, and what they say meanwhile.

An hour's computing is not to be lost for a store that is restarted, a network that is cut or a
name that cannot be looked up. What cannot get better, such as a wrong key, is no matter of
patience: only `StoreUnavailable` is.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from podline.store.errors import StoreError, StoreUnavailable

_UNTOLD = 2.0  # seconds: a shorter failure is not worth a line
_EVERY = 60.0  # seconds between two lines
_PAUSE = 1.0  # seconds between two attempts, at least
# Or a part of what was waited already, so that many stages that wait do not ask a store, or the
# cluster's names, to death as soon as these are back; and the most.
_PART, _LONGEST = 0.25, 15.0

_T = TypeVar("_T")


class Patience:
    """Waits for stores, one for all threads of a process: whatever waits, its log is told once.

    Args:
        seconds: how long a request is sent again.
        say: takes a line when waiting begins, each minute of it, and when it is over.
    """

    def __init__(self, seconds: float, say: Callable[[str], object]) -> None:
        self.seconds, self.say = seconds, say
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._waiting: set[int] = set()  # the requests
        self._began = self._told = 0.0  # when they began to wait, and when that was last told

    @property
    def waits(self) -> bool:
        """Whether a request waits for a store now."""
        return bool(self._waiting)

    def end(self) -> None:
        """Wait no more, from now on: what waits fails at once."""
        self._ended.set()

    def keep(self, request: Callable[[], _T]) -> _T:
        """Send a request, and again while the store is away; returns its answer.

        Raises:
            StoreUnavailable: the store was away for too long, or the patience was ended.
        """
        me, since = threading.get_ident(), 0.0
        while True:
            began = time.monotonic()
            try:
                answer = request()
            except StoreUnavailable as error:
                since = since or began
                self.again(me, error, since)
            except StoreError:
                self.answered(me)
                raise
            else:
                self.answered(me)
                return answer

    def again(self, who: int, error: StoreUnavailable, since: float, pause: float = _PAUSE) -> None:
        """Wait before a request is sent again.

        Args:
            who: tells the request from the others that wait.
            error: what it came to.
            since: when it failed first, on the clock of `time.monotonic`.
            pause: seconds until it is sent again, at least; they grow with what has passed.

        Raises:
            StoreUnavailable: it has waited for long enough, or the patience was ended.
        """
        passed = time.monotonic() - since
        # Not by `random`, whose state is the notebook's. Stages that wait together part.
        longer = min(passed * _PART, _LONGEST) * secrets.SystemRandom().uniform(0.5, 1)
        pause = max(pause, longer)
        with self._lock:
            self._waiting.add(who)
            self._began = min(self._began, since) if self._began else since
            self._tell(error)
        if passed > self.seconds or self._ended.wait(pause):
            with self._lock:
                self._leave(who)
            raise type(error)(f"{error} It was waited for, for {passed:.0f} s.") from None

    def answered(self, who: int) -> None:
        """Note that a request was answered: the store is there."""
        if who not in self._waiting:
            return
        with self._lock:
            told, began = self._told, self._began
            if self._leave(who) and told:
                self.say(f"the store answers again, after {time.monotonic() - began:.0f} s")

    def _leave(self, who: int) -> bool:
        """Let a request wait no more; whether it was the last one."""
        self._waiting.discard(who)
        if not self._waiting:
            self._began = self._told = 0.0
        return not self._waiting

    def _tell(self, error: StoreUnavailable) -> None:
        now = time.monotonic()
        if self._ended.is_set() or now - (self._told or self._began + _UNTOLD - _EVERY) < _EVERY:
            return
        left = max(self._began + self.seconds - now, 0)
        self.say(
            f"{error} It is waited for, for {left:.0f} s more ([podline] store_patience); what "
            "was computed is kept."
        )
        self._told = now
