"""Work beside one's own, that is waited for, but not for long."""

import logging
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

_log = logging.getLogger(__name__)


def aside(trouble: str, function: Callable[[], Any], seconds: float) -> Callable[[], Any]:
    """Call a function in a thread.

    Args:
        trouble: what the log says where it fails, or takes too long.
        function: what is called.
        seconds: how long it is waited for, from the call of what is returned.

    Returns:
        What waits for the function's value, and gives None where there was trouble.
    """
    answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()

    def call() -> None:
        try:
            answers.put((function(), None))
        except Exception as error:
            answers.put((None, error))

    def wait() -> Any:
        try:
            value, error = answers.get(timeout=seconds)
        except Empty:
            value, error = None, TimeoutError(f"no answer within {seconds:g} s")
        if error is not None:
            _log.warning("%s: %s", trouble, error)
        return value

    # The span that is current goes with it.
    Thread(target=copy_context().run, args=(call,), daemon=True).start()
    return wait
