"""`podline join`: one stage in place of two."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    notebook: Annotated[Path, typer.Argument(help="A notebook.")],
    first: Annotated[str, typer.Argument(help="A stage of it.")],
    second: Annotated[str, typer.Argument(help="The stage that comes next.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="The new notebook; by default NOTEBOOK_joined.")
    ] = None,
) -> None:
    """Write a notebook with two of its stages joined.

    The report of an overhead study advises it where that saves more than a stage does.

    The joined stage has the first one's name and settings. Only tags are changed.
    """
    from podline.compiler.join_stages import JOINED, join_stages
    from podline.exceptions import NotebookError

    to = to or notebook.with_stem(notebook.stem + JOINED)
    if to.exists():
        raise NotebookError(f"{to} exists. fix: remove it, or name another with --to")
    to.write_text(join_stages(notebook, first, second))
    typer.echo(to)
