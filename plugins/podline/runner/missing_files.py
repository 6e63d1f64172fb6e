"""The paths that a failed cell missed: files that may be beside the notebook, and were not shipped.

An error of Python's names its path; that of a library may name it somewhere in its text, or not at
all. Then the line that failed tells it, with what its names stand for::

    sqlite3.connect(f"{folder}/{name}.db")    OperationalError: unable to open database file
"""

import ast
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path, PurePath
from types import TracebackType

from podline.compiler.places import Places

_ABOUT_FILES = re.compile(r"(?i)\b(file|folder|directory|path|not found|open|exist)")
_LONGEST = 50  # so many are told
_QUOTED = re.compile(r"""'([^'\n]+)'|"([^"\n]+)\"""")
_BETWEEN_WORDS = re.compile(r"""[\s'",;()]+""")


def missing_paths(error: BaseException, work: Path) -> tuple[str, ...]:
    """Return the paths that an error may be about and that are not there.

    Args:
        error: what a cell raised.
        work: the stage's working directory.

    Returns:
        Paths relative to it, those above it with `..`.
    """
    found: dict[str, None] = {}
    for cause in _chain(error):
        named = [*_named(cause), *_words(str(cause))]
        # Of another error its lines' values are nobody's business: one may be a password.
        if isinstance(cause, FileNotFoundError) or _ABOUT_FILES.search(str(cause)):
            named = [*_named(cause), *_in_lines(cause.__traceback__, work), *named]
        for text in named:
            if path := _relative(text, work):
                found[path] = None
    return tuple(found)[:_LONGEST]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _named(error: BaseException) -> Iterator[str]:
    """The files of an error, and those that the module may be which it did not find."""
    if isinstance(error, OSError):
        yield from (os.fsdecode(f) for f in (error.filename, error.filename2) if _is_path(f))
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.replace(".", "/")
        for folder in ("", *sys.path):
            yield from (os.path.join(folder, f"{name}.py"), os.path.join(folder, name))


def _words(text: str) -> Iterator[str]:
    """What is quoted in a text, and its words that look like paths."""
    text = text[:10_000]
    yield from ("".join(groups) for groups in _QUOTED.findall(text))
    yield from (w.rstrip(".:") for w in _BETWEEN_WORDS.split(text) if "." in w or "/" in w)


def _in_lines(trace: TracebackType | None, work: Path) -> Iterator[str]:
    """The paths in the lines that failed, of the notebook's cells and of modules beside it."""
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        if name.startswith(("<", str(work))) or "ipykernel" in name:
            places = Places()
            for known, value in {**frame.f_globals, **frame.f_locals}.items():
                if isinstance(value, str | int | PurePath):
                    places.values[known] = ast.Constant(str(value))
            for node in _at("".join(linecache.getlines(name, frame.f_globals)), line):
                if (place := places.of(node)) and "*" not in place:
                    yield place


def _at(source: str, line: int) -> Iterator[ast.expr]:
    """The expressions of the innermost statement at a line."""
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except SyntaxError:
        return
    around = [n for n in nodes if isinstance(n, ast.stmt) and n.lineno <= line <= _end(n)]
    for statement in around[-1:]:
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.expr))


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _is_path(value: object) -> bool:
    return isinstance(value, str | bytes | PurePath) and 0 < len(os.fspath(value)) < 4096


def _relative(text: str, work: Path) -> str:
    """The path from the working directory; nothing where it is there, or elsewhere."""
    path = os.path.normpath(os.path.join(os.getcwd(), text))
    if "://" in text:
        return ""
    absolute = os.path.isabs(text) and not path.startswith(f"{work.parent}{os.sep}")
    if absolute or "\0" in path or os.path.exists(path):
        return ""
    return os.path.relpath(path, work)
