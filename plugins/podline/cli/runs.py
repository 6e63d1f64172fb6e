"""`podline runs`: what ran, as the store tells it, by Airflow or here."""

from typing import Annotated

import typer

from podline.cli import stores


def command(
    dag: Annotated[
        str | None, typer.Argument(help="A DAG, such as household_power; by default all.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Argument(help="A run's id, a part of it such as 2026-03-01, or latest."),
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Only the latest run: the same as RUN latest.")
    ] = False,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, help="How many runs to list, such as -n 50.")
    ] = 20,
    cells: Annotated[
        bool, typer.Option("--cells", help="Say the seconds of each cell as well.")
    ] = False,
) -> None:
    """List what ran, and say where the time of a run went.

    Without a DAG: the DAGs. With one: its runs, and the latest in full. With a run: that one.
    A run is ok when all of its stages that left anything in the store succeeded.
    """
    from podline.cli import past

    with stores.opened() as store:
        if dag is None:
            past.print_dags(store)
            return
        if run is None and not latest:
            past.print_runs(store, dag, limit)
        past.print_run(store, dag, run or "latest", cells)
