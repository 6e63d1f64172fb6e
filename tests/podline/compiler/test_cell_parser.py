"""A cell's source as statements: plain Python, magics, shell lines, and what is refused."""

import ast

import pytest

from podline.compiler.cell_parser import Statements, expansions, parse_cell
from podline.compiler.dataflow import Flow
from podline.compiler.namespace import KNOWN_NAMES
from podline.compiler.notebook import Cell


def parse(source: str) -> Statements:
    statements, problems = parse_cell(Cell(3, "code", source))
    assert problems == []
    return statements


def complaint(source: str) -> str:
    _, problems = parse_cell(Cell(3, "code", source))
    (problem,) = problems
    return problem.render("n.ipynb")


def names(source: str) -> tuple[str, str]:
    """The names that a cell reads and those that it may bind."""
    flow = Flow(3, {})
    flow.run(parse(source).body)
    read = {*flow.effects.reads, *flow.effects.deferred} - KNOWN_NAMES
    return " ".join(sorted(read)), " ".join(sorted(flow.effects.may_bind))


def test_plain_python_keeps_its_text_and_lines() -> None:
    statements = parse("a = 1\n\n\nb = (\n  2)\n")
    assert [statement.lineno for statement in statements.body] == [1, 4]
    assert statements.text == "a = 1\n\n\nb = (\n  2)\n"
    assert not statements.whole


@pytest.mark.parametrize("source", ["", "\n \n", "# only a comment", "# one\n\n# two"])
def test_a_cell_of_nothing(source: str) -> None:
    assert parse(source).body == []


@pytest.mark.parametrize(
    ("source", "read", "bound"),
    [
        ("%matplotlib inline", "", ""),
        ("%load_ext autoreload\n%autoreload 2\nx = 1", "", "x"),
        ("%time y = f(x)", "f x", "y"),
        ("%timeit f(x)", "f x", ""),
        ("%timeit -n 3 -r 1 f(x)", "f x", ""),
        ("%%time\ny = f(x)", "f x", "y"),
        ("%%timeit\ny = f(x)", "f x", "__timeit__"),
        ("%%capture out\nprint(x)\ny = 1", "x", "out y"),
        ("%%capture --no-stderr out\ny = 1", "", "out y"),
        ("!ls $folder/{name}.csv", "folder name", ""),
        ("files = !ls {folder}", "folder", "files"),
        ("t = %time f(x)", "f x", "t"),
        ("%cd $folder", "folder", ""),
        ("%env KEY=$value", "value", ""),
        ("%%bash -s $x --out text\necho $1", "x", "text"),
        ("%%writefile $name\n{not read}", "name", ""),
        ("%%html\n<b>{x}</b>", "", ""),
        ("x?", "", ""),
        ("?x.y", "", ""),
        ("await f(x)", "f x", ""),
        ("async with a as b: c = await b", "a", "b c"),
        ("[x async for x in xs]", "xs", ""),
        (">>> y = x\n>>> z = y", "x", "y z"),
        ("text = '''\n%time\n!ls\n'''", "", "text"),
        ("y = x \\\n    % 3", "x", "y"),
        ("ls", "", ""),
        ("pip install pandas", "", ""),
        ("ls = 3", "", "ls"),
        ("get_ipython().run_line_magic('time', 'y = x')", "x", "y"),
        ("if x:\n    %time y = z", "x z", "y"),
        ("x;", "x", ""),
    ],
)
def test_magics_and_shell_lines(source: str, read: str, bound: str) -> None:
    assert names(source) == (read, bound)


def test_a_cell_magic_holds_its_cell_together() -> None:
    assert parse("%%time\na = 1\nb = 2").whole
    assert not parse("%time a = 1\nb = 2").whole


def test_lines_are_those_of_the_cell() -> None:
    (statement,) = parse("%%time\n\n\na = 1").body
    assert statement.lineno == 4
    body = parse("%load_ext x\n!ls\na = 1").body
    assert isinstance(body[-1], ast.Assign)
    assert body[-1].lineno == 3


@pytest.mark.parametrize(
    ("source", "line", "fix"),
    [
        ("%run other.py", 1, "import the script's functions"),
        ("a = 1\n%reset -f", 2, "delete them with del"),
        ("%store x", 1, "let podline carry"),
        ("%load x.py", 1, "paste the code"),
        ("%pylab inline", 1, "import numpy as np"),
        ("if x:\n    %run a.py", 2, "import the script's functions"),
        ("%%cython\ndef f(): pass", 1, "a module of its own"),
    ],
)
def test_magics_that_change_names_unseen_are_refused(source: str, line: int, fix: str) -> None:
    text = complaint(source)
    assert text.startswith(f"n.ipynb, cell 3, line {line}: error: the magic %")
    assert source.splitlines()[line - 1].strip() in text
    assert fix in text.partition("fix: ")[2]


@pytest.mark.parametrize(
    ("source", "line", "quote", "what"),
    [
        ("a = 1\nb = (", 2, "b = (", "'(' was never closed"),
        ("def f(:\n    pass", 1, "def f(:", "invalid syntax"),
        ("if x:\npass", 2, "pass", "expected an indented block"),
        ("a = 1\n  b = 2", 2, "b = 2", "unexpected indent"),
        ("x = 'a", 1, "x = 'a", "unterminated string"),
        ("%%time\nx = (", 2, "x = (", "'(' was never closed"),
        ("print 'x'", 1, "print 'x'", "Missing parentheses"),
    ],
)
def test_syntax_errors_name_line_and_quote(source: str, line: int, quote: str, what: str) -> None:
    text = complaint(source)
    assert text.startswith(f"n.ipynb, cell 3, line {line}: error: syntax error: ")
    assert what in text
    assert f"\n    {quote}\n" in text
    assert "fix: " in text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("echo $x ${y} $$z $1", ["x", "y"]),
        ("echo {x + f(y)} {{z}}", ["x", "f", "y"]),
        ("awk '{print $1}'", []),
        ("nothing", []),
    ],
)
def test_expansions(line: str, expected: list[str]) -> None:
    assert expansions(line) == expected


def test_warnings_of_the_source_are_the_run_s_own() -> None:
    # An invalid escape is a SyntaxWarning, which would be an error here.
    assert len(parse(r"x = '\d'").body) == 1
