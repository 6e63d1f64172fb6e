"""The tutorial as its reader goes through it: from a plain notebook to a run in Airflow, in the panel."""

import re
import shutil
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest

from podline.store import StoreConnection
from tests.support import airflow_server, jupyter
from tests.support.airflow_server import Airflow
from tests.support.browser import picture
from tests.support.code_blocks import DOCS
from tests.support.jupyter import Jupyter
from tests.support.panel import badge, panel, select
from tests.support.waiting import until

pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# What section 3 of the tutorial has its reader choose, by cell; the second is a stage's name.
KINDS = {
    2: ("imports", ""),
    3: ("parameters", ""),
    4: ("begins a stage", "ingest"),
    6: ("begins a stage", "train"),
    7: ("begins a stage", "evaluate"),
    8: ("metrics", ""),
}
STAGES = [name for _, name in KINDS.values() if name]
_MILLISECONDS = 240_000  # of a run


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, store_server: StoreConnection
) -> Iterator[Airflow]:
    """A real one, whose folder of notebooks is empty."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "notebooks").mkdir()
    variables = store_server.to_env() | {
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(home / "notebooks"),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
    }
    with airflow_server.running(home, variables) as found:
        yield found


@pytest.fixture(scope="module")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory, airflow: Airflow) -> Iterator[Jupyter]:
    """The newest JupyterLab, which is told of that Airflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PODLINE_API_PASSWORD", airflow.password)
        about = {"airflow_url": airflow.url, "airflow_folder": str(airflow.home / "notebooks")}
        with jupyter.running("lab-newest", tmp_path_factory.mktemp("lab"), **about) as found:
            yield found


@pytest.fixture
def page(chromium: Any, jupyter_server: Jupyter) -> Iterator[Any]:
    """The tutorial's notebook, opened."""
    shutil.copy(DOCS / "tutorial" / "wine.ipynb", jupyter_server.root)
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    found = context.new_page()
    found.set_default_timeout(60_000)
    found.goto(jupyter_server.page("wine.ipynb"))
    badge(found, 8).wait_for()
    yield found
    context.close()


def tag(page: Any, number: int, kind: str, name: str) -> None:
    select(page, number)
    panel(page).get_by_label("This cell").select_option(kind)
    if name:
        panel(page).get_by_label("Stage", exact=True).fill(name)
        page.keyboard.press("Enter")
    badge(page, number).get_by_text(name or kind).wait_for()


def run_has_succeeded(page: Any, where: str) -> None:
    told = panel(page).locator("[data-part=run] [role=status]")
    pattern = re.compile(rf"The run of .* {where} succeeded\.")
    told.get_by_text(pattern).wait_for(timeout=_MILLISECONDS)


def test_from_a_plain_notebook_to_a_run_in_airflow(
    page: Any, jupyter_server: Jupyter, airflow: Airflow
) -> None:
    picture(page, "tutorial-1-plain")
    panel(page).locator("[data-part=problems]").get_by_text("stage").first.wait_for()
    for number, (kind, name) in KINDS.items():
        tag(page, number, kind, name)
    panel(page).get_by_text("No problems").wait_for()
    picture(page, "tutorial-2-tagged")

    panel(page).get_by_label("trees").fill("50")
    panel(page).get_by_role("button", name="Run here").click()
    run_has_succeeded(page, "here")
    picture(page, "tutorial-3-run-here")

    panel(page).get_by_role("button", name="Put into Airflow").click()
    panel(page).get_by_text("Airflow reads it as the DAG wine.").wait_for()
    panel(page).get_by_role("button", name="Run in Airflow", exact=True).click()
    rows = panel(page).locator("[data-part=run] tr")
    panel(page).locator("[data-part=run] [role=status]").get_by_text("in Airflow").wait_for()
    rows.nth(len(STAGES) - 1).wait_for(timeout=_MILLISECONDS)
    picture(page, "tutorial-4-airflow-waits")
    assert rows.locator("th").all_inner_texts() == STAGES
    rows.filter(has_text="ingest").get_by_text(re.compile(r"\d s")).wait_for(timeout=_MILLISECONDS)
    picture(page, "tutorial-5-airflow-runs")
    run_has_succeeded(page, "in Airflow")
    badge(page, 6).get_by_text(re.compile(r"\d m?s")).first.wait_for()
    picture(page, "tutorial-6-airflow-over")
    link = panel(page).get_by_role("link", name="Open it in Airflow")
    assert link.get_attribute("href").startswith(f"{airflow.url}/dags/wine/runs/")

    panel(page).get_by_role("button", name="Open the executed notebook").click()
    (executed,) = until(lambda: [*(jupyter_server.root / "podline-runs").glob("wine-*.ipynb")])
    found = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    # Of a run in Airflow it has the cells that stages ran, which keep their numbers.
    numbers = [cell.metadata.podline.cell for cell in found.cells]
    assert numbers == [4, 5, 6, 7, 8]
    assert found.cells[0].outputs[0].text == "178 wines\n"
    page.locator(".jp-Notebook").get_by_text("178 wines").first.wait_for()
    picture(page, "tutorial-7-executed")


def test_what_airflow_does_not_know_yet_is_waited_for(page: Any, jupyter_server: Jupyter) -> None:
    jupyter_server.write("elsewhere.ipynb", ("step:only", "x = 1"))
    page.goto(jupyter_server.page("elsewhere.ipynb"))
    badge(page, 1).get_by_text("only").wait_for()
    panel(page).get_by_role("button", name="Run in Airflow", exact=True).click()
    panel(page).get_by_text("Airflow has yet to read the notebook.").wait_for()
    panel(page).get_by_role("button", name="Stop following").click()
    panel(page).get_by_text("it is not followed any more").wait_for()
