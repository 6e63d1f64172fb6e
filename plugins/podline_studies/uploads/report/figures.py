"""Figures of the upload study. Each takes a tidy table, which is also the data behind it."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.formatting import data_bytes, milliseconds
from podline_studies.reports.plotting import (
    COLOURS,
    MARKERS,
    Drawing,
    legend,
    mark,
    marks,
    ordered_looks,
    panels,
    ratio_axis,
    round_percent,
    size_axis,
)
from podline_studies.uploads.analysis.points import Verdict

_BAND = "0.88"
_HOW = {True: "warm", False: "cold"}


def times(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the upload's time over its size, a line a round trip; dashed, the machine.

    Args:
        table: of `podline_studies.uploads.analysis.tables.times`.
        narrow: for a phone.
    """
    table = table.assign(how=table["warm"].map(_HOW))
    trips = sorted(table["rtt"].unique())
    looks = dict(zip(trips, ordered_looks(len(trips)), strict=True))
    labels = ("bytes", "seconds")
    figure, drawn = panels(table, ["client", "how"], narrow, 3.0, labels, columns=2)
    for axes, rows in drawn:
        for rtt, (colour, marker) in looks.items():
            for store, line in (("cluster", "-"), ("machine", ":")):
                of = rows[(rows["rtt"] == rtt) & (rows["store"] == store)].sort_values("size")
                axes.plot(of["size"], of["seconds"], line, color=colour, marker=marker, ms=4)
        axes.set_yscale("log")
        size_axis(axes, rows["size"])
    lines = [
        mark(milliseconds(rtt), colour, marker, "-") for rtt, (colour, marker) in looks.items()
    ]
    legend(figure, [*lines, mark("machine: dotted", "0.3", "")], narrow, "round trip")
    return figure


def ratios(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the ratio cluster over machine with 95 % intervals, and the margin as a band.

    Hollow, where the machine's own speed is the limit.

    Args:
        table: of `podline_studies.uploads.analysis.tables.ratios`.
        narrow: for a phone.
    """
    table = table.assign(how=table["warm"].map(_HOW))
    cells = _cells(table)
    places = {cell: place for place, cell in enumerate(cells)}
    kinds = list(table["kind"].unique())
    height = 0.8 + 0.2 * len(cells)
    labels = ("cluster over machine", "bytes, round trip")
    figure, drawn = panels(table, ["client", "how"], narrow, height, labels, True, columns=4)
    for axes, rows in drawn:
        axes.axvspan(1 / (1 + MARGIN), 1 + MARGIN, color=_BAND, zorder=0)
        axes.axvline(1, color="0.3", linewidth=0.8)
        for look, kind in enumerate(kinds):
            of = rows[rows["kind"] == kind].dropna(subset=["low", "high"])
            at = [places[cell] + 0.18 * (2 * look - 1) for cell in _names(of)]
            axes.hlines(at, of["low"], of["high"], color=COLOURS[look], linewidth=1.4)
            limited = of["verdict"] == Verdict.LIMITED
            faces = ["white" if hollow else COLOURS[look] for hollow in limited]
            drawn_at = axes.scatter(of["ratio"], at, 16, faces, marker=MARKERS[look], zorder=3)
            drawn_at.set_edgecolor(COLOURS[look])
        axes.set_yticks(range(len(cells)), cells)
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        ratio_axis(axes, table[["low", "high", "ratio"]], MARGIN)
    hollow = mark(f"hollow: {Verdict.LIMITED}", "0.3", "")
    band = Patch(color=_BAND, label=f"within {round_percent(MARGIN)}")
    legend(figure, [*marks(kinds, "-"), hollow, band], narrow)
    return figure


def shares(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the share of the link's limit that each client reached, over the size.

    Args:
        table: of `podline_studies.uploads.analysis.tables.shares`.
        narrow: for a phone.
    """
    table = table[table["store"] == "cluster"].assign(how=lambda t: t["warm"].map(_HOW))
    table = table.assign(trip=table["rtt"].map(milliseconds))
    clients = sorted(table["client"].unique())
    labels = ("bytes", "share of the limit")
    figure, drawn = panels(table, ["rtt", "how"], narrow, 2.0, labels, columns=2)
    for axes, rows in drawn:
        axes.set_title(f"{rows['trip'].iloc[0]}, {rows['how'].iloc[0]}")
        for look, client in enumerate(clients):
            of = rows[rows["client"] == client].sort_values("size")
            axes.plot(of["size"], of["share"], "-", color=COLOURS[look], marker=MARKERS[look], ms=4)
            low, high = of["low"].astype(float), of["high"].astype(float)
            axes.fill_between(of["size"], low, high, color=COLOURS[look], alpha=0.2, linewidth=0)
        axes.axhline(1, color="0.3", linewidth=0.8)
        axes.set_ylim(0, 1.1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: round_percent(share)))
        size_axis(axes, rows["size"])
    legend(figure, marks(clients, "-"), narrow)
    return figure


def _names(rows: pd.DataFrame) -> list[str]:
    pairs = zip(rows["size"], rows["rtt"], strict=True)
    return [f"{data_bytes(size)}, {milliseconds(rtt)}" for size, rtt in pairs]


def _cells(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(_names(table.sort_values(["size", "rtt"]))))


FIGURES: dict[str, Drawing] = {of.__name__: of for of in (times, ratios, shares)}
