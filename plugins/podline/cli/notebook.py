"""`podline join` and `podline notebook`: a notebook with fewer stages, and one that a stage ran."""

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from podline.cli.executed import write
from podline.cli.store import opened
from podline.compiler.join_stages import JOINED, join_stages
from podline.exceptions import NotebookError, PodlineError
from podline.store import run_history


def join(
    notebook: Annotated[Path, typer.Argument(help="A notebook.")],
    first: Annotated[str, typer.Argument(help="A stage of it.")],
    second: Annotated[str, typer.Argument(help="The stage that comes next.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", "--to", help="The new notebook; else NOTEBOOK_joined."),
    ] = None,
) -> None:
    """Write a notebook with two of its stages joined.

    The report of an overhead study advises it where that saves more than a stage does.

    The joined stage has the first one's name and settings. Only tags are changed.
    """
    to = output or notebook.with_stem(notebook.stem + JOINED)
    if to.exists():
        raise NotebookError(f"{to} exists. fix: remove it, or name another with --output")
    to.write_text(join_stages(notebook, first, second))
    typer.echo(to)


def fetch(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="DAG RUN STAGE | KEY",
            help="Which: household_power latest train, or a key that `podline runs` shows.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write, such as -o train.ipynb; - prints it."),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="As a page for a browser.")] = False,
) -> None:
    """Fetch the notebook that a stage executed, with its outputs."""
    if len(what) not in (1, 3):
        raise typer.BadParameter("name a key, or a DAG, a RUN (or latest) and a STAGE")
    with opened() as store:
        key = what[0] if len(what) == 1 else run_history.executed_key(store, *what)
        data = bytes(store.get(key))
    if html:
        data = _page(data)
    if output == Path("-"):
        typer.echo(data, nl=False)
        return
    path = output or _default_path(what, key, ".html" if html else ".ipynb")
    write(path, data)
    typer.echo(path)


def _page(notebook: bytes) -> bytes:
    """Return a notebook as an HTML page."""
    import nbconvert

    exporter: Any = nbconvert.HTMLExporter
    page, _ = exporter().from_file(io.StringIO(notebook.decode()))
    return str(page).encode()


def _default_path(what: list[str], key: str, suffix: str) -> Path:
    """A new file here, named after what was asked for."""
    path = Path(("-".join(what[::2]) if len(what) == 3 else Path(key).stem) + suffix)
    if path.exists():
        raise PodlineError(f"{path} exists already: name the file to write with -o")
    return path
