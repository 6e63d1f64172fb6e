"""What figures share: their look, panels, axes and legends. Knows nothing of what they show.

Wide figures fit a page, narrow ones a phone, where the panels are one below the other.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from podline_studies.reports.formatting import SPACE, size

Drawing = Callable[[pd.DataFrame, bool], Figure]

# Told apart by anyone, and in print by their markers and hatches.
COLOURS = sns.color_palette("colorblind")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "/////", "-----", "\\\\\\\\\\", "xxxxx")

_WIDE, _NARROW = 8.6, 3.7  # inches
_LN10 = math.log(10)
# Ticks of shares, those to keep first.
_SHARES = """
    0 1 10 100 0.1 -0.1 0.5 5 2 0.2 20 50 -0.5 0.05 -0.05 3 0.3 0.7 30 7 0.02 0.01 -0.02 -0.2 0.15
"""
# Of ratios, the same.
_RATIOS = (1, 0.5, 2, 0.7, 1.4, 0.25, 4, 0.9, 1.1, 0.8, 1.2, 0.1, 10, 0.05, 20, 0.02, 50)
_SMALL = "xtick.labelsize ytick.labelsize legend.fontsize legend.title_fontsize"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "svg.hashsalt": "podline",
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.edgecolor": "0.6",
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    **dict.fromkeys(_SMALL.split(), 8.5),
}


def draw(drawing: Drawing, frame: pd.DataFrame, narrow: bool = False) -> bytes:
    """Draw a figure as SVG; the same frame gives the same bytes, on any machine.

    Args:
        drawing: makes the figure of a frame, wide or narrow.
        frame: its data.
        narrow: for a phone.
    """
    with sns.axes_style("whitegrid"), mpl.rc_context(_STYLE):
        file = io.BytesIO()
        drawing(rounded(frame), narrow).savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Round a table to nine digits: what follows is the processor's, and no result."""
    numbers = frame.select_dtypes("float").map(lambda value: float(f"{value:.9g}"))
    return frame.assign(**numbers)


def panels(
    frame: pd.DataFrame,
    by: Sequence[str],
    narrow: bool,
    height: float,
    labels: tuple[str, str],
    same_rows: bool = False,
    columns: int = 3,
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Make a figure with a panel for each group of rows, named by what tells it from the others.

    Args:
        frame: the data.
        by: columns whose values make the groups.
        narrow: for a phone.
        height: of a panel, in inches.
        labels: of the axes, x and y.
        same_rows: whether panels side by side have the same vertical axis.
        columns: of panels, at most.
    """
    groups = [rows for _, rows in frame.groupby(list(by), dropna=False, observed=True)]
    columns = 1 if narrow else max(min(columns, len(groups)), 1)
    lines = max(math.ceil(len(groups) / columns), 1)
    width = _NARROW if narrow else _WIDE
    figure = Figure(figsize=(width, height * lines + 0.4), layout="constrained")
    share = same_rows and not narrow
    grid = figure.subplots(lines, columns, squeeze=False, sharey=share).ravel()
    for axes in grid[len(groups) :]:
        axes.remove()
    if not groups:
        figure.text(0.5, 0.6, "nothing was measured that could be shown", ha="center")
    named = [name for name in by if frame[name].nunique() > 1] or [by[0]]
    for axes, rows in zip(grid, groups, strict=False):
        title = ", ".join(str(rows[name].iloc[0]) for name in named)
        axes.set(title=textwrap.fill(title, 34), xlabel=labels[0], ylabel="")
    for axes in grid[: len(groups) : columns]:
        axes.set_ylabel(labels[1])
    return figure, list(zip(grid, groups, strict=False))


def legend(figure: Figure, handles: Sequence[Any], narrow: bool, title: str = "") -> None:
    """Put one legend below all panels.

    Args:
        figure: that has the panels.
        handles: the entries, of `mark` or patches.
        narrow: for a phone.
        title: of the legend.
    """
    figure.legend(
        handles=handles,
        title=title or None,
        loc="outside lower center",
        ncols=min(len(handles), 2 if narrow else 6),
    )


def mark(label: str, colour: Any, marker: str, line: Literal["", "-"] = "") -> Line2D:
    """Return a legend's entry.

    Args:
        label: its text.
        colour: of marker and line.
        marker: one of `MARKERS`.
        line: whether a line goes through it.
    """
    return Line2D([], [], color=colour, marker=marker, linestyle=line, label=label)


def marks(labels: Iterable[str], line: Literal["", "-"] = "") -> list[Line2D]:
    """Return entries of a legend by `mark`, in the order of `COLOURS` and `MARKERS`."""
    return [mark(*look, line) for look in zip(labels, COLOURS, MARKERS, strict=False)]


def ordered_looks(number: int) -> list[tuple[Any, str]]:
    """Return colours and markers of an ordered variable: from dark to light, short of yellow."""
    colours = sns.color_palette("viridis", math.ceil(number * 1.25) + 1)
    return [(colours[k], MARKERS[k % len(MARKERS)]) for k in range(number)]


def size_axis(axes: Axes, values: pd.Series, measured: bool = True) -> None:
    """Make x an axis of positive sizes: logarithmic.

    Args:
        axes: of which.
        values: what is drawn.
        measured: whether ticks are at the values themselves, or at round ones.
    """
    low, high = math.log(values.min()), math.log(values.max())
    powers = range(math.floor(low / _LN10), math.ceil(high / _LN10) + 1)
    places = [m * 10.0**e for m in (1, 2, 5, 3, 7, 1.5) for e in powers]
    if measured:
        places = sorted(set(values))
    axes.set_xscale("log")
    _ticks(axes.xaxis, _apart(map(math.log, places), low, high, 0.14), size)


def share_axis(axes: Axes, which: Literal["x", "y"], shares: pd.DataFrame) -> None:
    """Make an axis of ratios 1 + share: logarithmic, labelled with shares.

    Args:
        axes: of which.
        which: of the two.
        shares: what it must show; NaN are left out.
    """
    low = math.log1p(min(0.0, float(shares.min().min())))
    high = math.log1p(max(0.02, float(shares.max().max())))
    margin = 0.04 * (high - low)
    limits = math.exp(low - margin), math.exp(high + margin)
    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis, least = (axes.yaxis, 0.07) if which == "y" else (axes.xaxis, 0.2)
    ticks = _apart(map(math.log1p, map(float, _SHARES.split())), low, high, least)
    _ticks(axis, ticks, lambda ratio: round_percent(ratio - 1))


def ratio_axis(axes: Axes, ratios: pd.DataFrame, margin: float) -> None:
    """Make x an axis of ratios: logarithmic, with the margin around 1 in it.

    Args:
        axes: of which.
        ratios: what it must show; NaN are left out.
        margin: by which a ratio may differ from 1.
    """
    band = 2 * math.log1p(margin)
    low = min(-band, math.log(ratios.min().min()))
    high = max(band, math.log(ratios.max().max()))
    axes.set_xscale("log")
    axes.set_xlim(math.exp(low - 0.02), math.exp(high + 0.02))
    _ticks(axes.xaxis, _apart(map(math.log, _RATIOS), low, high, 0.14), lambda ratio: f"{ratio:g}")


def _apart(places: Iterable[float], low: float, high: float, least: float) -> list[float]:
    """The places within the ends that are a share of the whole from those before."""
    found: list[float] = []
    for place in places:
        inside = low - 1e-9 <= place <= high + 1e-9
        if inside and all(abs(place - other) >= least * (high - low) for other in found):
            found.append(place)
    return found


def _ticks(axis: Axis, logarithms: Iterable[float], form: Callable[[float], str]) -> None:
    axis.set_major_locator(FixedLocator([math.exp(place) for place in logarithms]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))


def round_percent(share: float) -> str:
    """Return a share as a tick's label."""
    return f"{100 * share:.0f}{SPACE}%".replace("-", "−")
