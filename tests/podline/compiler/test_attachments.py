"""Which files beside a notebook are shipped with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.attachments import attached_files
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
