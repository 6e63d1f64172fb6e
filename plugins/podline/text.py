"""Text as Python's own parser takes it."""

import re

_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str) -> list[str]:
    """Split a text as Python counts lines: str.splitlines() knows more kinds of line ends."""
    return _LINE_END.split(text)
