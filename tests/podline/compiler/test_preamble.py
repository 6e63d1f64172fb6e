"""Statements that are carried: where they are run again, and what that needs."""

import pytest

from podline.compiler.cell_parser import parse_cell
from podline.compiler.function_effects import Function
from podline.compiler.notebook import Cell
from podline.compiler.preamble import CarriedStatement, carry_cell, carry_imports, note_modules


def carry(source: str, before: str = "") -> list[CarriedStatement]:
    functions: dict[str, Function] = {}
    modules: dict[str, str] = {}
    for number, cell in enumerate((before, source), start=1):
        statements, problems = parse_cell(Cell(number, "code", cell))
        assert problems == []
        result = carry_cell(number, statements, functions, modules)
    return result


def only(source: str, before: str = "") -> CarriedStatement:
    (statement,) = carry(source, before)
    return statement


def triggers(source: str, before: str = "") -> str:
    return " ".join(only(source, before).carried.triggers)


def test_a_cell_is_taken_apart_into_statements_with_their_text() -> None:
    source = "import a\n\nB = [\n    1,\n]  # sizes\n@deco\ndef f():\n    return 1\nx = 1; y = 2"
    carried = [statement.carried for statement in carry(source)]
    assert [(c.line, c.source) for c in carried] == [
        (1, "import a"),
        (3, "B = [\n    1,\n]  # sizes"),
        (6, "@deco\ndef f():\n    return 1"),
        (9, "x = 1; y = 2"),
    ]
    assert [c.binds for c in carried] == [("a",), ("B",), ("f",), ("x", "y")]


@pytest.mark.parametrize("strange", ["\u2028", "\x0c", "\x85", "\x1c"])
def test_only_python_s_own_line_ends_count(strange: str) -> None:
    source = f"SEPARATOR = 'a{strange}b'\nimport json"
    assert [s.carried.source for s in carry(source)] == source.split("\n")


def test_windows_line_ends() -> None:
    carried = [s.carried for s in carry("import a\r\nB = {\r\n 1: 2}\r\n")]
    assert [c.source for c in carried] == ["import a", "B = {\n 1: 2}"]


def test_a_cell_magic_stays_whole() -> None:
    statement = only("%%time\nimport a\nb = 1")
    assert statement.carried.source == "%%time\nimport a\nb = 1"
    assert statement.carried.binds == ("a", "b")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b", "a"),
        ("import a as b", "b"),
        ("from a import b, c as d", "b d"),
        ("x = 1", "x"),
        ("def f(): pass", "f"),
        ("class A: pass", "A"),
        ("if x: y = 1", "y"),
        ("from __future__ import annotations", ""),  # in every stage
        ("print('hello')", ""),
        ("!pip list", ""),
        ("%load_ext autoreload", ""),
        ("%matplotlib inline", "matplotlib matplotlib. mpl plt seaborn sns"),
    ],
)
def test_where_a_statement_is_run_again(source: str, expected: str) -> None:
    assert triggers(source) == expected


@pytest.mark.parametrize(
    ("source", "before", "expected"),
    [
        (
            "sns.set_theme()",
            "import seaborn as sns",
            "matplotlib matplotlib. mpl plt seaborn seaborn. sns",
        ),
        ("pd.set_option('x', 1)", "import pandas as pd", "pandas. pd"),
        ("plt.rcParams['x'] = 1", "import matplotlib.pyplot as plt", "matplotlib. plt"),
        ("tf.random.set_seed(1)", "import tensorflow as tf", ""),  # numpy's may follow it
        ("np.random.seed(1)", "import numpy as np", ""),
        ("np.seterr(all='raise')", "import numpy as np", ""),
        ("warnings.filterwarnings('ignore')", "import warnings", ""),
        ("A.append(1)", "A = []", "A"),
        ("A[0] = 1", "A = [0]", "A"),
        ("@register\ndef g(): pass", "R = []\ndef register(f): R.append(f)", "R g"),
        ("@show.register\ndef _(x): pass", "def show(x): pass", "_ show"),
        ("@np.vectorize\ndef f(x): pass", "import numpy as np", "f"),
        (
            "@pd.api.extensions.register_dataframe_accessor('geo')\nclass Geo: pass",
            "import pandas as pd",
            "Geo pandas.",
        ),
        (
            "@keras.saving.register_keras_serializable()\nclass Scale: pass",
            "import keras",
            "Scale keras.",
        ),
    ],
)
def test_what_sets_up_or_registers(source: str, before: str, expected: str) -> None:
    assert triggers(source, before) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1", False),
        ("x = [1, 'a']", False),
        ("x = Path('a')", True),
        ("x: dict = dict()", True),
        ("x = y = f()", True),
        ("def f(): return g()", False),
        ("import a", False),
    ],
)
def test_a_computed_value_is_made_once(source: str, expected: bool) -> None:
    assert only(source).carried.value is expected


def test_what_it_needs_now_and_when_it_is_called() -> None:
    statement = only("def f(x=d):\n    return g(x) + k")
    assert statement.carried.reads == ("d", "g", "k")
    assert set(statement.effects.reads) == {"d"}
    assert set(statement.effects.deferred) == {"g", "k"}


def test_a_star_is_known_as_one() -> None:
    assert only("from math import *").star
    assert not only("from math import pi").star


def test_a_step_gives_its_imports_only() -> None:
    source = "import a\nx = 1\nif x:\n    import b\nfrom c import d; import e\nimport f; y = 2"
    statements, _ = parse_cell(Cell(4, "code", source))
    carried = [s.carried for s in carry_imports(4, statements)]
    assert [(c.line, c.source) for c in carried] == [
        (1, "import a"),
        (5, "from c import d; import e"),
    ]
    whole, _ = parse_cell(Cell(4, "code", "%%time\nimport a"))
    assert carry_imports(4, whole) == []


def test_modules_are_noted_by_their_root() -> None:
    modules: dict[str, str] = {}
    statements, _ = parse_cell(
        Cell(1, "code", "import a.b, c as d\nfrom e.f import g as h, i\nfrom . import j")
    )
    note_modules(statements.body, modules)
    assert modules == {"a": "a", "d": "c", "h": "e", "i": "e"}
