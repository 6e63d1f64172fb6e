"""What a replay saw, as one page that needs nothing else: plots in SVG, and tables."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline.exceptions import PodlineError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WIDTH = 10.0  # inches
_AROUND = 7  # days before and after the last change of versions, whose forecasts are drawn

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What the device saw</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }
  svg { width: 100%; height: auto; }
  table { border-collapse: collapse; }
  th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ccc; }
  td:first-child { white-space: nowrap; }
  td.number { text-align: right; font-variant-numeric: tabular-nums; }
</style>
<h1>What the device saw</h1>
<p>{{ readings }} readings, {{ first }} to {{ last }}. Errors are in {{ unit }}.</p>
<h2>The error, over the readings before</h2>
{{ error }}
<h2>What was said, and what was true</h2>
{{ answers }}
<h2>How long an answer took</h2>
{{ latency }}
<h2>Versions</h2>
<table>
<tr><th>version<th>from<th>answers<th>error<th>its evaluation's<th>without a model
<th>p50, ms<th>p99, ms
{% for row in versions %}<tr>{% for cell in row %}<td class="number">{{ cell }}{% endfor %}
{% endfor %}</table>
<h2>What happened</h2>
<table>
{% for event in events %}<tr><td>{{ event.time }}<td>{{ event.event }}<td>{{ event.text }}
{% endfor %}</table>
</html>
"""


class ReportError(PodlineError):
    """There is nothing to show, or the page cannot be written."""


def write(path: Path, lines: Sequence[dict[str, Any]], unit: str, threshold: float) -> None:
    """Write the page of a journal.

    Args:
        path: its file.
        lines: the journal's.
        unit: of the errors.
        threshold: times its evaluation's error from which on a version is drifting.

    Raises:
        ReportError: the journal has no observation, or the file cannot be written.
    """
    import jinja2
    import pandas as pd
    from markupsafe import Markup

    seen = pd.DataFrame([line for line in lines if line["kind"] == "observation"])
    events = [line for line in lines if line["kind"] == "event"]
    if seen.empty:
        raise ReportError("the replay saw nothing to show: it ended before anything was true")
    seen["time"] = pd.to_datetime(seen["time"])
    plots: dict[str, Callable[[Axes], None]] = {
        "error": lambda axes: _errors(axes, seen, events, unit, threshold),
        "answers": lambda axes: _answers(axes, seen, events, unit),
        "latency": lambda axes: _latency(axes, seen),
    }
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_PAGE)
    text = page.render(
        readings=f"{len(seen):,}",
        first=seen["time"].iloc[0],
        last=seen["time"].iloc[-1],
        unit=unit,
        versions=[*_versions(seen)],
        events=events,
        **{name: Markup(_svg(plot, name)) for name, plot in plots.items()},
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}") from None


def _svg(plot: Callable[[Axes], None], name: str) -> str:
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure

    # Each figure has ids of its own, since all are in one page.
    with sns.axes_style("whitegrid"), mpl.rc_context({"svg.hashsalt": name}):
        figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
        plot(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _errors(
    axes: Axes, seen: pd.DataFrame, events: Sequence[dict[str, Any]], unit: str, threshold: float
) -> None:
    import seaborn as sns

    model, without, drift = sns.color_palette("colorblind", 3)
    told = seen[seen["version"] > 0]
    # A gap where another version begins: its window is not full yet.
    axes.plot(told["time"], told["error"].astype(float), color=model, label="the model's")
    axes.plot(
        told["time"],
        told["baseline_error"].astype(float),
        color=without,
        linestyle="--",
        label="without a model",
    )
    expected = told["expected"].astype(float)
    axes.plot(told["time"], expected, color="0.4", label="its evaluation's", drawstyle="steps")
    axes.plot(
        told["time"],
        threshold * expected,
        color="0.4",
        linestyle=":",
        label=f"{threshold:g} times that: drift",
        drawstyle="steps",
    )
    _mark(axes, events, {"version": "0.2", "pipeline": drift})
    axes.set(ylim=(0, None), ylabel=f"error, {unit}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False)


def _answers(axes: Axes, seen: pd.DataFrame, events: Sequence[dict[str, Any]], unit: str) -> None:
    import pandas as pd
    import seaborn as sns

    changes = [pd.Timestamp(event["time"]) for event in events if event["event"] == "version"]
    middle = changes[-1] if len(changes) > 1 else seen["time"].iloc[-1]
    around = pd.Timedelta(days=_AROUND)
    part = seen[seen["time"].between(middle - around, middle + around)]
    if pd.api.types.is_numeric_dtype(part["truth"]):
        axes.fill_between(part["time"], part["truth"], color="0.85", label="measured")
        for version, rows in part[part["version"] > 0].groupby("version"):
            whole = rows.set_index("time")["answer"].astype(float)
            axes.plot(whole, label=f"version {version}", linewidth=1)
        axes.set(ylim=(0, None), ylabel=unit)
        _mark(axes, [e for e in events if pd.Timestamp(e["time"]) == middle], {"version": "0.2"})
    else:
        wrong = seen[seen["version"] > 0].assign(wrong=lambda f: f["answer"] != f["truth"])
        shares = wrong.groupby(["truth", "version"], as_index=False)["wrong"].mean()
        sns.barplot(shares, x="truth", y="wrong", hue="version", palette="colorblind", ax=axes)
        axes.set(ylim=(0, 1), xlabel="what was true", ylabel="share told otherwise")
    axes.legend(loc="upper right", ncols=3)


def _latency(axes: Axes, seen: pd.DataFrame) -> None:
    import seaborn as sns

    told = seen[seen["version"] > 0].assign(ms=lambda frame: frame["seconds"] * 1000)
    colours = sns.color_palette("colorblind")
    for colour, (version, rows) in zip(colours, told.groupby("version"), strict=False):
        axes.plot(
            rows.index, rows["ms"], ".", markersize=2, color=colour, label=f"version {version}"
        )
    axes.set(yscale="log", xlabel="request", ylabel="milliseconds")
    axes.legend(loc="upper right", markerscale=4)


def _mark(axes: Axes, events: Sequence[dict[str, Any]], colours: dict[str, Any]) -> None:
    """Draw lines where something happened."""
    import pandas as pd

    for event in events:
        if colour := colours.get(event["event"]):
            when: Any = pd.Timestamp(event["time"])
            axes.axvline(when, color=colour, linewidth=1)
            name = f"version {event['version']}" if event["event"] == "version" else event["event"]
            top = event["event"] == "version"  # of two at once, both can be read
            axes.annotate(
                name,
                (when, 1 if top else 0),
                xycoords=("data", "axes fraction"),
                xytext=(3, -3 if top else 3),
                textcoords="offset points",
                va="top" if top else "bottom",
                rotation=90,
                fontsize=8,
                color=colour,
            )


def _versions(seen: pd.DataFrame) -> Iterator[list[str]]:
    for version, rows in seen[seen["version"] > 0].groupby("version", sort=False):
        last = rows.iloc[-1]
        half, most = 1000 * rows["seconds"].quantile([0.5, 0.99])
        yield [
            str(version),
            str(rows["time"].iloc[0]),
            f"{len(rows):,}",
            *(
                "" if value is None or value != value else f"{value:.3f}"
                for value in (last["error"], last["expected"], last["baseline_error"])
            ),
            f"{half:.2f}",
            f"{most:.2f}",
        ]
