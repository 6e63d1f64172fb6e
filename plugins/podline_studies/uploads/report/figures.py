"""Figures of the upload study. Each takes a tidy table, which is also the data behind it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.plotting import (
    COLOURS,
    MARKERS,
    Drawing,
    legend,
    mark,
    marks,
    panels,
    round_percent,
    size_axis,
)
from podline_studies.uploads.analysis.points import COMPARISONS, KINDS
from podline_studies.uploads.analysis.verdicts import STRICT, Verdict
from podline_studies.uploads.design import SIDES

_OURS = "podline"
_BANDS = {MARGIN: "0.90", STRICT: "0.80"}
_ORDERS = {"kind": [*KINDS], "comparison": [*map(str, COMPARISONS)]}
_LEAST, _MOST = 0.85, 1.15
_USUAL, _EACH = "over the usual link", "over the usual link and others"  # in this order
_DROPPED = "% of segments dropped"
_HOW = {True: "warm", False: "cold"}
_LINES = {"warm": "-", "cold": ":"}


def times(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw an upload's time over the round trip, a panel a size, all panels on the same axis.

    Args:
        table: of `podline_studies.uploads.analysis.tables.times`.
        narrow: for a phone.
    """
    clients = _clients(table)
    table = table[(table["arm"] == "") & (table["client"] == clients[0])]
    labels = ("round trip, ms", "seconds")
    figure, drawn = panels(table, ["size"], narrow, 2.4, labels)
    ends = table["seconds"].min() * 0.8, table["seconds"].max() * 1.6
    trips = 1000 * table["rtt"].max()
    for axes, rows in drawn:
        for look, side in enumerate(SIDES):
            for warm, how in _HOW.items():
                of = rows[(rows["store"] == side) & (rows["warm"] == warm)].sort_values("rtt")
                line, colour = _LINES[how], COLOURS[look]
                axes.plot(of["rtt"] * 1000, of["seconds"], line, color=colour, marker=MARKERS[look])
        axes.set_title(f"{rows['what'].iloc[0]}, {clients[0]}")
        axes.set_yscale("log")
        axes.set(xlim=(-0.05 * trips, 1.05 * trips), ylim=ends)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    sides = [side for side in SIDES if side in set(table["store"])]
    cold = mark("cold", "0.3", "", "-")
    cold.set_linestyle(":")
    legend(figure, [*marks(sides), mark("warm", "0.3", "", "-"), cold], narrow)
    return figure


def ratios(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw ratios by size: points small, and the size's mean large with its 95 % interval.

    What a store's own speed limits is left out; what lies beyond the axis is an arrow at its end.

    Args:
        table: of `podline_studies.uploads.analysis.tables.compared`, of points and sizes.
        narrow: for a phone.
    """
    table = table[(table["verdict"] != Verdict.LIMITED) & (table["arm"] == "") & (table["n"] > 0)]
    for name, order in _ORDERS.items():
        table = table.assign(**{name: pd.Categorical(table[name], order)})
    sizes = table[["size", "what"]].drop_duplicates().sort_values("size")["what"].tolist()
    height = 0.9 + 0.32 * len(sizes)
    labels = ("ratio of times", "")
    figure, drawn = panels(table, [*_ORDERS], narrow, height, labels, True)
    for axes, rows in drawn:
        for margin, shade in _BANDS.items():
            axes.axvspan(1 / (1 + margin), 1 + margin, color=shade, zorder=0)
        axes.axvline(1, color="0.3", linewidth=0.8)
        for place, what in enumerate(sizes):
            of = rows[rows["what"] == what]
            _small(axes, of[of["rtt"].notna()], place)
            _large(axes, of[of["rtt"].isna()], place)
        axes.set_title(f"{rows['comparison'].iloc[0]}: {rows['kind'].iloc[0]}")
        axes.set_yticks(range(len(sizes)), sizes)
        axes.set(xlim=(_LEAST, _MOST), ylim=(len(sizes) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
    shades = [Patch(color=c, label=f"within {round_percent(m)}") for m, c in _BANDS.items()]
    entries = [mark("a point", COLOURS[7], "o"), mark("mean of a size", COLOURS[0], "D", "-")]
    legend(figure, [*entries, *shades], narrow)
    return figure


def drops(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the share of segments that found the link's queue full, by client.

    Over the usual link by size; where other links carried some of the sizes, by link, too.

    Args:
        table: of `podline_studies.uploads.analysis.points.Summary.drops`.
        narrow: for a phone.
    """
    clients = _clients(table)
    others = table[table["size"].isin(set(table[table["arm"] != ""]["size"]))]
    shown = pd.concat([table[table["arm"] == ""].assign(by=_USUAL), others.assign(by=_EACH)])
    by = ["by", "client", "arm", "size", "what"]
    shares = shown.groupby(by, as_index=False)[["sent", "dropped"]].sum()
    shares["share"] = 100 * shares["dropped"] / shares["sent"]
    labels = ("", "")
    figure, drawn = panels(shares, ["by"], narrow, 2.6, labels, columns=2)
    for axes, rows in drawn:
        usual, most = rows["by"].iloc[0] == _USUAL, 1.08 * max(rows["share"].max(), 1.0)
        draw = _by_size if usual else _by_link
        for look, client in enumerate(clients):
            draw(axes, rows[rows["client"] == client], look)
        axes.set(title=rows["by"].iloc[0], **{"ylim" if usual else "xlim": (-0.03 * most, most)})
    legend(figure, marks(clients, "-"), narrow)
    return figure


def _clients(table: pd.DataFrame) -> list[str]:
    """Those of a table, podline's own first."""
    return sorted(table["client"].unique(), key=lambda name: name != _OURS)


def _by_size(axes: Axes, rows: pd.DataFrame, look: int) -> None:
    rows = rows.sort_values("size")
    axes.plot(rows["size"], rows["share"], "-", color=COLOURS[look], marker=MARKERS[look])
    axes.set(xlabel="bytes", ylabel=_DROPPED)
    size_axis(axes, rows["size"])


def _by_link(axes: Axes, rows: pd.DataFrame, look: int) -> None:
    """A line a link, the usual one first."""
    links = sorted(rows["arm"])
    at = [links.index(arm) for arm in rows["arm"]]
    axes.scatter(rows["share"], at, 26, [COLOURS[look]], marker=MARKERS[look], zorder=3)
    names = [arm or "usual" for arm in links]
    axes.set(xlabel=f"{_DROPPED}, {rows['what'].iloc[0]}")
    axes.set_yticks(range(len(links)), names)
    axes.set_ylim(len(links) - 0.5, -0.5)


def _small(axes: Axes, rows: pd.DataFrame, place: int) -> None:
    """Points, spread over their size's line in the order of the table."""
    at = place + np.linspace(-0.32, 0.32, len(rows)) if len(rows) > 1 else np.full(len(rows), place)
    beyond = {"<": rows["ratio"] < _LEAST, ">": rows["ratio"] > _MOST}
    within = ~beyond["<"] & ~beyond[">"]
    axes.scatter(rows["ratio"][within], at[within], 7, [COLOURS[7]], zorder=2)
    for marker, out in beyond.items():
        end = _LEAST + 0.003 if marker == "<" else _MOST - 0.003
        axes.scatter([end] * int(out.sum()), at[out], 14, [COLOURS[7]], marker=marker, zorder=2)


def _large(axes: Axes, rows: pd.DataFrame, place: int) -> None:
    known = rows.dropna(subset=["low", "high"])
    low, high = (known[end].astype(float) for end in ("low", "high"))
    axes.hlines([place] * len(known), low, high, color=COLOURS[0], linewidth=2, zorder=3)
    axes.scatter(known["ratio"], [place] * len(known), 30, [COLOURS[0]], marker="D", zorder=4)


FIGURES: dict[str, Drawing] = {of.__name__: of for of in (times, ratios, drops)}
