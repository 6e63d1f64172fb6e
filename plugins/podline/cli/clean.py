"""`podline clean`: removes what old runs left in the store."""

from typing import Annotated

import typer

from podline.cli import stores
from podline.cli.console import (
    counted,
    local_time,
    make_console,
    make_table,
    print_table,
    readable_size,
)


def command(
    older_than: Annotated[
        str,
        typer.Option(help="Since when a run must have written nothing: 90m, 12h, 30d or 2w."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
) -> None:
    """Remove what old runs left in the store.

    So it does with versions of models whose publisher did not come to an end, and with the parts
    of uploads that were broken off.
    What a published model refers to stays, and the records of where the time went.
    """
    from podline.cli.values import read_duration
    from podline.models.registry import Model, models
    from podline.store.retention import break_off, clean

    age = read_duration(older_than)
    with stores.opened() as store:
        removed = clean(store, age, dry_run)
        broken_off = break_off(store, age, dry_run)
        abandoned = [
            f"{name} version {number}"
            for name in models(store)
            for number in Model(store, name).abandon(age, dry_run)
        ]
    table = make_table("dag", "run", "last wrote", "objects", "size", "kept")
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[3:]:
        column.justify = "right"
    for run in removed:
        size, kept = readable_size(run.size), str(run.kept or "")
        when = local_time(run.newest)
        table.add_row(run.dag_id, run.run_id, when, str(len(run.keys)), size, kept)
    console = make_console()
    if removed:
        print_table(console, table)
    size = readable_size(sum(run.size for run in removed))
    verb = "would be removed" if dry_run else "removed"
    console.print(f"{counted(len(removed), 'run')} {verb}, {size}")
    for version in abandoned:
        console.print(f"{version}, whose publisher did not come to its end, {verb}")
    if broken_off:
        console.print(f"{counted(len(broken_off), 'upload')} that came to no end {verb}")
