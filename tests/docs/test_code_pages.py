"""The pages that are made of code say all that the code does."""

import re
from collections.abc import Mapping
from inspect import cleandoc

import pytest

from docs import code_pages
from podline.phases import TABLE
from tests.support.commands import COMMANDS


@pytest.fixture(scope="module")
def made() -> Mapping[str, str]:
    return code_pages.made()


def test_every_command_has_its_help(made: Mapping[str, str]) -> None:
    parts = re.findall(
        r"^## podline ?([a-z -]*)\n\n```text\n(.*?)```", made["reference/commands.md"], re.M | re.S
    )
    helps = dict(parts)
    assert helps.keys() >= COMMANDS.keys()
    for name, options in COMMANDS.items():
        assert all(option in helps[name] for option in options), name
        assert f"podline {name}" in helps[name]


def test_every_phase_has_a_row(made: Mapping[str, str]) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", made["reference/phases.md"], re.M)
    assert rows == [kind.name for kind in TABLE]


def test_every_route_of_the_api_is_told(made: Mapping[str, str]) -> None:
    from podline.web.routes import make_app

    page = made["reference/api.md"]
    described = make_app().openapi()
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"### {method.upper()} {path}\n" in page
    for name in described["components"]["schemas"]:
        assert f"### {name}\n" in page


def test_fields_come_with_their_types_and_meanings(made: Mapping[str, str]) -> None:
    page = made["reference/schemas.md"]
    assert "| `precision` | `float` |  | seconds to which that is known. |" in page
    assert "| `sha256` | `str` |  |" in page
    assert "| `served` | `tuple[ServedForm, ...]` | `()` | the forms that an edge serves" in page


def test_a_text_for_several_fields_is_each_ones() -> None:
    doc = """A part.

    Attributes:
        start, seconds: where it lies,
            in seconds.
        name: what it is called; `order`: its place, from 0.
    """
    assert code_pages.meanings(cleandoc(doc)) == {
        "start": "where it lies, in seconds.",
        "seconds": "where it lies, in seconds.",
        "name": "what it is called",
        "order": "its place, from 0.",
    }
