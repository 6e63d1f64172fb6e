"""`podline notebook`: an executed notebook, out of the store."""

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from podline.cli import stores
from podline.exceptions import PodlineError


class OutputError(PodlineError):
    """The file cannot be written there."""


def command(
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
    with stores.opened() as store:
        from podline.store import run_history

        key = what[0] if len(what) == 1 else run_history.executed_key(store, *what)
        data = bytes(store.get(key))
    if html:
        data = _page(data)
    if output == Path("-"):
        typer.echo(data, nl=False)
        return
    path = output or Path("-".join(what[::2]) if len(what) == 3 else Path(key).name)
    path = path.with_suffix(".html" if html else ".ipynb") if output is None else path
    if output is None and path.exists():
        raise OutputError(f"{path} exists already: name the file to write with -o")
    _write(path, data)
    typer.echo(path)


def _page(notebook: bytes) -> bytes:
    """Return a notebook as an HTML page."""
    import nbconvert

    exporter: Any = nbconvert.HTMLExporter
    page, _ = exporter().from_file(io.StringIO(notebook.decode()))
    return str(page).encode()


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
