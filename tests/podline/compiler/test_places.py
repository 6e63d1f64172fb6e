"""What is known of a path without running the code that makes it."""

import ast

import pytest

from podline.compiler.places import Places

BEFORE = """
import os as o
from os import listdir as ls
HERE = Path.cwd()
ROOT: Path = HERE.parent
base = "data/"
loop = loop
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'data/a.csv'", "data/a.csv"),
        ("base + 'a.csv'", "data/a.csv"),
        ("base + name", "data/*"),
        ("f'{base}{name}.csv'", "data/*.csv"),
        ("'{}/{}.csv'.format(a, b)", "*/*.csv"),
        ("'data/%03d.csv' % n", "data/*.csv"),
        ("Path('data') / name / 'a.csv'", "data/*/a.csv"),
        ("HERE / 'data'", "data"),
        ("str(HERE.resolve())", "."),
        ("os.path.abspath('data')", "data"),
        ("os.path.join(os.curdir, 'data', 'a.csv')", "data/a.csv"),
        ("os.path.join(os.pardir, name)", "../*"),
        ("ROOT.joinpath('x')", "../x"),
        ("Path('a/b/c').parents[1]", "a"),
        ("os.path.dirname(base + 'a.csv')", "data"),
        ("'sqlite:///' + base + 'x.db'", "data/x.db"),
        ("name", None),
        ("1 + 2", None),
        ("a / b", None),
        ("f(1)", None),
        ("loop", None),
    ],
)
def test_the_path_of_an_expression(source: str, expected: str | None) -> None:
    places = Places()
    places.learn(ast.parse(BEFORE).body)
    assert places.of(ast.parse(source, mode="eval").body) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("os.listdir()", ["."]),
        ("o.walk(base)", ["data/"]),
        ("ls(name)", [None]),
        ("HERE.iterdir()", ["."]),
        ("Path('data').rglob('*.csv')", ["data/**/*.csv"]),
        ("glob.glob('*')", ["*"]),
        ("glob(f'{base}*')", ["data/*"]),
        ("folder.glob('*')", [None]),
        ("shutil.copytree('data', 'x')", ["data"]),
        ("ast.walk(tree)", []),
        ("rows.sort()", []),
    ],
)
def test_what_a_call_lists(source: str, expected: list[str | None]) -> None:
    places = Places()
    places.learn(ast.parse(BEFORE).body)
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    assert places.looked_at(call) == expected
