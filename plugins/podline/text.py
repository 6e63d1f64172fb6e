"""Small questions about texts: their lines as Python counts them, the nearest word, formulas."""

import re
from collections.abc import Collection

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_LINE_END = re.compile(r"\r\n|\r|\n")


def lines_of(text: str) -> list[str]:
    """Split a text as Python counts lines: str.splitlines() knows more kinds of line ends."""
    return _LINE_END.split(text)


def plain_cell(value: object) -> object:
    """A cell of a table that a spreadsheet takes as the text that it is, not as a formula.

    It is quoted as spreadsheets do that, by an apostrophe; what is no text stays as it is.
    """
    formula = isinstance(value, str) and value.startswith(_FORMULA)
    return f"'{value}" if formula else value


def nearest(word: str, words: Collection[str], cutoff: float = 0.6) -> str | None:
    """Return what a misspelt word was meant to be, if anything is near enough.

    Args:
        word: as it was written.
        words: what there is.
        cutoff: how alike they must be, from 0 (anything) to 1 (equal).
    """
    import difflib  # costs milliseconds, and few words are misspelt

    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), None)
