"""What all commands print with: a terminal of its own width, or plain text of a fixed one."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PLAIN_WIDTH = 120  # columns in a file or a pipe, unless COLUMNS says otherwise
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def make_console() -> Console:
    """Return a console on standard output; without colours where that is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PLAIN_WIDTH
    return console


def make_table(*columns: str) -> Table:
    """Return a table with these columns, of text as it is: brackets are no markup."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="dim",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for column in columns:
        table.add_column(column)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table; numbers and ids stay whole, also where the terminal is too narrow for it."""
    from rich.cells import cell_len
    from rich.measure import Measurement

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
        moment = datetime.fromtimestamp(moment).astimezone()
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def readable_size(size: float) -> str:
    """Return a number of bytes as people read it, such as ``3.2 MiB``."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which gets an s unless there is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
