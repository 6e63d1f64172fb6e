"""The figures: what is drawn, that it can be read, and that the same data give the same bytes."""

import itertools
import math
from collections.abc import Iterator

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from podline_studies.overhead.report import figures
from podline_studies.overhead.report.figures import FIGURES
from podline_studies.reports import plotting
from podline_studies.reports.plotting import draw

# In one process, which draws what they share once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study reports")]


def drawn(name: str, table: pd.DataFrame, narrow: bool) -> Figure:
    with mpl.rc_context(plotting._STYLE):
        figure = FIGURES[name](table, narrow)
        figure.draw_without_rendering()
    return figure


def labels(axis: Axis) -> list[Bbox]:
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_visible()]


def boxes(figure: Figure) -> Iterator[list[Bbox]]:
    """Texts that stand beside each other: none may touch another."""
    for axes in figure.axes:
        yield labels(axes.xaxis)
        yield labels(axes.yaxis)
    yield [axes.title.get_window_extent() for axes in figure.axes]
    yield [text.get_window_extent() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_text_can_be_read(
    tables: dict[str, pd.DataFrame], few: dict[str, pd.DataFrame], name: str, narrow: bool
) -> None:
    for of in (tables, few):
        if name not in of:
            continue
        figure = drawn(name, of[name], narrow)
        for group in boxes(figure):
            assert not any(one.overlaps(other) for one, other in itertools.combinations(group, 2))
            whole = Bbox.union([figure.bbox, *group])
            assert whole.bounds == pytest.approx(figure.bbox.bounds, abs=0.5)


def test_the_same_data_give_the_same_bytes(tables: dict[str, pd.DataFrame]) -> None:
    first, again = (draw(figures.stock, tables["stock"]) for _ in range(2))
    assert first == again
    assert b"<dc:date>" not in first


def test_a_drawing_leaves_no_setting_behind(tables: dict[str, pd.DataFrame]) -> None:
    before = dict(mpl.rcParams)
    draw(figures.stock, tables["stock"])
    assert dict(mpl.rcParams) == before


def test_there_is_a_panel_for_each_pipeline_below_each_other_on_a_phone(
    tables: dict[str, pd.DataFrame],
) -> None:
    wide, narrow = (drawn("parts", tables["parts"], narrow) for narrow in (False, True))
    pipelines = ["kubernetes", "household_power"], ["kubernetes", "household_power_joined"]
    pipelines += ["process", "household_power"], ["stock", "household_power"]
    titles = list(map(", ".join, pipelines))
    for figure in (wide, narrow):
        assert [axes.get_title(loc="left") for axes in figure.axes] == titles
    assert len({axes.get_position().x0 for axes in wide.axes[:3]}) == 3
    assert len({round(axes.get_position().x0, 3) for axes in narrow.axes}) == 1


@pytest.mark.parametrize("name", ["seconds", "parts", "held-out"])
def test_panels_that_are_compared_have_one_scale(
    tables: dict[str, pd.DataFrame], name: str
) -> None:
    figure = drawn(name, tables[name], False)
    for ends in ("get_xlim", "get_ylim"):
        assert len({getattr(axes, ends)() for axes in figure.axes}) == 1


def test_what_is_drawn_is_of_one_kind_of_machine(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["seconds"]
    other = table[table["repeat"] == 0].assign(machine="another", wall_s=999.0)
    both = pd.concat([other, table], ignore_index=True)
    assert draw(figures.seconds, both) == draw(figures.seconds, table)


def test_bars_of_parts_are_as_long_as_their_seconds(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["parts"]
    figure = drawn("parts", table, False)
    lengths = sum(abs(bar.get_width()) for axes in figure.axes for bar in axes.patches)
    assert lengths == pytest.approx(table["mean_s"].abs().sum())
    for axes in figure.axes:
        for bar in axes.patches:
            assert bar.get_x() >= -1e-9 or bar.get_x() + bar.get_width() <= 1e-9


def test_points_are_drawn_where_there_are_too_few_for_a_band(few: dict[str, pd.DataFrame]) -> None:
    table = few["seconds"]
    figure = drawn("seconds", table, False)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    walls = sorted(float(wall) for line in dots for wall in line.get_ydata())
    known = table.loc[table["model"] == 10_000, "wall_s"]
    assert walls == pytest.approx(sorted(known))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.02, 0.04, ["0 %", "1 %", "2 %"]), (-0.3, 5.0, ["−20 %", "0 %", "100 %", "500 %"])],
)
def test_an_axis_of_shares_has_ticks_at_any_range(
    low: float, high: float, expected: list[str]
) -> None:
    axes = Figure().subplots()
    plotting.share_axis(axes, "y", pd.DataFrame({"share": [low, high, math.nan]}))
    axes.figure.draw_without_rendering()
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.get_yticklabels()]
    assert set(expected) <= set(texts)


@pytest.mark.parametrize(
    ("values", "measured", "expected"),
    [
        ([1e4, 1e5, 1e6, 1e6 * 1.05], True, ["10 k", "100 k", "1 M"]),
        ([7.0, 90.0], False, ["10", "20", "30", "50"]),
        ([15.9, 21.0], False, ["20"]),
        ([5.0], True, ["5"]),
    ],
)
def test_an_axis_of_sizes(values: list[float], measured: bool, expected: list[str]) -> None:
    axes = Figure().subplots()
    axes.plot(values, values)
    plotting.size_axis(axes, pd.Series(values), measured)
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in axes.get_xticklabels()]
    assert sorted(texts) == sorted(expected)


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_a_single_combination_leaves_room_for_its_bar(
    tables: dict[str, pd.DataFrame], narrow: bool
) -> None:
    table = tables["parts"]
    sizes = table[["data", "model"]].apply(tuple, axis=1)
    one = table[(sizes == sizes.iloc[0]) & (table["backend"] == "kubernetes")]
    figure = drawn("parts", one, narrow)
    assert min(axes.get_position().height for axes in figure.axes) > 0.1
