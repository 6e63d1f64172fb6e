"""Runs from the panel: live, kept on the server, and the notebook on its way into Airflow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.axe import grave_findings
from tests.support.browser import picture
from tests.support.jupyter import Jupyter, running
from tests.support.panel import badge, command, panel, set_source
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


def test_a_version_in_airflow_that_is_another_is_run_only_if_it_is_meant(
    jupyter: Jupyter, visit: Visit
) -> None:
    jupyter.write("older.ipynb", *SUM)
    page = visit("older.ipynb")
    panel(page).get_by_role("button", name="Put into Airflow").click()
    panel(page).get_by_text("Airflow reads it as the DAG older.").wait_for()
    set_source(page, 3, "print('twice the sum is', 2 * sum(table))")
    run = panel(page).get_by_role("button", name="Run in Airflow", exact=True)
    run.focus()
    page.keyboard.press("Enter")
    # Its name is what a screen reader says when it opens.
    dialog = page.get_by_role("dialog", name="differs from the one here in: older.ipynb")
    dialog.wait_for()
    picture(page, f"another-version-{jupyter.program}")
    assert "To run the one here, put it into Airflow first." in dialog.inner_text()
    assert grave_findings(page, {"include": [[".jp-Dialog-content"]]}) == []
    page.keyboard.press("Enter")  # without a look: nothing is run
    dialog.wait_for(state="hidden")
    panel(page).get_by_text("No run yet.").wait_for()
    page.wait_for_function("() => document.activeElement.textContent === 'Run in Airflow'")
    page.keyboard.press("Enter")
    dialog.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    panel(page).locator("[data-part=run] [role=status]").get_by_text("in Airflow").wait_for()


def test_other_outputs_are_no_other_version(jupyter: Jupyter, visit: Visit) -> None:
    path = jupyter.write("shown.ipynb", *SUM)
    page = visit("shown.ipynb")
    panel(page).get_by_role("button", name="Put into Airflow").click()
    panel(page).get_by_text("Airflow reads it as the DAG shown.").wait_for()
    command(page, "notebook:run-all-cells")
    page.locator(".jp-OutputArea").get_by_text("the sum is 3").wait_for()
    panel(page).get_by_role("button", name="Run in Airflow", exact=True).click()
    panel(page).locator("[data-part=run] [role=status]").get_by_text("in Airflow").wait_for()
    assert "the sum is 3" in path.read_text()
    assert page.get_by_role("dialog").count() == 0


def test_what_cannot_be_compared_is_told(chromium: Any, tmp_path: Path) -> None:
    with running("lab-newest", tmp_path, airflow_folder="/elsewhere") as jupyter:
        jupyter.write("away.ipynb", *SUM)
        page = chromium.new_page()
        page.goto(jupyter.page("away.ipynb"))
        badge(page, 3).wait_for()
        panel(page).get_by_role("button", name="Run in Airflow", exact=True).click()
        told = panel(page).locator(".podline-note[role=status]")
        told.get_by_text("Not compared with the version in Airflow: /elsewhere is no").wait_for()
        panel(page).locator("[data-part=run] [role=status]").get_by_text("in Airflow").wait_for()
        page.close()
