"""How a study was measured, in words that all kinds of studies share."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from podline_studies.machine import Machine


class MeasuredSession(Machine, total=False):
    """A session: its number, its machine, and when it began and ended (epoch)."""

    session: int
    started: float
    ended: float


class Interruption(TypedDict):
    """When a session began (epoch) that went on with a study, and after how many measurements."""

    started: float
    after: int
    session: int


class Circumstances(TypedDict, total=False):
    """How a study was measured; what is missing is said to be unknown.

    Attributes:
        sweep: the study's name.
        design: its parameters by name.
        planned: how much is to be measured.
        failed: what failed or was disturbed.
    """

    sweep: str
    seed: int
    design: Mapping[str, object]
    planned: int
    sessions: Sequence[MeasuredSession]
    interruptions: Sequence[Interruption]
    failed: Sequence[object]


def versions(sessions: Sequence[MeasuredSession]) -> str:
    """What ran, in each session."""
    known = [dict(session.get("versions") or {}) for session in sessions]
    if not any(known):
        return "The versions of what ran are not known."
    if all(versions == known[0] for versions in known):
        return f"Versions: {plain(known[0])}."
    each = (f"session {s.get('session')}: {plain(v)}" for s, v in zip(sessions, known, strict=True))
    return f"Versions differ: {'; '.join(each)}."


def interruptions(found: Sequence[Interruption]) -> Iterator[str]:
    """When measuring was interrupted, and gone on with."""
    if not found:
        yield "There was no interruption."
    for one in found:
        yield (
            f"Interrupted after {one['after']:,} measurements; session {one['session']} went on at "
            f"{when(one['started'])}."
        )


def when(moment: float | None) -> str:
    """A moment (epoch)."""
    if moment is None or not math.isfinite(moment):
        return "–"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def plain(value: object) -> str:
    """A value of JSON as words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
