"""`podline lint`: what is wrong with notebooks, without running them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from podline.cli import notebooks
from podline.cli.console import counted
from podline.compiler.notebook import ERROR, Problem

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
    files = notebooks.find(paths)
    found = [
        (str(path), problem) for path, known in files.items() for problem in _check(path, known)
    ]
    found.sort(key=lambda item: item[1].severity != ERROR)
    _PRINT[form](found)
    errors = sum(problem.severity == ERROR for _, problem in found)
    warnings = len(found) - errors
    said = [counted(n, noun) for n, noun in ((errors, "error"), (warnings, "warning")) if n]
    typer.echo(f"{counted(len(files), 'notebook')}: {', '.join(said) or 'no problem'}", err=True)
    if errors or (strict and warnings):
        raise typer.Exit(1)


def _check(path: Path, known: list[Problem]) -> list[Problem]:
    from podline.compiler.compiler import check_notebook

    return known or check_notebook(path).problems


def _print_text(found: Found) -> None:
    for notebook, problem in found:
        notebooks.print_problem(notebook, problem)


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
