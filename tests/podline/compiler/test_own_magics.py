"""Which magics cells register and use, and which stage gets those of the preamble."""

import pytest

from podline.compiler.cell_parser import parse_cell
from podline.compiler.notebook import Cell
from podline.compiler.own_magics import registered, used

from .conftest import Check


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@register_line_magic\ndef greet(line): ...", [("greet", 2)]),
        ("@magic.register_cell_magic('shout')\ndef _(line, cell): ...", [("shout", 2)]),
        ("@register_line_cell_magic()\ndef both(line, cell=None): ...", [("both", 2)]),
        ("class Tools(Magics):\n    @line_magic\n    def tool(self, line): ...", [("tool", 3)]),
        ("get_ipython().register_magic_function(f, 'line', 'eff')", [("eff", 1)]),
        ("ip.register_magic_function(f)", [("f", 1)]),
        ("%alias_magic -l t timeit", [("t", 1)]),
        ("@functools.cache\ndef greet(line): ...", []),
    ],
)
def test_registered(source: str, expected: list[tuple[str, int]]) -> None:
    statements, _ = parse_cell(Cell(1, "code", source))
    assert [*registered(statements.body)] == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\ny = %greet you", [("greet", 2)]),
        ("\n%%shout\nloud", [("shout", 2)]),
        ("!ls", []),
        ("x = 7 % greet", []),
    ],
)
def test_used(source: str, expected: list[tuple[str, int]]) -> None:
    statements, _ = parse_cell(Cell(1, "code", source))
    assert [*used(source, statements.body)] == expected


def test_a_magic_of_the_preamble_is_run_where_it_is_used(check: Check) -> None:
    pipeline = check(
        ("functions", "@register_line_magic('hello')\ndef _(line): return line"),
        ("step:a", "x = 1"),
        ("step:b", "%hello you"),
        ("step:c", "%%hello\nyou"),
    )
    (define,) = pipeline.carried
    needing = [s.name for s in pipeline.stages if s.effects.all_reads & {*define.triggers}]
    assert needing == ["b", "c"]


def test_a_magic_of_the_same_stage(check: Check) -> None:
    define = "@register_line_magic\ndef greet(line): return line"
    assert not check(("step:a", define), ("", "%greet you"), ("step:b", "x = 1")).errors[1:]
