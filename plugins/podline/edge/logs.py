"""Structured logs: one JSON object a line, on standard error."""

import json
import sys
import time
from datetime import UTC, datetime

from podline.secrecy import redacted

_EVERY = 1.0  # seconds between two lines of one kind about requests

_last: dict[str, float] = {}
_untold: dict[str, int] = {}


def log(event: str, **fields: object) -> None:
    """Write a line.

    Args:
        event: what happened.
        fields: what there is to say of it.
    """
    when = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": when, "event": event, **fields}, default=str)
    print(redacted(line), file=sys.stderr, flush=True)


def log_seldom(event: str, kind: str, **fields: object) -> None:
    """Write a line, unless one of its kind was written within a second: a flood fills no disk.

    Args:
        event: what happened.
        kind: of what.
        fields: what there is to say of it.
    """
    now, key = time.monotonic(), f"{event} {kind}"
    if now - _last.get(key, -_EVERY) < _EVERY:
        _untold[key] = _untold.get(key, 0) + 1
        return
    _last[key] = now
    log(event, kind=kind, **fields, **({"more": more} if (more := _untold.pop(key, 0)) else {}))
