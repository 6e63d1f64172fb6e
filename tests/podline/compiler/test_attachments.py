"""Which files beside a notebook are shipped with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.attachments import attached_files, unshipped
from podline.compiler.notebook import read_document
from podline.exceptions import NotebookError

FILES = {
    "helpers.py": "import deep, os\nfrom package import part\n",
    "deep.py": "from helpers import x\n",
    "unused.py": "",
    "broken.py": "def (",
    "package/__init__.py": "from . import part\n",
    "package/part.py": "import deep\n",
    "package/data.json": "{}",
    "package/__pycache__/part.pyc": "",
    "src/lib.py": "",
    "data.csv": "a\n1\n",
    "data/one.csv": "1",
    "data/two.csv": "2",
    "data/more/three.csv": "3",
    "data/notes.txt": "",
    "other.ipynb": "{}",
    "with space.txt": "",
    "setting.py": "def load():\n    import json\n    return json.load(open('config.json'))\n",
    "config.json": "{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "inside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.csv").write_text("")
    return tmp_path / "inside"


def shipped(folder: Path, *sources: str, limit: int = 1000, **about: Any) -> list[str]:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["step:a"]}, "source": source}
        for source in sources
    ]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells}
    path = folder / "main.ipynb"
    path.write_text(json.dumps(content))
    document, problems = read_document(path)
    assert problems == []
    return [p.relative_to(folder).as_posix() for p in attached_files(document, limit)]


_PACKAGE = ["package/__init__.py", "package/data.json", "package/part.py"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import numpy", []),
        ("import deep", ["deep.py", "helpers.py", *_PACKAGE]),  # and what they import in turn
        ("from helpers import x", ["deep.py", "helpers.py", *_PACKAGE]),
        ("import broken", ["broken.py"]),
        ("__import__('broken')", ["broken.py"]),
        ("def f():\n    import broken", ["broken.py"]),
        ("import lib", ["src/lib.py"]),
        ("importlib.import_module('broken')", ["broken.py"]),
        ("import setting", ["config.json", "setting.py"]),
        ("open('data.csv')", ["data.csv"]),
        ("Path('./data.csv')", ["data.csv"]),
        ("f('with space.txt')", ["with space.txt"]),
        ("glob('data/*.csv')", ["data/one.csv", "data/two.csv"]),
        ("glob('data/**/*.csv')", ["data/more/three.csv", "data/one.csv", "data/two.csv"]),
        ("Path('data') / name", [n for n in sorted(FILES) if n.startswith("data/")]),
        ("f'data/{name}.csv'", [n for n in sorted(FILES) if n.startswith("data/")]),
        ("!cat {'data.csv'}", ["data.csv"]),
        ("!wc -l ./data.csv 'data/one.csv'|sort", ["data/one.csv", "data.csv"]),
        ("!echo data", []),
        ("%%bash\ncat data.csv > copy.csv", ["data.csv"]),
        ("x = 'no such file'", []),
        ("x = 'data.csv\\n'", []),
        ("x = ''; y = '.'; z = '/'; w = '..'", []),
        ("open('../outside.csv')", []),
        ("open('/etc/hostname')", []),
        ("x = 'other.ipynb'", []),
        ("print('*' * 40, '[' * 3, '**', '?', 'a\\0b')", []),
    ],
)
def test_what_a_cell_names(folder: Path, source: str, expected: list[str]) -> None:
    assert sorted(shipped(folder, source)) == sorted(expected)


_ALL = sorted({*FILES, "main.ipynb"} - {"package/__pycache__/part.pyc"})
_CSV = [name for name in _ALL if name.endswith(".csv")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("os.listdir()", _ALL),  # the notebook itself, too: it is listed in Jupyter
        ("os.listdir('.')", _ALL),
        ("from os import listdir as ls\nls()", _ALL),
        ("with os.scandir() as entries: pass", _ALL),
        ("list(os.walk(os.getcwd()))", _ALL),
        ("list(Path().iterdir())", _ALL),
        ("HERE = Path.cwd()\nlist(HERE.iterdir())", _ALL),
        ("def names(folder): return os.listdir(folder)\nnames('.')", _ALL),
        ("names = !ls -l", _ALL),
        ("%%bash\nfind . -name '*.csv'", _ALL),
        ("glob.glob('*')", [n for n in _ALL if not n.startswith("src/")] + ["src/lib.py"]),
        ("list(Path('.').rglob('*.csv'))", _CSV),
        ("glob('**/*.csv', recursive=True)", _CSV),
        ("list(Path.cwd().glob('*.csv'))", ["data.csv"]),
        ("glob.glob('*.ipynb')", ["main.ipynb", "other.ipynb"]),
        ("os.listdir(os.path.join('data', 'more'))", [n for n in _ALL if n.startswith("data/")]),
        ("!ls src", ["src/lib.py"]),
        ("subprocess.check_output(['ls', 'src'])", ["src/lib.py"]),
        ("os.system('wc -l ./data.csv > n')", ["data.csv"]),
        ("os.popen('ls | wc -l')", _ALL),
        ("model.run('ls of data.csv', 3); model.call(x)", ["data.csv"]),
        ("ast.walk(tree); words.walk(1); rows.glob", []),
        ("os.listdir(folder)", []),
    ],
)
def test_what_a_cell_lists(folder: Path, source: str, expected: list[str]) -> None:
    assert sorted(shipped(folder, source)) == sorted(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f'{name}.csv'", ["data.csv"]),
        ("name + '.csv'", ["data.csv"]),
        ("'{}.csv'.format(name)", ["data.csv"]),
        ("'%s.csv' % name", ["data.csv"]),
        ("base = 'da'\nopen(base + 'ta.csv')", ["data.csv"]),
        ("Path.cwd() / 'data.csv'", ["data.csv"]),
        ("kind = 'th'\nPath('data') / 'more' / f'{kind}*'", [n for n in _ALL if "data/" in n]),
        ("open('sub/../data.csv')", ["data.csv"]),
        ("create_engine('sqlite:///data.csv')", ["data.csv"]),
        ("sqlite3.connect('file:data.csv?mode=ro', uri=True)", ["data.csv"]),
        ("print('rows: ' + str(n)); 'a' + b; 1 / 2; a / b; f'{a}.{b}'; f'{a}/{b}'", []),
    ],
)
def test_paths_that_the_run_makes(folder: Path, source: str, expected: list[str]) -> None:
    found = set(shipped(folder, source)) - {"package/data.json"}
    assert sorted(found) == sorted(set(expected) - {"package/data.json"})


def test_of_hidden_folders_a_listing_ships_the_names(folder: Path) -> None:
    for name in (".git/config.csv", ".podline/store/data.csv", ".ipynb_checkpoints/a.csv", ".env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    expected = sorted([*_ALL, ".env", ".git", ".podline"])
    assert sorted(shipped(folder, "os.listdir()")) == expected
    assert sorted(shipped(folder, "list(Path().rglob('*.csv'))")) == _CSV
    assert sorted(shipped(folder, "glob.glob('*')")) == [".env", *_ALL]
    assert shipped(folder, "glob.glob('.git/*.csv')") == [".git/config.csv"]


def test_folders_that_are_empty_or_written_into(folder: Path) -> None:
    (folder / "empty/inner").mkdir(parents=True)
    assert "empty/inner" in shipped(folder, "os.listdir()")
    assert shipped(folder, "open('empty/out.csv', 'w')") == ["empty"]
    assert shipped(folder, "f'empty/{name}.csv'") == ["empty", "empty/inner"]
    assert shipped(folder, "open('data/new.csv', 'w')") == ["data"]
    assert shipped(folder, "'nowhere/new.csv', 'and/or', './x'") == []


def test_modules_of_a_folder_on_the_path_are_followed(folder: Path) -> None:
    (folder / "src/lib.py").write_text("rows = open('data/one.csv')")
    assert shipped(folder, "sys.path.append('src')\nimport lib") == ["data/one.csv", "src/lib.py"]


def test_what_is_only_guessed_is_left_out_where_it_is_too_much(folder: Path) -> None:
    (folder / "data.csv").write_bytes(b"x" * 100)
    assert shipped(folder, "f'{name}.csv', open('config.json')", limit=50) == ["config.json"]
    with pytest.raises(NotebookError, match="names or lists have"):
        shipped(folder, "os.listdir()", limit=50)


def test_a_parameter_s_value_names_files(folder: Path) -> None:
    shipped(folder, "open(name)")
    document, _ = read_document(folder / "main.ipynb")
    found = attached_files(document, 1000, ["data/one.csv", 3, "*", "../outside.csv"])
    assert [path.name for path in found] == ["one.csv"]


def test_what_a_stage_missed_is_told_if_it_is_there(folder: Path) -> None:
    shipped(folder, "x = 1")
    document, _ = read_document(folder / "main.ipynb")
    assert unshipped(document, ["nowhere", "data/one.csv", "data"]) == (
        "'data/one.csv' is beside the notebook, and was not shipped: its code does not name it. "
        'fix: give the notebook the metadata "podline": {"files": ["data/one.csv"]}'
    )
    assert unshipped(document, ["../outside.csv"]).startswith(
        "'../outside.csv' is outside the notebook's folder: a stage gets only what is in it. fix: "
    )
    assert unshipped(document, ["nowhere", "x" * 300]) == ""


def test_patterns_of_the_metadata(folder: Path) -> None:
    about: dict[str, Any] = {"podline": {"files": ["data/*.txt", "package"]}}
    assert shipped(folder, "x = 1", **about) == ["data/notes.txt", *_PACKAGE]


def test_a_skipped_cell_names_nothing(folder: Path) -> None:
    path = folder / "main.ipynb"
    shipped(folder, "open('data.csv')")
    path.write_text(path.read_text().replace("step:a", "skip"))
    assert attached_files(read_document(path)[0], 1000) == []


def test_too_much_is_refused_by_name(folder: Path) -> None:
    (folder / "data.csv").write_bytes(b"x" * 100)
    assert shipped(folder, "open('data.csv'), open('data/one.csv')", limit=101)
    with pytest.raises(NotebookError) as caught:
        shipped(folder, "open('data.csv'), open('data/one.csv')", limit=100)
    assert "have 101 bytes" in str(caught.value)
    assert "the largest is data.csv" in str(caught.value)
