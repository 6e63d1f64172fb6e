"""`podline lint`: notebooks as a user names them, and what is wrong with them, not running them."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from podline.cli.values import counted
from podline.compiler.compiler import check_notebook
from podline.compiler.notebook import ERROR, Problem
from podline.compiler.pipeline import Pipeline

Notebook = Annotated[
    Path, typer.Argument(help="A notebook, such as notebooks/household_power.ipynb.")
]
Found = Sequence[tuple[str, Problem]]


def command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="NOTEBOOK",
            help="Notebooks or folders of them, such as notebooks/ or notebooks/power.ipynb.",
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on warnings, not on errors only.")
    ] = False,
    form: Annotated[
        Literal["text", "github", "json"],
        typer.Option("--format", help="For people, for annotations in GitHub Actions, or as JSON."),
    ] = "text",
) -> None:
    """Check notebooks without running them, and say what to mend."""
    files = find(paths)
    found = [
        (str(path), problem)
        for path, known in files.items()
        for problem in known or check_notebook(path).problems
    ]
    found.sort(key=lambda item: item[1].severity != ERROR)
    _PRINT[form](found)
    errors = sum(problem.severity == ERROR for _, problem in found)
    warnings = len(found) - errors
    said = [counted(n, noun) for n, noun in ((errors, "error"), (warnings, "warning")) if n]
    typer.echo(f"{counted(len(files), 'notebook')}: {', '.join(said) or 'no problem'}", err=True)
    if errors or (strict and warnings):
        raise typer.Exit(1)


def find(paths: Iterable[Path]) -> dict[Path, list[Problem]]:
    """Return the notebooks meant, each once: files as they are, folders for what is in them.

    What is in a hidden folder, such as .ipynb_checkpoints, is left out. A folder without a
    notebook stands for itself, with that as its problem.
    """
    found: dict[Path, list[Problem]] = {}
    for path in paths:
        inside = sorted(path.rglob("*.ipynb")) if os.path.isdir(path) else [path]
        shown = [p for p in inside if not _is_in_hidden(p.relative_to(path))]
        found |= {notebook: [] for notebook in shown}
        if not shown:
            problem = Problem("has no notebook in it", "name a folder with .ipynb files, or a file")
            found[path] = [problem]
    return found


def _is_in_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts[:-1])


def compiled(path: Path) -> Pipeline:
    """Return the notebook, compiled; its warnings go to standard error.

    Raises:
        typer.Exit: it does not compile; its problems were printed.
    """
    pipeline = check_notebook(path)
    for problem in pipeline.problems:
        _print_problem(str(path), problem, err=True)
    if pipeline.errors:
        raise typer.Exit(1)
    return pipeline


def _print_problem(notebook: str, problem: Problem, err: bool = False) -> None:
    """Print a problem, its first line coloured on a terminal."""
    head, newline, rest = problem.render(notebook).partition("\n")
    colour = "red" if problem.severity == ERROR else "yellow"
    typer.echo(typer.style(head, fg=colour) + newline + rest, err=err)


def _print_text(found: Found) -> None:
    for notebook, problem in found:
        _print_problem(notebook, problem)


def _print_github(found: Found) -> None:
    """GitHub's workflow commands: what stands for its own marks is escaped."""
    for notebook, problem in found:
        file = _escaped(notebook).replace(":", "%3A").replace(",", "%2C")
        where = f"cell {problem.cell}" if problem.cell else ""
        where += f" line {problem.line}" if problem.line else ""
        title = f",title={where}" if where else ""
        text = problem.render(notebook).partition(f" {problem.severity}: ")[2]
        typer.echo(f"::{problem.severity} file={file}{title}::{_escaped(text)}")


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _print_json(found: Found) -> None:
    listed = [{"notebook": notebook, **asdict(problem)} for notebook, problem in found]
    typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))


_PRINT = {"text": _print_text, "github": _print_github, "json": _print_json}
