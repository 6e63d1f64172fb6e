"""How a study was measured, in words that all kinds of studies share."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
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
    """

    sweep: str
    sessions: Sequence[MeasuredSession]
    interruptions: Sequence[Interruption]


def by_machine(sessions: Sequence[MeasuredSession]) -> list[list[MeasuredSession]]:
    """Sessions in order, those on machines of one kind, size and kernel together."""
    found: dict[tuple[object, ...], list[MeasuredSession]] = {}
    for one in sessions:
        kind = (one.get("machine"), one.get("processors"), one.get("memory_bytes"))
        found.setdefault((*kind, one.get("kernel")), []).append(one)
    return list(found.values())


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
