"""State of the libraries that draw: matplotlib, seaborn, plotly, altair."""

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from podline.runner.interpreter_state.kind import FOLDER, Kind, module

# -- matplotlib: its settings, and the names that it knows colours and colour maps by

_BACKEND = frozenset({"backend", "backend_fallback", "interactive", "toolbar"})


def _take_matplotlib(folder: Path) -> Any:
    import matplotlib as mpl

    default: Any = mpl.rcParamsDefault
    values = dict.items(mpl.rcParams)  # asking it for the backend would choose one
    return {k: v for k, v in values if k not in _BACKEND and v != dict.get(default, k)}


def _put_matplotlib(state: Any, folder: Path) -> None:
    import matplotlib as mpl

    default = {k: v for k, v in dict.items(mpl.rcParamsDefault) if k not in _BACKEND}
    dict.update(mpl.rcParams, {**default, **state})


def _take_backend(folder: Path) -> str:
    chosen = dict.get(module("matplotlib").rcParams, "backend")
    return chosen if isinstance(chosen, str) and "inline" not in chosen else ""


def _put_backend(state: str, folder: Path) -> None:
    module("matplotlib").use(state or "module://matplotlib_inline.backend_inline")


def _usual_colours() -> dict[str, Any]:
    from matplotlib import _color_data, colors

    usual: dict[str, Any] = {**_color_data.XKCD_COLORS, **_color_data.CSS4_COLORS}
    usual |= {n.replace("grey", "gray"): c for n, c in usual.items() if "grey" in n}
    usual |= {n.replace("gray", "grey"): c for n, c in usual.items() if "gray" in n}
    return usual | _color_data.TABLEAU_COLORS | colors.BASE_COLORS


def _take_colours(folder: Path) -> Any:
    """The named colours that are not matplotlib's own, such as seaborn's colour codes."""
    if "matplotlib.colors" not in sys.modules:
        return {}
    named = module("matplotlib.colors").get_named_colors_mapping()
    usual = _usual_colours()
    return {n: c for n, c in named.items() if n not in usual or c != usual[n]}


def _put_colours(state: Any, folder: Path) -> None:
    named = module("matplotlib.colors").get_named_colors_mapping()
    named.update({**_usual_colours(), **state})
    # What was asked for before may have been kept under the names.
    getattr(named, "cache", {}).clear()


def _take_maps(folder: Path) -> Any:
    """The colour maps that the notebook registered: seaborn brings some of its own."""
    if "matplotlib.pyplot" not in sys.modules and "matplotlib.cm" not in sys.modules:
        return {}
    registry = module("matplotlib").colormaps
    names = set(registry) - set(registry._builtin_cmaps)
    seaborn = vars(sys.modules["seaborn.cm"]) if "seaborn.cm" in sys.modules else {}
    return {name: registry[name] for name in sorted(names) if name not in seaborn}


def _put_maps(state: Any, folder: Path) -> None:
    registry = module("matplotlib").colormaps
    for name, colours in state.items():
        registry.register(colours, name=name, force=True)


def _take_fonts(folder: Path) -> list[str]:
    """The fonts that the notebook added from its own folder."""
    entries = module("matplotlib.font_manager").fontManager.ttflist
    paths = {os.path.abspath(entry.fname) for entry in entries}
    return sorted(p.replace(str(folder), FOLDER) for p in paths if p.startswith(f"{folder}/"))


def _put_fonts(state: list[str], folder: Path) -> None:
    for path in state:
        module("matplotlib.font_manager").fontManager.addfont(path.replace(FOLDER, str(folder)))


# -- the inline backend: `%config InlineBackend.figure_format = "retina"`, `set_matplotlib_formats`

_INLINE = ("print_figure_kwargs", "close_figures", "rc")


def _figure_printers() -> Iterator[tuple[str, dict[type, Any], Any]]:
    """Each MIME type with its printers, and the one for figures among them: a partial, or None."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

    shell: Any = InteractiveShell.instance()
    for mime, formatter in shell.display_formatter.formatters.items():
        yield mime, formatter.type_printers, formatter.type_printers.get(Figure)


def _take_inline(folder: Path) -> Any:
    settings = module("matplotlib_inline.config").InlineBackend
    if not settings.initialized() or "matplotlib.figure" not in sys.modules:
        return {}
    own, usual = settings.instance(), settings()
    found = {n: v for n in _INLINE if (v := getattr(own, n)) != getattr(usual, n)}
    printers = {
        mime: (printer.func.__name__, dict(printer.keywords))
        for mime, _, printer in _figure_printers()
        if isinstance(printer, partial)
    }
    keywords = {"fmt": "png", "base64": True, **own.print_figure_kwargs}
    if printers not in ({}, {"image/png": ("print_figure", keywords)}):
        found["printers"] = printers
    return found


def _put_inline(state: dict[str, Any], folder: Path) -> None:
    from matplotlib.figure import Figure

    module("matplotlib_inline.backend_inline")  # which sets up its own
    tools = module("IPython.core.pylabtools")
    settings = module("matplotlib_inline.config").InlineBackend.instance()
    for name in _INLINE:
        setattr(settings, name, state.get(name, getattr(type(settings)(), name)))
    usual = {"image/png": ("print_figure", {"fmt": "png", "base64": True})}
    printers = state.get("printers", usual)
    for mime, known, _ in _figure_printers():
        known.pop(Figure, None)
        if mime in printers:
            name, keywords = printers[mime]
            known[Figure] = partial(getattr(tools, name), **keywords)


# -- seaborn, plotly, altair


def _take_objects(folder: Path) -> Any:
    config = module("seaborn._core.plot").Plot.config
    usual = type(config)()
    theme = {k: v for k, v in dict.items(config.theme) if v != dict.get(usual.theme, k)}
    display = dict(config.display)
    return {"theme": theme, "display": display} if theme or display != usual.display else {}


def _put_objects(state: Any, folder: Path) -> None:
    config = module("seaborn._core.plot").Plot.config
    config.theme.reset()
    dict.update(config.theme, state.get("theme", {}))
    config.display.update(state.get("display", type(config)().display))


def _take_plotly(folder: Path) -> Any:
    return {"template": module("plotly.io").templates.default}


def _put_plotly(state: Any, folder: Path) -> None:
    module("plotly.io").templates.default = state["template"]


_ALTAIR = ("renderers", "data_transformers", "themes")


def _take_altair(folder: Path) -> Any:
    altair, found = module("altair"), {}
    for name in _ALTAIR:
        with contextlib.suppress(Exception):  # `themes` is another thing in later versions
            registry = getattr(altair, name)
            found[name] = (registry.active, dict(registry.options))
    return found


def _put_altair(state: Any, folder: Path) -> None:
    for name, (active, options) in state.items():
        getattr(module("altair"), name).enable(active, **options)


_PLOTTING = ("matplotlib", "pyplot", "seaborn", "plot")

KINDS = (
    Kind("matplotlib", "matplotlib", _take_matplotlib, _put_matplotlib, words=_PLOTTING),
    Kind("matplotlib backend", "matplotlib", _take_backend, _put_backend, words=_PLOTTING),
    Kind("matplotlib colours", "matplotlib", _take_colours, _put_colours, words=_PLOTTING),
    Kind("matplotlib colour maps", "matplotlib", _take_maps, _put_maps, words=_PLOTTING),
    Kind("matplotlib fonts", "matplotlib.font_manager", _take_fonts, _put_fonts, words=_PLOTTING),
    Kind("inline figures", "matplotlib_inline.config", _take_inline, _put_inline, words=_PLOTTING),
    Kind("seaborn.objects", "seaborn._core.plot", _take_objects, _put_objects, words=("seaborn",)),
    Kind("plotly", "plotly.io", _take_plotly, _put_plotly, words=("plotly",)),
    Kind("altair", "altair", _take_altair, _put_altair, words=("altair",)),
)
