"""How a study was measured, in words that all kinds of studies share."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def versions(sittings: Sequence[Mapping[str, Any]]) -> str:
    """What ran, in each sitting."""
    known = [dict(sitting.get("versions") or {}) for sitting in sittings]
    if not any(known):
        return "The versions of what ran are not known."
    if all(versions == known[0] for versions in known):
        return f"Versions: {plain(known[0])}."
    each = (f"sitting {s.get('sitting')}: {plain(v)}" for s, v in zip(sittings, known, strict=True))
    return f"Versions differ: {'; '.join(each)}."


def interruptions(about: Mapping[str, Any]) -> Iterator[str]:
    """When measuring was interrupted, and gone on with."""
    found = about.get("interruptions") or ()
    if not found:
        yield "There was no interruption."
    for one in found:
        yield (
            f"Interrupted after {one['after']:,} measurements; sitting {one['sitting']} went on at "
            f"{when(one['started'])}."
        )


def when(moment: Any) -> str:
    """A moment (epoch)."""
    if moment is None or not math.isfinite(float(moment)):
        return "–"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(float(moment)))


def plain(value: Any) -> str:
    """A value of JSON as words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
