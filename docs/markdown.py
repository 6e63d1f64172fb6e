"""Markdown as a page has it: tables, and each paragraph in one line."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int | None = None) -> str:
    """Return a table.

    Args:
        head: the columns' titles.
        rows: of cells, without strokes and ends of lines.
        words: how many of the first columns hold words, others numbers; None: all.
    """
    most = len(head) if words is None else words
    kinds = ["---"] * most + ["--:"] * (len(head) - most)
    first = [f"| {' | '.join(head)} |", f"|{'|'.join(kinds)}|"]
    return "\n".join([*first, *(f"| {' | '.join(row)} |" for row in rows)])


def unwrapped(text: str) -> str:
    """Return a text with each paragraph, and each point, in one line, as a report's are."""
    return re.sub(r"(?<!\n)\n(?!\n|- |$) *", " ", text)
