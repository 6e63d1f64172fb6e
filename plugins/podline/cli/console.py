"""What all commands print with: a terminal of its own width, or plain text of a fixed one."""

import os
from collections.abc import Collection
from datetime import UTC, datetime

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_PLAIN_WIDTH = 120  # columns in a file or a pipe, unless COLUMNS says otherwise


def make_console(err: bool = False) -> Console:
    """Return a console on standard output, or error; without colours where that is no terminal."""
    console = Console(highlight=False, emoji=False, markup=False, stderr=err)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PLAIN_WIDTH
    return console


def make_table(*columns: str, whole: Collection[str] = (), right: Collection[str] = ()) -> Table:
    """Return a table of text as it is: brackets are no markup.

    Args:
        columns: their names.
        whole: those whose cells stay on one line.
        right: those of numbers, set to the right.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="dim",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name in whole)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table; numbers and ids stay whole, also where the terminal is too narrow for it."""
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(cell_len(str(cell)) for cell in column.cells)
    least = Measurement.get(console, console.options.update(max_width=10_000), table).minimum
    width, console.width = console.width, max(console.width, least)
    console.print(table)
    console.width = width


def local_time(moment: datetime | float) -> str:
    """Return a moment (or seconds since the epoch) in this machine's time zone, to the second."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
