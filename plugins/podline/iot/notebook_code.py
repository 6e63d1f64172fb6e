"""Functions and constants of a notebook, for whoever must do as its stages do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from podline.compiler.compiler import compile_notebook
from podline.contract import Carried
from podline.exceptions import PodlineError


class CodeError(PodlineError):
    """A notebook does not define a name."""


def load(notebook: Path, *names: str) -> dict[str, Any]:
    """What names of a notebook's imports and functions cells stand for.

    Only the statements that they need run, so that no library is loaded for nothing.

    Args:
        notebook: its file.
        names: those that are wanted.

    Raises:
        NotebookError: it does not compile.
        CodeError: it does not define a name.
    """
    carried = compile_notebook(notebook).carried
    known = {name for statement in carried for name in statement.binds}
    if missing := [name for name in names if name not in known]:
        raise CodeError(f"{notebook} defines no {missing[0]!r} in an imports or functions cell")
    namespace: dict[str, Any] = {}
    for statement in _needed(carried, names):
        code = compile(statement.source, f"{notebook.name}, cell {statement.cell}", "exec")
        exec(code, namespace)
    return {name: namespace[name] for name in names}


def _needed(carried: Iterable[Carried], names: Iterable[str]) -> list[Carried]:
    """The statements that bind these names or what they read, in the notebook's order."""
    statements, wanted = [*carried], set(names)
    while True:
        found = [one for one in statements if wanted & set(one.binds)]
        more = wanted.union(*(one.reads for one in found))
        if more == wanted:
            return found
        wanted = more
