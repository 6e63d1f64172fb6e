"""What a report is made of, before it is a page: plain text, tables and figures.

No text here is markup: the templates escape all of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str
    kind: str = "paragraph"


@dataclass(frozen=True)
class Points:
    """A list."""

    texts: tuple[str, ...]
    kind: str = "points"


@dataclass(frozen=True)
class Grid:
    """A table to read.

    Attributes:
        head: the columns' names.
        rows: each with as many cells.
        words: how many of the first columns hold words; the others, numbers.
        csv: the name of the table that holds the same and more, if any.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    csv: str = ""
    kind: str = "grid"


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: of the figure and of the table behind it.
        text: what is seen, for those who do not see it, and below it.
    """

    name: str
    text: str
    kind: str = "picture"


@dataclass(frozen=True)
class Files:
    """Tables to take along: the name of each, and what it has."""

    about: tuple[tuple[str, str], ...]
    kind: str = "files"


Block = Paragraph | Points | Grid | Picture | Files


@dataclass(frozen=True)
class Section:
    """A part with a heading."""

    title: str
    blocks: tuple[Block, ...] = ()
