"""`podline run`: a notebook's stages as local processes, without Airflow."""

from pathlib import Path
from typing import Annotated

import typer

from podline.cli import notebooks


def command(
    notebook: Annotated[
        Path, typer.Argument(help="A notebook, such as notebooks/household_power.ipynb.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME=VALUE",
            help="A parameter's value, such as -p rows=20000; may be given several times.",
        ),
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Run the whole notebook as one process.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Leave out what the cells print.")
    ] = False,
    cells: Annotated[
        bool, typer.Option("--cells", help="Say the seconds of each cell as well.")
    ] = False,
) -> None:
    """Run a notebook's stages here, and say where the time went.

    Each stage is a local process; Airflow is not needed. The store is the one that the
    environment's connection names, or else the embedded one.
    """
    pipeline = notebooks.compiled(notebook)
    from podline.cli import running
    from podline.cli.values import read_parameters

    running.run(pipeline, read_parameters(pipeline, parameter or []), baseline, quiet, cells)
