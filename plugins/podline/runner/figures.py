"""Pictures of the figures that a stage hands on: for people, beside the pickles that flow."""

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


def _figure_of(value: Any) -> Any:
    """The figure that a value is or, if it is axes, stands in."""
    names = {f"{base.__module__}.{base.__name__}" for base in type(value).__mro__}
    if "matplotlib.figure.Figure" in names:
        return value
    if "matplotlib.axes._base._AxesBase" in names:
        return value.get_figure(root=True)
    return None
