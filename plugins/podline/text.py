"""Small questions about texts: their lines as Python's own parser counts them, the nearest word."""

import re
from collections.abc import Collection

_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str) -> list[str]:
    """Split a text as Python counts lines: str.splitlines() knows more kinds of line ends."""
    return _LINE_END.split(text)


def nearest(word: str, words: Collection[str], cutoff: float = 0.6) -> str | None:
    """Return what a misspelt word was meant to be, if anything is near enough.

    Args:
        word: as it was written.
        words: what there is.
        cutoff: how alike they must be, from 0 (anything) to 1 (equal).
    """
    import difflib  # costs milliseconds, and few words are misspelt

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), None)
