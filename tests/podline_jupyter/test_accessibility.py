"""No serious finding of axe-core in the panel and the badges, in each theme."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.axe import grave_findings
from tests.support.jupyter import Jupyter
from tests.support.panel import badge, panel, select

pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Jupyter's own parts around them are not ours.
OURS = {"include": [[".podline-panel"], [".podline-badge"]]}
# The oldest version has no theme of high contrast, and stays as it is.
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
CELLS = (
    ("parameters", "rows = 3  # how many rows"),
    ("imports", "import json"),
    ("step:load", "table = [*range(rows)]"),
    ("step:sum prev:load nonsense", "print('the sum is', sum(table))"),
    ("skip", "1 / 0"),
)


def test_each_theme(jupyter: Jupyter, visit: Callable[..., Any]) -> None:
    jupyter.write("themes.ipynb", *CELLS)
    page = visit("themes.ipynb")
    select(page, 4)
    panel(page).get_by_role("button", name="Run here").click()
    panel(page).locator("[data-part=run] [role=status]").get_by_text("succeeded").wait_for()
    badge(page, 4).locator(".podline-bar").wait_for()
    found = {}
    for theme in THEMES:
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        page.wait_for_function(
            "theme => document.body.dataset.jpThemeName === theme || theme.includes('Contrast')",
            arg=theme,
        )
        if findings := grave_findings(page, OURS):
            found[theme] = findings
    assert not found
