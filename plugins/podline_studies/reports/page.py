"""A report as one HTML file that needs nothing else, and as Markdown."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from podline.text import plain_cell
from podline_studies.reports.plotting import Drawing, draw
from podline_studies.reports.sections import Picture, Section

_PACKAGE = "podline_studies.reports"
# What would be markup in Markdown; an underscore within a word is not.
_MARKUP = re.compile(r"[\\`*\[\]|~#]|(?<!\w)_|_(?!\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        html: a whole page, with its figures and tables inside.
        markdown: the same without the figures, which are linked: ``NAME.svg``.
        figures: SVG by name; those for a phone are ``NAME-narrow``.
        tables: the data behind each figure, by its name, and more.
        last_line: the most important numbers, as JSON can have them.
    """

    html: str
    markdown: str
    figures: dict[str, bytes]
    tables: dict[str, pd.DataFrame]
    last_line: dict[str, object]

    def csv(self, name: str) -> str:
        """Return a table as CSV."""
        return csv(self.tables[name])


def make(
    title: str,
    sections: Sequence[Section],
    drawings: Mapping[str, Drawing],
    tables: dict[str, pd.DataFrame],
    last_line: dict[str, object],
) -> Report:
    """Make a report; all text in it is escaped.

    Args:
        title: of the page.
        sections: its parts.
        drawings: those of its figures by name, which is also that of the table behind each.
        tables: those that a reader may take along, by name.
        last_line: the report's.
    """
    shown = {one.name for part in sections for one in part.blocks if isinstance(one, Picture)}
    figures = {
        name + ("-narrow" if narrow else ""): draw(drawing, tables[name], narrow)
        for name, drawing in drawings.items()
        if name in shown
        for narrow in (False, True)
    }
    html = environment(_PACKAGE, autoescape=True).get_template("report.html")
    markdown = environment(_PACKAGE, finalize=escape_markdown).get_template("report.md")
    return Report(
        html=html.render(
            title=title,
            sections=sections,
            figures={name: _data_url(svg, "image/svg+xml") for name, svg in figures.items()},
            tables={name: _data_url(csv(of).encode(), "text/csv") for name, of in tables.items()},
        ),
        markdown=markdown.render(title=title, sections=sections),
        figures=figures,
        tables=tables,
        last_line=last_line,
    )


def escape_markdown(text: object) -> str:
    """Return text that stands for itself in Markdown, on one line."""
    plain = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], " ".join(str(text).split("\n")))
    return _MARKUP.sub(lambda found: "\\" + found[0], plain)


def csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV, numbers to nine digits; no cell is a formula."""
    texts = frame.select_dtypes(exclude="number").columns
    plain = frame.assign(**{name: frame[name].map(plain_cell) for name in texts})
    return plain.rename(columns=plain_cell).to_csv(
        index=False, float_format="%.9g", lineterminator="\n"
    )


def environment(package: str, **options: Any) -> Environment:
    """Return Jinja's environment for the templates of a package.

    Args:
        package: that has them in its folder `templates`, beside those of this one.
        options: of Jinja.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(_PACKAGE)]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
