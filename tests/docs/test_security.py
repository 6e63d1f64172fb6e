"""Each promise of docs/security.md names a test that is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/security.md", "docs/reliability.md")


def named(page: str) -> list[tuple[str, str]]:
    """The tests that a page names: file and function."""
    text = (ROOT / page).read_text()
    found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    return found + [
        (path, name)
        for name, path in re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)", text)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_that_it_names_are_there(page: str) -> None:
    found = named(page)
    assert len(found) > 10
    for path, name in found:
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{page}: {path}::{name}"


def test_every_promise_names_one() -> None:
    text = (ROOT / "docs/security.md").read_text()
    promises = text.partition("## Promises")[2].partition("## Networks")[0]
    rows = [line for line in promises.splitlines() if line.startswith("|")]
    rows = [row for row in rows if not row.startswith(("|---", "| promise"))]
    assert len(rows) > 20
    for row in rows:
        assert row.count("::test_") == 1, row
