"""Notebooks as a user names them, compiled, and what is wrong with them said."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from podline.compiler.notebook import ERROR, Problem

if TYPE_CHECKING:
    from podline.compiler.pipeline import Pipeline


def find(paths: Iterable[Path]) -> dict[Path, list[Problem]]:
    """Return the notebooks meant, each once: files as they are, folders for what is in them.

    What is below a hidden folder, such as .ipynb_checkpoints, is left out. A folder without a
    notebook stands for itself, with that as its problem.
    """
    found: dict[Path, list[Problem]] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = []
            continue
        inside = [p for p in sorted(path.rglob("*.ipynb")) if not _hidden(p.relative_to(path))]
        found |= {notebook: [] for notebook in inside}
        if not inside:
            problem = Problem("has no notebook in it", "name a folder with .ipynb files, or a file")
            found[path] = [problem]
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def compiled(path: Path) -> Pipeline:
    """Return the notebook, compiled; its warnings go to standard error.

    Raises:
        typer.Exit: it does not compile; its problems were printed.
    """
    from podline.compiler.compiler import check_notebook

    pipeline = check_notebook(path)
    for problem in pipeline.problems:
        print_problem(str(path), problem, err=True)
    if pipeline.errors:
        raise typer.Exit(1)
    return pipeline


def print_problem(notebook: str, problem: Problem, err: bool = False) -> None:
    """Print a problem, its first line coloured on a terminal."""
    head, newline, rest = problem.render(notebook).partition("\n")
    colour = "red" if problem.severity == ERROR else "yellow"
    typer.echo(typer.style(head, fg=colour) + newline + rest, err=err)
