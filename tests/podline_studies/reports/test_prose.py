"""A template's Markdown as sections: every block, and no value that makes one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from podline_studies.reports import prose
from podline_studies.reports.estimates import arithmetic
from podline_studies.reports.formatting import SPACE
from podline_studies.reports.sections import Grid, Paragraph, Picture, Points, Section

Read = Callable[..., list[Section]]
EVIL = "a | b\n\n## c\n- d\n| e | f |"


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Read:
    package = tmp_path / f"words_{abs(hash(request.node.name))}"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def read(text: str, **values: object) -> list[Section]:
        (package / "templates" / "words.md").write_text(text)
        return prose.read(package.name, "words.md", **values)

    return read


def test_each_block_is_read(read: Read) -> None:
    text = (
        "- one,\n  which goes on\n- two\n\n## Title\n\nWords\nand words.\n\n![Seen\nhere](of-it.svg)\n"
        "\n| a | b | c |\n|---|--:|\n| x | 1\n  | 2 |\n| y |  | 4 |\n[of-it](of-it.csv)\n\n## Empty\n"
    )
    grid = Grid(("a", "b", "c"), (("x", "1", "2"), ("y", "", "4")), 1, "of-it")
    assert read(text) == [
        Section("", (Points(("one, which goes on", "two")),)),
        Section("Title", (Paragraph("Words and words."), Picture("of-it", "Seen here"), grid)),
    ]


def test_a_value_makes_no_block_and_no_cell(read: Read) -> None:
    flat = "a | b ## c - d | e | f |"
    text = "- {{ evil }}\n\n{{ evil }}\n\n| {{ evil }} | b |\n|---|\n| {{ evil }} | 1 |\n"
    points, paragraph, grid = read(text, evil=EVIL)[0].blocks
    assert points == Points((flat,))
    assert paragraph == Paragraph(flat)
    assert grid == Grid((flat, "b"), ((flat, "1"),), 1)


def test_numbers_have_their_forms(read: Read) -> None:
    text = "{{ of | estimate(seconds) }}, {{ 2 | count('run') }}, {{ none | interval(percent) }}"
    (section,) = read(text, of=arithmetic([1.0]))
    assert section.blocks == (Paragraph(f"1.00{SPACE}s, 2 runs, –"),)


def test_what_is_not_given_is_an_error(read: Read) -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        read("{{ nothing }}")
