"""A report's words: a template in Markdown, which is read into sections once its numbers are in it.

It has the report's parts in order: headings (``## ``), paragraphs, points, pictures
(``![text](name.svg)``), and tables. Columns under ``---`` hold words, all others numbers, and a
table's last line may name its data: ``[name](name.csv)``. Lines ``[what it has](name.csv)`` alone
are files to take along. A part without blocks is left out.
A line may go on in the next one; what stands in a value makes no block and no cell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from podline_studies.reports import formatting, provenance
from podline_studies.reports.page import environment
from podline_studies.reports.sections import Block, Files, Grid, Paragraph, Picture, Points, Section

_BAR = "\ue000"  # stands for a bar within a value
_PICTURE = re.compile(r"!\[(.*)\]\(([\w-]+)\.svg\)")
_CSV = re.compile(r"\[(.*)\]\(([\w-]+)\.csv\)")
_FORMS = {
    form.__name__: form
    for form in (
        *(formatting.number, formatting.seconds, formatting.percent, formatting.size),
        *(formatting.milliseconds, formatting.data_bytes, formatting.estimate),
        *(formatting.interval, formatting.listed, formatting.count),
        *(provenance.when, provenance.plain, provenance.by_machine),
    )
}


def read(package: str, template: str, **values: object) -> list[Section]:
    """Return the sections that a template makes of some values.

    Args:
        package: that has the template in its folder `templates`.
        template: the file's name. Its filters and functions are those of `formatting` and
            `provenance`.
        values: by the names that the template has for them.
    """
    words = environment(package, finalize=_inert)
    words.filters |= _FORMS
    words.globals |= _FORMS | {"nan": math.nan}
    parts = re.split(r"^## ", "\n" + words.get_template(template).render(values), flags=re.M)
    sections = [_section(part) for part in parts]
    return [section for section in sections if section.blocks]


def _inert(value: object) -> str:
    return str(value).replace("\n", " ").replace("|", _BAR)


def _section(text: str) -> Section:
    title, _, body = text.partition("\n")
    return Section(_line(title), tuple(_blocks(body)))


def _blocks(text: str) -> Iterator[Block]:
    for block in re.split(r"\n(?: *\n)+", text.strip(" \n")):
        if block.startswith("- "):
            yield Points(tuple(map(_line, block[2:].split("\n- "))))
        elif block.startswith("|"):
            yield _grid(re.split(r"\n(?=[|\[])", block))
        elif block.startswith("["):
            lines = map(_line, re.split(r"\n(?=\[)", block))
            files = [found for line in lines if (found := _CSV.fullmatch(line))]
            yield Files(tuple((found[2], found[1]) for found in files))
        elif picture := _PICTURE.fullmatch(_line(block)):
            yield Picture(picture[2], picture[1])
        elif block:
            yield Paragraph(_line(block))


def _grid(lines: list[str]) -> Grid:
    csv = _CSV.fullmatch(lines[-1])
    head, kinds, *rows = (
        tuple(map(_line, line.strip(" \n").strip("|").split("|")))
        for line in (lines[:-1] if csv else lines)
    )
    return Grid(head, tuple(rows), kinds.count("---"), csv[2] if csv else "")


def _line(text: str) -> str:
    return re.sub("[ \n]+", " ", text).strip(" ").replace(_BAR, "|")
