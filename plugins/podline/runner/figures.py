"""Pictures of matplotlib's figures: inline, as a notebook shows them, and beside the pickles.

A stage that is handed a figure may show it without a word of pyplot, which in a notebook a cell
further up imported; so the shell draws figures from the start.
"""

import contextlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def draw_figures(values: Iterable[Any], folder: Path, name: str) -> tuple[Path, ...]:
    """Draw the matplotlib figures among objects as PNG, for people; they flow as pickles.

    Args:
        values: objects of any kind.
        folder: where to.
        name: of the first picture, without its ending; the others get a number.

    Returns:
        The pictures: none of a figure that cannot be drawn.
    """
    found = {id(figure): figure for value in values if (figure := _figure_of(value)) is not None}
    paths = []
    for number, figure in enumerate(found.values(), start=1):
        path = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            figure.savefig(path, format="png")
            paths.append(path)
    return tuple(paths)


def show_inline(shell: Any) -> None:
    """Have the shell show a figure as its picture, also where pyplot is not imported.

    Args:
        shell: IPython's.
    """
    for formatter in shell.display_formatter.formatters.values():

        def draw(figure: Any, *arguments: Any, formatter: Any = formatter) -> Any:
            # The inline backend puts its own printers, by its settings, in the place of these.
            from matplotlib_inline.backend_inline import configure_inline_support

            configure_inline_support(shell, "inline")  # type: ignore[no-untyped-call]
            printer = formatter.type_printers.get(type(figure))
            return printer(figure, *arguments) if printer else None

        if formatter.format_type in ("image/png", "image/jpeg", "image/svg+xml", "application/pdf"):
            formatter.for_type_by_name("matplotlib.figure", "Figure", draw)


def _figure_of(value: Any) -> Any:
    """The figure that a value is or, if it is axes, stands in."""
    names = {f"{base.__module__}.{base.__name__}" for base in type(value).__mro__}
    if "matplotlib.figure.Figure" in names:
        return value
    if "matplotlib.axes._base._AxesBase" in names:
        return value.get_figure(root=True)
    return None
