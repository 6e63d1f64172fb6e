"""Which values a parameter may have, as its comment begins with, or the notebook's metadata says.

Of a parameters cell, each way to write them::

    rows = 1000       # 1..1000000: how many to read
    rate = 0.1        # 0..: of learning
    size = "small"    # one of small, large: which model
"""

import re
from dataclasses import dataclass
from typing import Any

_NUMBER = r"[-+]?(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})?\s*\.\.\s*({_NUMBER})?\s*(?::|$)")
_CHOICE = re.compile(r"one of ([^:]+,[^:]+):")
_MEANT = re.compile(rf"{_NUMBER}\s*\.\.(?!\.)|one of [^:]+,[^:]*$")


class MalformedBounds(ValueError):
    """What seems to be meant as bounds is written otherwise."""


@dataclass(frozen=True)
class Bounds:
    """The values that a parameter may have.

    Attributes:
        least, most: the smallest and the largest number; None: there is none.
        choices: the only values; none: any within these.
    """

    least: float | None = None
    most: float | None = None
    choices: tuple[Any, ...] = ()

    def allow(self, value: Any) -> bool:
        """Whether a value is within them; None is where it is the default."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        above = self.least is None or value >= self.least
        return above and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        parts = [f"at least {self.least}", f"at most {self.most}"]
        ends = (self.least, self.most)
        return " and ".join(p for p, end in zip(parts, ends, strict=True) if end is not None)


def read_bounds(text: str, default: Any) -> Bounds | None:
    """Read the bounds that a text begins with.

    Args:
        text: a comment, or what the metadata say.
        default: the parameter's, of whose type choices are.

    Returns:
        None: the text is about something else.

    Raises:
        MalformedBounds: it may be about bounds, and cannot be read.
        ValueError: they cannot be used; the message says why.
    """
    if found := _RANGE.match(text):
        least, most = (None if part is None else _number(part) for part in found.groups())
        if least is None and most is None:
            return None
        return _fitting(Bounds(least, most), default)
    if chosen := _CHOICE.match(text):
        return _fitting(Bounds(choices=_choices(chosen[1], default)), default)
    if _MEANT.match(text):
        raise MalformedBounds("write 1..10, 1.. or ..10, or: one of a, b, and then a colon")
    return None


def _fitting(bounds: Bounds, default: Any) -> Bounds:
    if bounds.least is not None and bounds.most is not None and bounds.least > bounds.most:
        raise ValueError(f"no value is {bounds}")
    if default is not None and not bounds.allow(default):
        raise ValueError(f"the default {default!r} is not {bounds}")
    return bounds


def _number(text: str) -> float:
    return float(text) if re.search(r"[.eE]", text) else int(text)


def _choices(text: str, default: Any) -> tuple[Any, ...]:
    words = [word.strip().strip("'\"") for word in text.split(",")]
    if isinstance(default, bool) or not isinstance(default, int | float):
        return tuple(words)
    return tuple(type(default)(word) for word in words)
