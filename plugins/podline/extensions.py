"""What other packages add to podline: commands and pages, by entry points.

A package names them in its pyproject.toml::

    [project.entry-points."podline.commands"]
    report = "podline_studies.cli:app"        # a typer.Typer, as the command `podline report`

    [project.entry-points."podline.pages"]
    studies = "podline_studies.web:add_pages"  # add_pages(of_dag, of_all): two FastAPI routers
"""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

COMMANDS = "podline.commands"
PAGES = "podline.pages"


def extensions(group: str) -> Iterator[tuple[str, Any]]:
    """Load what installed packages add to a group.

    One whose code is gone is passed over; one that does not load is told on standard error.

    Args:
        group: `COMMANDS` or `PAGES`.

    Returns:
        The name of each, and the object that it names.
    """
    for point in entry_points(group=group):
        if not find_spec(point.module.partition(".")[0]):
            continue
        if found := guarded(f"{point.name} ({point.value})", point.load):
            yield point.name, found


def guarded(name: str, load: Callable[[], Any]) -> Any:
    """What an extension's own code returns; None, and a line on standard error, where it fails.

    Args:
        name: the extension's.
        load: calls its code.
    """
    try:
        return load()
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"podline: the extension {name} does not load: {why}", file=sys.stderr)
        return None
