"""Parameters: what is one, its type and its description, and how a run's value takes its place."""

import ast
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podline.compiler.cell_parser import parse_cell
from podline.compiler.notebook import Cell
from podline.compiler.parameters import Parameter, read_parameters, substitute


def parameters(source: str) -> list[Parameter]:
    statements, problems = parse_cell(Cell(1, "code", source))
    assert problems == []
    return read_parameters(statements)


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(source, names)
    names.pop("__builtins__")
    return names


@pytest.mark.parametrize(
    ("source", "default", "kind"),
    [
        ("x = 3", 3, "integer"),
        ("x = -3", -3, "integer"),
        ("x = 1e-3", 0.001, "number"),
        ("x = True", True, "boolean"),
        ("x = 'a'", "a", "string"),
        ("x = 'a' 'b'", "ab", "string"),
        ("x = [1, 'a']", [1, "a"], "array"),
        ("x = {'a': 1}", {"a": 1}, "object"),
        ("x = None", None, "null"),
        ("x: float = 1.5", 1.5, "number"),
        ("x = (\n    3\n)", 3, "integer"),
    ],
)
def test_a_literal_is_a_parameter_of_its_type(source: str, default: Any, kind: str) -> None:
    (parameter,) = parameters(source)
    assert (parameter.name, parameter.default, parameter.type) == ("x", default, kind)
    assert type(parameter.default) is type(default)


NO_PARAMETERS = """
x = y * 2 | x = f() | x = y = 3 | x, y = 1, 2 | x.y = 1 | x[0] = 1 | x += 1 | import x | x: int
def x(): pass | x = (1, 2) | x = b'a' | x = {1, 2} | x = 1 + 2j
x = [(1, 2)] | x = {1: 2} | x = {'a': {1}} | x = 1e999 | x = 9007199254740993
"""


@pytest.mark.parametrize("source", re.split(r" \| |\n", NO_PARAMETERS.strip()))
def test_what_is_none(source: str) -> None:
    assert parameters(source) == []


def test_descriptions() -> None:
    source = "\n".join(
        [
            "# Rows to read,",
            "# at most.",
            "rows = 10",
            "rate = 0.1  # learning rate",
            "# not this one",
            "",
            "name = '#1'",
            "sizes = [",
            "    1,  # small",
            "]  # of all",
            "ü = 'ä'  # ß",
        ]
    )
    assert {p.name: p.description for p in parameters(source)} == {
        "rows": "Rows to read, at most.",
        "rate": "learning rate",
        "name": "",
        "sizes": "of all",
        "ü": "ß",
    }


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ("a = 1", {"a": 2}, "a = 2"),
        ("a = 1", {"b": 2}, "a = 1"),
        ("a = 1; b = 2", {"b": 3}, "a = 1; b = 3"),
        ("a = 1; b = 2", {"a": 30, "b": 40}, "a = 30; b = 40"),
        ("a: int = 1  # one", {"a": 2}, "a: int = 2  # one"),
        ("a = [\n 1,\n]\nb = 2", {"a": [3]}, "a = [3]\nb = 2"),
        ("a = (1)", {"a": 2}, "a = (2)"),
        ("ü = 'ä'; b = 'ö'  # ß", {"b": "é"}, "ü = 'ä'; b = 'é'  # ß"),
        ("a = 'x'", {"a": 'it\'s "so"\n'}, "a = 'it\\'s \"so\"\\n'"),
        ("a = 1\na = 2", {"a": 3}, "a = 3\na = 3"),
        ("a = 1\nb = a * 2", {"a": 3}, "a = 3\nb = a * 2"),
        ("%time a = 1", {"a": 2}, "%time a = 1"),
    ],
)
def test_a_value_takes_the_default_s_place(source: str, values: Any, expected: str) -> None:
    assert substitute(source, values) == expected


@pytest.mark.parametrize("value", [math.inf, -math.inf, [1.0, math.inf], {"a": -math.inf}])
def test_numbers_without_a_literal(value: Any) -> None:
    assert run(substitute("a = 1.0", {"a": value})) == {"a": value}


def test_not_a_number() -> None:
    assert math.isnan(run(substitute("a = 1.0", {"a": math.nan}))["a"])


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(_PLAIN, _PLAIN)
def test_any_plain_values(first: Any, second: Any) -> None:
    source = "before = 0\na = 1; b = [\n 'x',\n]  # both\nafter = (a, b)"
    names = run(substitute(source, {"a": first, "b": second}))
    assert names == {"before": 0, "a": first, "b": second, "after": (first, second)}


def test_what_it_gives_is_python() -> None:
    ast.parse(substitute("a = 'x'", {"a": "\u2028\x00'''\\"}))
