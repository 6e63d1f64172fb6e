"""A template's Markdown as sections: every block, and no value that makes one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from podline_studies.reports import prose
from podline_studies.reports.estimates import arithmetic
from podline_studies.reports.formatting import SPACE
from podline_studies.reports.sections import Files, Grid, Paragraph, Picture, Points, Section

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


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        (({"python": "3.11"}, {"python": "3.11"}), "Versions: python 3.11."),
        (
            ({"python": "3.11"}, {"python": "3.12", "numpy": "2"}),
            "Versions differ: session 1: python 3.11; session 2: python 3.12, numpy 2.",
        ),
        (({}, {}), "The versions of what ran are not known."),
    ],
)
def test_what_ran_is_told_by_session_where_it_differs(
    read: Read, versions: Sequence[dict[str, str]], told: str
) -> None:
    sessions = [{"session": 1, "versions": versions[0]}, {"session": 2, "versions": versions[1]}]
    (section,) = read('{% include "sessions.md" %}', about={"sessions": sessions})
    grid, paragraph = section.blocks
    assert paragraph == Paragraph(told)
    assert isinstance(grid, Grid)
    assert grid.rows == (("–", "1 and 2", "–", "–", "–", "–", "–"),)


def test_sessions_on_one_kind_of_machine_are_told_together(read: Read) -> None:
    here, there = {"machine": "A", "kernel": "6.1"}, {"machine": "B", "kernel": "6.1"}
    sessions = [
        {"session": number, "started": 60.0 * number, "ended": 60.0 * number + 60, **machine}
        for number, machine in enumerate([here, there, here, here | {"kernel": "6.2"}], 1)
    ]
    (section,) = read('{% include "sessions.md" %}', about={"sessions": sessions})
    grid = section.blocks[0]
    assert isinstance(grid, Grid)
    assert [(*row[:4], row[-1]) for row in grid.rows] == [
        ("A", "1 and 3", "1970-01-01 00:01 UTC", "1970-01-01 00:04 UTC", "6.1"),
        ("B", "2", "1970-01-01 00:02 UTC", "1970-01-01 00:03 UTC", "6.1"),
        ("A", "4", "1970-01-01 00:04 UTC", "1970-01-01 00:05 UTC", "6.2"),
    ]


def test_runs_of_sessions_are_told_where_they_are_counted(read: Read) -> None:
    about, text = {"sessions": [{"session": 3}]}, '{% include "sessions.md" %}'
    (section,) = read(text, about=about, runs_in=lambda sessions: 7 * sum(sessions))
    grid = section.blocks[0]
    assert isinstance(grid, Grid)
    assert (grid.head[-1], grid.rows[0][-1], grid.words) == ("runs", "21", 4)
    assert read(text, about={}) == []


def test_interruptions_are_told(read: Read) -> None:
    text = '{% include "interruptions.md" %}'
    (section,) = read(text, about={"interruptions": [{"after": 12}, {"after": 1200}]})
    told = "Interrupted after 12 and 1,200 measurements: each time a new session went on."
    assert section.blocks == (Points((told,)),)
    (section,) = read(text, about={"interruptions": [{"after": 12}]})
    assert section.blocks == (
        Points(("Interrupted after 12 measurements: a new session went on.",)),
    )
    assert read(text, about={})[0].blocks == (Points(("There was no interruption.",)),)


def test_files_alone_are_to_take_along(read: Read) -> None:
    text = "\n## Tables\n\n[what one\nhas](one.csv)\n[what the other has](the-other.csv)\n"
    files = Files((("one", "what one has"), ("the-other", "what the other has")))
    assert read(text) == [Section("Tables", (files,))]
