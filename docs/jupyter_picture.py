"""Takes docs/jupyter.png anew: the panel beside a notebook that has been run, in JupyterLab."""

import tempfile
from pathlib import Path
from typing import Any

from docs.pictures import shrink
from tests.support.browser import launched
from tests.support.jupyter import Jupyter, running
from tests.support.panel import badge, panel, select

PICTURE = Path(__file__).with_name("jupyter.png")
_CELLS = (
    ("parameters", "rows = 20_000  # 1..: how many measurements\nseed = 7"),
    ("imports", "import numpy as np"),
    (
        "step:measure",
        "generator = np.random.default_rng(seed)\nx = generator.normal(size=(rows, 3))",
    ),
    ("", "y = x @ [2.0, -1.0, 0.5] + generator.normal(size=rows)"),
    ("step:fit prev:measure", "weights, *_ = np.linalg.lstsq(x, y)"),
    ("step:baseline prev:measure", "mean = y.mean()"),
    (
        "step:compare prev:fit prev:baseline",
        "residual = y - x @ weights\nprint(residual.std(), (y - mean).std())",
    ),
)


def main() -> None:
    """Run, and take the picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running("lab-newest", Path(folder) / "jupyter") as jupyter,
        launched() as browser,
    ):
        jupyter.write("regression.ipynb", *_CELLS)
        _take(browser, jupyter)
    shrink(PICTURE)


def _take(browser: Any, jupyter: Jupyter) -> None:
    context = browser.new_context(viewport={"width": 1180, "height": 860}, device_scale_factor=2)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(jupyter.page("regression.ipynb"))
    badge(page, 7).wait_for()
    page.get_by_role("button", name="No", exact=True).click()  # to news of Jupyter
    panel(page).get_by_role("button", name="Run here").click()
    panel(page).locator("[data-part=run] [role=status]").get_by_text("succeeded").wait_for()
    select(page, 5)
    panel(page).locator("[data-part=cell] summary").click()
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURE)
    context.close()


if __name__ == "__main__":
    main()
