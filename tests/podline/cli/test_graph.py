"""The drawing of a graph says what waits for what: it can be read back."""

import re
from collections.abc import Sequence
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from podline.cli.graph import ASCII, draw, mermaid


def drawn(parents: dict[str, list[str]]) -> str:
    return "\n".join(draw(parents))


def test_a_chain() -> None:
    assert drawn({"a": [], "b": ["a"], "c": ["b"]}) == "●  a\n●  b\n●  c"


def test_branches_and_a_second_root_join() -> None:
    parents = {"load": [], "left": ["load"], "right": ["load"], "other": []}
    expected = """\
        ●      load
        ├─╮
        ● │    left
        │ ●    right
        │ │ ●  other
        ├─┴─╯
        ●      join"""
    assert drawn(parents | {"join": ["left", "right", "other"]}) == dedent(expected)


def test_a_rail_is_crossed() -> None:
    parents = {"a": [], "b": ["a"], "c": ["a"], "d": ["b"], "e": ["b"], "f": ["c", "d", "e"]}
    expected = """\
        ●      a
        ├─╮
        ● │    b
        ├─┼─╮
        │ ● │  c
        ● │ │  d
        │ │ ●  e
        ├─┴─╯
        ●      f"""
    assert drawn(parents) == dedent(expected)


def test_what_does_not_wait_is_set_apart() -> None:
    assert drawn({"a": [], "b": ["a"], "x": []}) == "●  a\n●  b\n\n●  x"


def test_plain_characters_keep_the_widths() -> None:
    text = drawn({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    plain = text.translate(ASCII)
    assert plain.isascii()
    assert list(map(len, plain.splitlines())) == list(map(len, text.splitlines()))


def test_nothing_to_draw() -> None:
    assert draw({}) == []


def test_mermaid_uses_no_stage_as_an_id() -> None:
    assert mermaid({"start": [], "end": ["start"], "graph": ["start", "end"]}) == dedent(
        """\
        flowchart TD
            s1["start"]
            s2["end"]
            s3["graph"]
            s1 --> s2
            s1 --> s3
            s2 --> s3"""
    )


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Stages in an order in which they can run, each waiting for some before it."""
    parents: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 9))):
        waits = draw(st.lists(st.sampled_from(sorted(parents)), unique=True)) if parents else []
        parents[f"s{number}"] = sorted(waits)
    return parents


@given(graphs())
def test_a_drawing_can_be_read_back(parents: dict[str, list[str]]) -> None:
    assert read(draw(parents)) == parents


def read(lines: Sequence[str]) -> dict[str, list[str]]:
    """Follow the rails of a drawing, as an eye does: the stages that each stage waits for."""
    found: dict[str, list[str]] = {}
    rails: dict[int, list[str]] = {}  # by column: where the rail comes from
    for line in lines:
        row, name = re.fullmatch(r"([●│├╮╯─┬┴┼ ]*?)(?:\s+(s\d+))?", line).groups()  # type: ignore[union-attr]
        marks = dict(enumerate(row[::2]))
        rails = {
            column: sources for column, sources in rails.items() if marks.get(column, " ") != " "
        }
        if name:
            own = row.index("●") // 2
            found[name] = sorted(rails.get(own, []))
            rails[own] = [name]
        elif "├" in row:
            own = row.index("├") // 2
            for column in [column for column, mark in marks.items() if mark in "╮┬"]:
                rails[column] = list(rails[own])
            for column in [column for column, mark in marks.items() if mark in "╯┴"]:
                rails[own] += rails.pop(column)
    return found
