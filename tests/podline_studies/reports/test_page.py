"""The page and the Markdown: whole, without anything from elsewhere, and no text is markup."""

import base64
from html.parser import HTMLParser

import pandas as pd
import pytest
from matplotlib.figure import Figure

from podline_studies.reports.page import Report, csv, escape_markdown, make
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section

EVIL = '<script>alert("1")</script> | a_b *c* [d](http://e)'
SECTIONS = [
    Section("First", (Paragraph(EVIL), Points((EVIL,)))),
    Section("Second", (Grid(("name", EVIL), (("x", EVIL),), 1, "numbers"), Picture("seen", EVIL))),
]
TABLES = {"numbers": pd.DataFrame({"x": [1 / 3]}), "seen": pd.DataFrame({"y": [EVIL]})}


class Page(HTMLParser):
    """The tags of a page, its addresses and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attributes if name in ("src", "srcset", "href")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def draw(_: pd.DataFrame, narrow: bool) -> Figure:
    return Figure(figsize=(1 + (not narrow), 1))


def made(*sections: Section, title: str = "Title") -> Report:
    return make(title, sections, {"seen": draw, "unseen": draw}, TABLES, {})


def test_no_text_is_markup() -> None:
    page = Page(made(*SECTIONS, title=EVIL).html)
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 7


def test_a_page_needs_nothing_but_itself() -> None:
    report = made(*SECTIONS)
    page = Page(report.html)
    assert len(page.addresses) == 4
    assert all(address.startswith("data:") for address in page.addresses)
    assert "default-src 'none'" in report.html
    contents = {base64.b64decode(address.partition(",")[2]) for address in page.addresses}
    assert contents >= set(report.figures.values())
    assert b"x\n0.333333333\n" in contents


def test_figures_that_are_shown_are_drawn_wide_and_for_a_phone() -> None:
    figures = made(*SECTIONS).figures
    assert figures.keys() == {"seen", "seen-narrow"}
    assert figures["seen"] != figures["seen-narrow"]


def test_a_long_table_is_folded() -> None:
    rows = tuple((str(number), "1") for number in range(13))
    long, short = (made(Section("S", (Grid(("a", "b"), of),))).html for of in (rows, rows[:12]))
    assert "<summary>13 rows</summary>" in long
    assert "<details>" not in short


def test_markdown_says_the_same_and_links_its_figures() -> None:
    text = made(*SECTIONS).markdown
    safe = escape_markdown(EVIL)
    assert text.startswith("# Title\n")
    assert f"\n- {safe}\n" in text
    assert f"| name | {safe} |\n|---|--:|\n| x | {safe} |\n" in text
    assert f"![{safe}](seen.svg)" in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b_c", "a_b_c"),
        ("_a_ b", "\\_a\\_ b"),
        ("a | b\nc", "a \\| b c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("`x` *y* [z](u)", "\\`x\\` \\*y\\* \\[z\\](u)"),
        (3, "3"),
    ],
)
def test_markdown_is_escaped(text: object, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_a_cell_of_a_table_is_no_formula() -> None:
    frame = pd.DataFrame({"=name": ['=HYPERLINK("http://x")', "plain"], "value": [-1.5, 2.0]})
    assert csv(frame) == ('\'=name,value\n"\'=HYPERLINK(""http://x"")",-1.5\nplain,2\n')
