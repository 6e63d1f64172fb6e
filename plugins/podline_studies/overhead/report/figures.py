"""Figures of the overhead study. Each takes a tidy table, which is also the data behind it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from podline_studies.overhead.analysis.pairs import PARTS
from podline_studies.reports.formatting import size
from podline_studies.reports.plotting import (
    COLOURS,
    HATCHES,
    MARKERS,
    Drawing,
    legend,
    mark,
    marks,
    ordered_looks,
    panels,
    round_percent,
    share_axis,
    size_axis,
)

_PIPELINE = ["backend", "notebook", "way"]
_CELLS = "data × model"


def share(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the overhead's share over the data size, a line a model size, a band an interval.

    Args:
        table: ``share`` of `podline_studies.overhead.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    models = list(table["model"].map(size)[table["model"].argsort()].unique())
    looks = dict(zip(models, ordered_looks(len(models)), strict=True))
    labels = ("data", "overhead, share of notebook")
    figure, drawn = panels(table, _PIPELINE, narrow, 3.0, labels)
    for axes, rows in drawn:
        for model, line in rows.groupby(rows["model"].map(size)):
            _line(axes, line, *looks[str(model)])
        axes.axhline(1, color="0.3", linewidth=0.8)
        size_axis(axes, rows["data"])
        share_axis(axes, "y", rows[["share", "low", "high"]])
    lines = [mark(name, colour, marker, "-") for name, (colour, marker) in looks.items()]
    legend(figure, lines, narrow, "model")
    return figure


def _line(axes: Axes, rows: pd.DataFrame, colour: Any, marker: str) -> None:
    means = rows.drop_duplicates("data").sort_values("data")
    at, low, high = means["data"], 1 + means["low"], 1 + means["high"]
    axes.plot(rows["data"], 1 + rows["share"], ".", color=colour, markersize=3, alpha=0.5)
    axes.plot(at, 1 + means["mean"], color=colour, marker=marker, markersize=5, linewidth=1.5)
    axes.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.vlines(at, low, high, color=colour, linewidth=1.2)


def parts(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the mean seconds of the overhead's parts, stacked; what is negative, to the left.

    Args:
        table: of `podline_studies.overhead.analysis.tables.parts`.
        narrow: for a phone.
    """
    table, cells = _with_cells(table)
    height = 0.7 + 0.21 * len(cells)
    figure, drawn = panels(table, _PIPELINE, narrow, height, ("seconds", _CELLS), same_rows=True)
    for axes, rows in drawn:
        _stack(axes, rows.pivot(index="cell", columns="part", values="mean_s").reindex(cells))
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_ylim(len(cells) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    looks = zip(PARTS, COLOURS, HATCHES, strict=False)
    boxes = [Patch(facecolor=c, hatch=h, edgecolor="white", label=part) for part, c, h in looks]
    legend(figure, boxes, narrow)
    return figure


def _stack(axes: Axes, seconds: pd.DataFrame) -> None:
    right, left = (pd.Series(0.0, seconds.index) for _ in range(2))
    for part, colour, hatch in zip(PARTS, COLOURS, HATCHES, strict=False):
        lengths = seconds[part].fillna(0.0)
        axes.barh(
            seconds.index,
            lengths,
            left=right.where(lengths >= 0, left),
            height=0.72,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.4,
        )
        right, left = right + lengths.clip(lower=0), left + lengths.clip(upper=0)


def stock(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the overhead of podline's operator and of Airflow's own, with intervals and all runs.

    Args:
        table: ``stock`` of `podline_studies.overhead.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    table, cells = _with_cells(table)
    backends = sorted(table["backend"].unique())
    labels, height = ("overhead, seconds", _CELLS), 0.8 + 0.3 * len(cells)
    figure, drawn = panels(table, ["notebook", "way"], narrow, height, labels, same_rows=True)
    for axes, rows in drawn:
        for (cell, backend), runs in rows.groupby(["cell", "backend"]):
            kind = backends.index(str(backend))
            at = cells.index(str(cell)) + 0.16 * (2 * kind - 1)
            axes.plot(runs["overhead_s"], [at] * len(runs), ".", color="0.6", markersize=3)
            mean = runs.iloc[0]
            axes.hlines(at, mean["low"], mean["high"], color=COLOURS[kind], linewidth=1.5)
            axes.plot(mean["mean"], at, MARKERS[kind], color=COLOURS[kind], markersize=5)
        axes.set_yticks(range(len(cells)), cells)
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.grid(visible=False, axis="y")
    legend(figure, marks(backends, "-"), narrow)
    return figure


def held_out(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw shares as measured over those predicted without their combination.

    Args:
        table: of `podline_studies.overhead.analysis.cost_model.hold_out`.
        narrow: for a phone.
    """
    kinds = {"a run inside its interval": (True, 0), "outside": (False, 3)}
    labels = ("share predicted", "share measured")
    figure, drawn = panels(table, _PIPELINE, narrow, 3.0, labels)
    for axes, rows in drawn:
        bars = 1 + rows.drop_duplicates(["data", "model"])[["predicted", "low", "high"]]
        axes.vlines(bars["predicted"], bars["low"], bars["high"], color="0.75", linewidth=4)
        for inside, look in kinds.values():
            points = rows.loc[rows["inside"] == inside, ["predicted", "share"]]
            _scatter(axes, 1 + points["predicted"], 1 + points["share"], look)
        axes.axline((1, 1), (2, 2), color="0.3", linewidth=0.8)
        share_axis(axes, "x", rows[["share", "predicted", "low", "high"]])
        share_axis(axes, "y", rows[["share", "predicted", "low", "high"]])
    dots = [mark(name, COLOURS[look], MARKERS[look]) for name, (_, look) in kinds.items()]
    legend(figure, [*dots, Patch(color="0.75", label="95 % for one run")], narrow)
    return figure


def residuals(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how far each wall is from the model's, over the model's.

    Args:
        table: ``residuals`` of `podline_studies.overhead.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    labels = ("seconds by the model", "measured above it")
    figure, drawn = panels(table, _PIPELINE, narrow, 2.6, labels)
    walls = sorted(table["wall"].unique())
    for axes, rows in drawn:
        for look, wall in enumerate(walls):
            points = rows[rows["wall"] == wall]
            _scatter(axes, points["fitted_s"], points["residual"], look)
        axes.axhline(0, color="0.3", linewidth=0.8)
        size_axis(axes, rows["fitted_s"], measured=False)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: round_percent(share)))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    legend(figure, marks(walls), narrow)
    return figure


def _scatter(axes: Axes, x: pd.Series, y: pd.Series, look: int) -> None:
    sns.scatterplot(
        x=x.array,
        y=y.array,
        ax=axes,
        s=15,
        linewidth=0.3,
        color=COLOURS[look],
        marker=MARKERS[look],
        alpha=0.8,
        zorder=3,
    )


def _with_cells(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with a name for each pair of sizes, and these names in order."""
    cells = table["data"].map(size) + " × " + table["model"].map(size)
    order = table.assign(cell=cells).sort_values(["data", "model"], kind="stable")
    return table.assign(cell=cells), list(order["cell"].unique())


FIGURES: dict[str, Drawing] = {
    of.__name__.replace("_", "-"): of for of in (share, parts, stock, residuals, held_out)
}
