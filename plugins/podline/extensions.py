"""What other packages add to podline: commands and pages, by entry points.

A package names them in its pyproject.toml::

    [project.entry-points."podline.commands"]
    report = "podline_studies.cli:app"        # a typer.Typer, as the command `podline report`

    [project.entry-points."podline.pages"]
    studies = "podline_studies.web:add_pages"  # add_pages(of_dag, of_all): two FastAPI routers
"""

from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

COMMANDS = "podline.commands"
PAGES = "podline.pages"


def extensions(group: str) -> Iterator[tuple[str, Any]]:
    """Load what installed packages add to a group; one whose code is gone is passed over.

    Args:
        group: `COMMANDS` or `PAGES`.

    Returns:
        The name of each, and the object that it names.
    """
    for point in entry_points(group=group):
        if find_spec(point.module.partition(".")[0]):
            yield point.name, point.load()
