"""Figures of the update study. Each takes a tidy table, which is also the data behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from podline_studies.reports.equivalence import MARGIN
from podline_studies.reports.formatting import milliseconds
from podline_studies.reports.plotting import (
    COLOURS,
    HATCHES,
    Drawing,
    legend,
    mark,
    ordered_looks,
    panels,
    round_percent,
    share_axis,
    size_axis,
)
from podline_studies.updates.analysis.points import GOAL_S, GOAL_TIMES, SIDES
from podline_studies.updates.batch import PARTS

_BAND = "0.88"


def times(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how long our updates take over what the link allows, with both limits as lines.

    Args:
        table: of `podline_studies.updates.analysis.tables.times`.
        narrow: for a phone.
    """
    looks = _looks(table)
    labels = ("seconds that the link allows", "seconds to the first prediction")
    figure, drawn = panels(table, ["side"], narrow, 3.4, labels, same_rows=True, columns=2)
    low, high = 0.8 * table["limit_s"].min(), 1.2 * table["limit_s"].max()
    at = np.geomspace(low, high, 50)
    for axes, rows in drawn:
        axes.plot(at, at, color="0.3", linewidth=0.8)
        axes.plot(at, GOAL_S + GOAL_TIMES * at, "--", color="0.3", linewidth=0.8)
        for rtt, (colour, marker) in looks.items():
            of = rows[rows["rtt"] == rtt]
            axes.vlines(of["limit_s"], of["low"], of["high"], color=colour, linewidth=1.2)
            axes.plot(of["limit_s"], of["seconds"], marker, color=colour, markersize=4)
        axes.set(xscale="log", yscale="log")
    goal = f"{GOAL_S:g} s + {GOAL_TIMES:g} × the limit"
    lines = [
        Line2D([], [], color="0.3", linewidth=0.8, label="the limit"),
        Line2D([], [], color="0.3", linewidth=0.8, linestyle="--", label=goal),
    ]
    legend(figure, [*_marks(looks), *lines], narrow, "round trip")
    return figure


def steps(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw the parts of updates over one link, stacked, way by way; a line is the limit.

    Args:
        table: ``steps`` of `podline_studies.updates.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    table = table.assign(model=table["what"] + ", " + table["form"])
    models = list(dict.fromkeys(table.sort_values(["size", "form"])["model"]))
    labels, height = ("seconds", ""), 0.8 + 0.24 * len(models)
    figure, drawn = panels(table, ["way"], narrow, height, labels, same_rows=True, columns=2)
    for axes, rows in drawn:
        _stack(axes, rows.pivot(index="model", columns="part", values="mean_s").reindex(models))
        limits = rows.groupby("model")["limit_s"].median().reindex(models)
        places = np.arange(len(models))
        axes.vlines(limits, places - 0.45, places + 0.45, color="black", linewidth=1.4)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
    looks = zip(PARTS, _colours(), _hatches(), strict=True)
    boxes: list[Any] = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=part.replace("_", "-"))
        for part, colour, hatch in looks
    ]
    limit = Line2D([], [], color="black", linewidth=1.4, label="the limit of the transfer")
    legend(figure, [*boxes, limit], narrow)
    return figure


def _stack(axes: Axes, seconds: pd.DataFrame) -> None:
    left = pd.Series(0.0, seconds.index)
    for part, colour, hatch in zip(PARTS, _colours(), _hatches(), strict=True):
        lengths = seconds[part].fillna(0.0)
        axes.barh(
            seconds.index,
            lengths,
            left=left,
            height=0.72,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.4,
        )
        left = left + lengths


def _colours() -> list[Any]:
    return [COLOURS[number] for number in range(len(PARTS))]


def _hatches() -> list[str]:
    return [HATCHES[number % len(HATCHES)] for number in range(len(PARTS))]


def ways(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how much longer other ways take than ours, over the size, as ``float32``.

    Args:
        table: ``ways`` of `podline_studies.updates.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    plain = table[(table["form"] == "float32") & (table["side"] == SIDES[0])]
    return _ratios(plain if len(plain) else table, narrow, ["first", "rate"], "longer than podline")


def forms(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how much longer the smaller form takes, over the size.

    Args:
        table: ``forms`` of `podline_studies.updates.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    return _ratios(table, narrow, ["side", "rate"], "longer as int8 than as float32")


def stores(table: pd.DataFrame, narrow: bool) -> Figure:
    """Draw how much longer an update from the machine takes, over the size.

    Args:
        table: ``stores`` of `podline_studies.updates.analysis.tables.make_tables`.
        narrow: for a phone.
    """
    return _ratios(table, narrow, ["form", "rate"], "longer from the machine")


def _ratios(table: pd.DataFrame, narrow: bool, by: Sequence[str], label: str) -> Figure:
    """Draw ratios over the size, a line a round trip, a panel for what else differs."""
    looks = _looks(table)
    figure, drawn = panels(table, by, narrow, 2.6, ("bytes as float32", label), columns=2)
    ends = table[["low", "high", "ratio"]].astype(float)
    for axes, rows in drawn:
        others = [str(rows[name].iloc[0]) for name in by if name != "rate"]
        axes.set_title(", ".join([*others, f"{rows['rate'].iloc[0] / 1e6:g} Mbit/s"]))
        axes.axhspan(1 / (1 + MARGIN), 1 + MARGIN, color=_BAND, zorder=0)
        axes.axhline(1, color="0.3", linewidth=0.8)
        for rtt, (colour, marker) in looks.items():
            of = rows[rows["rtt"] == rtt].sort_values("size").astype({"low": float, "high": float})
            axes.plot(of["size"], of["ratio"], "-", color=colour, marker=marker, markersize=4)
            axes.vlines(of["size"], of["low"], of["high"], color=colour, linewidth=1.2)
        size_axis(axes, table["size"])
        share_axis(axes, "y", ends - 1)
    band = Patch(color=_BAND, label=f"within {round_percent(MARGIN)}")
    legend(figure, [*_marks(looks), band], narrow, "round trip")
    return figure


def _looks(table: pd.DataFrame) -> dict[float, tuple[Any, str]]:
    trips = sorted(table["rtt"].unique())
    return dict(zip(trips, ordered_looks(len(trips)), strict=True))


def _marks(looks: dict[float, tuple[Any, str]]) -> list[Line2D]:
    return [mark(milliseconds(rtt), colour, marker, "-") for rtt, (colour, marker) in looks.items()]


FIGURES: dict[str, Drawing] = {of.__name__: of for of in (times, steps, ways, forms, stores)}
