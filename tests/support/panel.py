"""podline's panel in JupyterLab: where it is, and what a test does in it."""

from typing import Any


def command(page: Any, name: str) -> None:
    """Execute one of Jupyter's commands."""
    page.evaluate("name => window.jupyterapp.commands.execute(name)", name)


def panel(page: Any) -> Any:
    """The panel, once it is shown for a notebook that was inspected."""
    command(page, "podline:show")
    found = page.locator("[data-podline=panel]")
    found.locator("[data-part=graph] svg, [data-part=graph] p").first.wait_for()
    return found


def badge(page: Any, number: int) -> Any:
    """The badge of a cell, from 1."""
    return page.locator(".jp-Notebook .jp-Cell").nth(number - 1).locator(".podline-badge")


def select(page: Any, number: int) -> None:
    """Select a cell, from 1, by its badge."""
    badge(page, number).click()


def tags(page: Any) -> list[list[str]]:
    """The tags of all cells, as they are in the page."""
    found: list[list[str]] = page.evaluate(
        "() => [...window.jupyterapp.shell.currentWidget.content.model.cells]"
        ".map(cell => cell.getMetadata('tags') ?? [])"
    )
    return found


def set_source(page: Any, number: int, source: str) -> None:
    """Change a cell's text, as somebody who shares the notebook would."""
    page.evaluate(
        "([index, text]) => window.jupyterapp.shell.currentWidget.content.model.cells.get(index)"
        ".sharedModel.setSource(text)",
        [number - 1, source],
    )
