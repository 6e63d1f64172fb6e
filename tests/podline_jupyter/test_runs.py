"""Runs from the panel: live, kept on the server, and the notebook on its way into Airflow."""

from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from tests.support.jupyter import Jupyter
from tests.support.panel import badge, panel
from tests.support.waiting import until

pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

Visit = Callable[..., Any]

SUM = (
    ("parameters", "rows = 3  # how many rows"),
    ("step:load", "table = [*range(rows)]"),
    ("step:sum", "print('the sum is', sum(table))"),
)


def test_a_run_is_followed_and_still_there_after_a_reload(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("sum.ipynb", *SUM)
    page = visit("sum.ipynb")
    panel(page).get_by_label("rows").fill("5")
    panel(page).get_by_role("button", name="Run here").click()
    status = panel(page).locator("[data-part=run] [role=status]")
    status.get_by_text("succeeded").wait_for()
    panel(page).get_by_text("sum │ the sum is 10").wait_for()
    badge(page, 3).locator(".podline-bar").wait_for()
    page.reload()
    page.locator(".jp-CodeCell").first.wait_for()
    panel(page).get_by_text("sum │ the sum is 10").wait_for()
    bar = panel(page).locator("[data-part=run] tr").filter(has_text="sum").get_by_role("img")
    assert "boot" in bar.get_attribute("aria-label")
    panel(page).get_by_role("button", name="Open the executed notebook").click()
    (executed,) = until(lambda: [*(jupyter.root / "podline-runs").glob("sum-*.ipynb")])
    found = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    assert found.cells[2].outputs[0].text == "the sum is 10\n"


def test_a_failed_run_says_why_and_leads_to_the_cell(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("fails.ipynb", ("step:load", "x = 1"), ("step:bad", "y = x\n1 / 0"))
    page = visit("fails.ipynb")
    panel(page).get_by_role("button", name="Run here").click()
    panel(page).locator("[data-part=run]").get_by_text("ZeroDivisionError").first.wait_for()
    panel(page).get_by_role("button", name="Go to cell 2").click()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1"
    )


def test_a_run_can_be_stopped(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("long.ipynb", ("step:wait", "print('begun')\nimport time\ntime.sleep(600)"))
    page = visit("long.ipynb")
    panel(page).get_by_role("button", name="Run here").click()
    panel(page).get_by_text("wait │ begun").wait_for()
    panel(page).get_by_role("button", name="Stop").click()
    panel(page).get_by_text("it was stopped").wait_for()


def test_a_value_that_is_none_of_its_type_is_refused(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("values.ipynb", *SUM)
    page = visit("values.ipynb")
    panel(page).get_by_label("rows").fill("many")
    panel(page).get_by_role("button", name="Run here").click()
    panel(page).get_by_text("The parameter rows: many is no integer").wait_for()


def test_a_notebook_is_put_into_airflow(jupyter: Jupyter, visit: Visit) -> None:
    (jupyter.root / "numbers.csv").write_text("1\n")
    source = "text = open('numbers.csv').read()"
    jupyter.write("deployed.ipynb", ("step:load", source))
    folder = jupyter.root.parent / "airflow"
    page = visit("deployed.ipynb")
    panel(page).get_by_role("button", name="Put into Airflow").click()
    panel(page).get_by_text("Airflow reads it as the DAG deployed.").wait_for()
    assert (folder / "numbers.csv").read_text() == "1\n"
    (folder / "numbers.csv").write_text("2\n")
    panel(page).get_by_role("button", name="Put into Airflow").click()
    page.get_by_role("dialog").get_by_text("numbers.csv").wait_for()
    page.get_by_role("button", name="Replace").click()
    until(lambda: (folder / "numbers.csv").read_text() == "1\n")
