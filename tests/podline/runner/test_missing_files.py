"""Which paths a failed cell may have missed, told from its error."""

import linecache
import os
import sys
from pathlib import Path

import pytest

from podline.runner.missing_files import missing_paths


def missed(source: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Run a cell in a stage's working directory, as IPython does, and ask about its error."""
    monkeypatch.chdir(work)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = "<cell>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever the cell raises
        exec(compile(source, name, "exec"), {})
    return missing_paths(caught.value, work)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "stage/work").mkdir(parents=True)
    (tmp_path / "stage" / "work" / "there.csv").write_text("")
    return tmp_path / "stage/work"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open('data/a.csv')", "data/a.csv"),
        ("import os\nopen(os.path.abspath('a.csv'))", "a.csv"),
        ("import os\nopen(os.path.abspath('../a.csv'))", "../a.csv"),
        ("import os\nos.rename('there.csv', 'no/b.csv')", "no/b.csv"),
        ("import no_such", "no_such.py"),
        ("import sys\nsys.path.append('../lib')\nimport no_such", "../lib/no_such.py"),
        ("raise ValueError('cannot find a.h5 (errno 2)')", "a.h5"),
        (
            "import sqlite3\ndef load(n):\n    sqlite3.connect(f'file:{n}/a.db?mode=ro', uri=True)\n"
            "load('x')",
            "x/a.db",
        ),
        ("def f(n):\n    return {}[f'd/{n}']\nf('q')", "d/q"),
        ("try:\n    open('a.csv')\nexcept OSError:\n    raise RuntimeError", "a.csv"),
    ],
)
def test_a_path_that_is_not_there(
    source: str, expected: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert expected in missed(source, work, monkeypatch)


@pytest.mark.parametrize(
    "source",
    ["1 / 0", "raise ValueError('there.csv')", "open('/nowhere/a.csv')", "int('x' * 20_000)"],
)
def test_what_misses_nothing_of_the_notebook_s(
    source: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = missed(source, work, monkeypatch)
    assert not any(os.path.exists(work / path) or "nowhere" in path for path in found)


def test_values_of_another_error_s_line_are_not_kept(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "word = 'ab/c.d'\ndef log_in(word):\n    raise RuntimeError('denied')\nlog_in(word)"
    assert missed(source, work, monkeypatch) == ()
