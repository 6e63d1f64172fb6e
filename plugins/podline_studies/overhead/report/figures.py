"""Figures of the overhead study. Each takes a tidy table, which is also the data behind it."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from podline_studies.overhead.analysis.pairs import PARTS
from podline_studies.overhead.design import BACKENDS
from podline_studies.reports.formatting import size
from podline_studies.reports.plotting import (
    COLOURS,
    HATCHES,
    MARKERS,
    Drawing,
    legend,
    mark,
    panels,
    round_percent,
    share_axis,
    size_axis,
)

_PIPELINE = ["backend", "notebook", "way"]
_CELLS = "rows read × model"


def main_part(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table's rows of the machine, and the number of steps, that it has most of."""
    for name in ("machine", "steps"):
        if len(table):
            runs = table.get("n", pd.Series(1, table.index)).groupby(table[name]).sum()
            table = table[table[name] == runs.idxmax()]
    return table


def seconds(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the wall over the rows read, a panel a model size, a line a backend.

    Args:
        table: of `podline_studies.overhead.analysis.tables.seconds`.
        narrow: for a phone.
    """
    table = main_part(table).dropna(subset=["rows"])
    backends = [name for name in BACKENDS if name in set(table["backend"])]
    labels = ("rows read", "seconds")
    figure, drawn = panels(table, ["notebook", "way", "model"], narrow, 3.0, labels)
    for axes, rows in drawn:
        for backend, colour, marker in zip(backends, _LOOKS, MARKERS, strict=False):
            _line(axes, rows[rows["backend"] == backend], colour, marker)
        size_axis(axes, rows["rows"])
        axes.set_xlim(table["rows"].min() * 0.8, table["rows"].max() * 1.25)
        axes.set_ylim(0, 1.05 * table[["wall_s", "high"]].max().max())
        axes.set_title(_of_model(rows), loc="left")
    handles = [mark(*look, "-") for look in zip(backends, _LOOKS, MARKERS, strict=False)]
    legend(figure, handles, narrow)
    return figure


_LOOKS = [*COLOURS, *sns.color_palette("dark")]  # as many as there are backends


def _of_model(rows: pd.DataFrame) -> str:
    of = rows.iloc[0]
    model = "" if pd.isna(of["model"]) else f", {size(of['model'])} weights"
    return textwrap.fill(f"{of['notebook']}{model}", 34)


def _line(axes: Axes, rows: pd.DataFrame, colour: Any, marker: str) -> None:
    means = rows.drop_duplicates("data").sort_values("rows")
    axes.plot(rows["rows"], rows["wall_s"], ".", color=colour, markersize=2.5, alpha=0.4)
    axes.plot(
        means["rows"], means["mean"], color=colour, marker=marker, markersize=5, linewidth=1.5
    )
    axes.vlines(means["rows"], means["low"], means["high"], color=colour, linewidth=1.2)


def clock(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how far each run is off its combination's mean, over the session's hours.

    Args:
        table: of `podline_studies.overhead.analysis.tables.clock`.
        narrow: for a phone.
    """
    labels = ("hours since the session began", "longer than the mean of its kind")
    figure, drawn = panels(table, ["sitting"], narrow, 2.6, labels, same_rows=True)
    most = 1.05 * table["beside"].abs().max()
    for axes, rows in drawn:
        _scatter(axes, rows["hours"], rows["beside"], 0)
        line = rows.sort_values("hours")
        axes.plot(line["hours"], line["pace"], color=COLOURS[3], linewidth=1.8, zorder=4)
        axes.axhline(0, color="0.3", linewidth=0.8)
        axes.set_ylim(-most, most)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: round_percent(share)))
        of = rows.iloc[0]
        axes.set_title(textwrap.fill(f"session {of['sitting']}: {of['machine']}", 34), loc="left")
    drift = mark("the session's drift", COLOURS[3], "", "-")
    legend(figure, [mark("a run", COLOURS[0], MARKERS[0]), drift], narrow)
    return figure


def parts(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the mean seconds of the overhead's parts, stacked; what is negative, to the left.

    Args:
        table: of `podline_studies.overhead.analysis.tables.parts`.
        narrow: for a phone.
    """
    table, cells = _with_cells(main_part(table))
    height = max(0.7 + 0.21 * len(cells), 1.4)  # of a single one the legend would leave nothing
    figure, drawn = panels(table, _PIPELINE, narrow, height, ("seconds", _CELLS), same_rows=True)
    for axes, rows in drawn:
        _stack(axes, rows.pivot(index="cell", columns="part", values="mean_s").reindex(cells))
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_ylim(len(cells) - 0.4, -0.6)
        axes.set_xlim(*_ends_of(table))
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    looks = zip(PARTS, COLOURS, HATCHES, strict=False)
    boxes = [Patch(facecolor=c, hatch=h, edgecolor="white", label=part) for part, c, h in looks]
    legend(figure, boxes, narrow)
    return figure


def _ends_of(table: pd.DataFrame) -> tuple[float, float]:
    """Of the bars: the same in all panels, so that they can be compared."""
    of = [table[name] for name in (*_PIPELINE, "cell")]
    left, right = (
        ends.groupby(of, dropna=False).sum()
        for ends in (table["mean_s"].clip(upper=0), table["mean_s"].clip(lower=0))
    )
    return 1.05 * float(left.min()), 1.05 * float(right.max())


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
    table, cells = _with_cells(main_part(table))
    backends = [name for name in BACKENDS if name in set(table["backend"])]
    labels, height = ("overhead, seconds", _CELLS), 0.8 + 0.3 * len(cells)
    figure, drawn = panels(table, ["notebook", "way"], narrow, height, labels, same_rows=True)
    for axes, rows in drawn:
        for (cell, backend), runs in rows.groupby(["cell", "backend"]):
            kind = backends.index(str(backend))
            at = cells.index(str(cell)) + 0.64 * ((kind + 0.5) / len(backends) - 0.5)
            axes.plot(runs["overhead_s"], [at] * len(runs), ".", color="0.6", markersize=3)
            mean = runs.iloc[0]
            axes.hlines(at, mean["low"], mean["high"], color=_LOOKS[kind], linewidth=1.5)
            axes.plot(mean["mean"], at, MARKERS[kind], color=_LOOKS[kind], markersize=5)
        axes.set_yticks(range(len(cells)), cells)
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.set_xlim(min(0.0, table["overhead_s"].min()), 1.05 * table["overhead_s"].max())
        axes.grid(visible=False, axis="y")
    legend(figure, [mark(*of, "-") for of in zip(backends, _LOOKS, MARKERS, strict=False)], narrow)
    return figure


def held_out(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw shares as measured over those predicted without their combination.

    Args:
        table: of `podline_studies.overhead.analysis.cost_model.hold_out`.
        narrow: for a phone.
    """
    kinds = {"a run inside its interval": (True, 0), "outside": (False, 3)}
    table = main_part(table)
    ends = table[["share", "predicted", "low", "high"]]
    labels = ("share predicted", "share measured")
    figure, drawn = panels(table, _PIPELINE, narrow, 3.0, labels)
    for axes, rows in drawn:
        bars = 1 + rows.drop_duplicates(["data", "model"])[["predicted", "low", "high"]]
        axes.vlines(bars["predicted"], bars["low"], bars["high"], color="0.75", linewidth=4)
        for inside, look in kinds.values():
            points = rows.loc[rows["inside"] == inside, ["predicted", "share"]]
            _scatter(axes, 1 + points["predicted"], 1 + points["share"], look)
        axes.axline((1, 1), (2, 2), color="0.3", linewidth=0.8)
        share_axis(axes, "x", ends)
        share_axis(axes, "y", ends)
    dots = [mark(name, COLOURS[look], MARKERS[look]) for name, (_, look) in kinds.items()]
    legend(figure, [*dots, Patch(color="0.75", label="95 % for one run")], narrow)
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
    cells = table["rows"].map(size) + " × " + table["model"].map(size)
    order = table.assign(cell=cells).sort_values(["rows", "model"], kind="stable")
    return table.assign(cell=cells), list(order["cell"].unique())


FIGURES: dict[str, Drawing] = {
    of.__name__.replace("_", "-"): of for of in (seconds, parts, stock, held_out, clock)
}
