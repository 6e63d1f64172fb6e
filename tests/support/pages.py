"""podline's pages in a browser: where they are, and what a test looks for in them."""

from typing import Any
from urllib.parse import quote

from tests.support.records import Server


def run_tab(server: Server, dag_id: str, run_id: str | None = None) -> str:
    """The path of a run's tab."""
    run = quote(run_id or server.runs[dag_id], safe="")
    return f"/dags/{dag_id}/runs/{run}/plugin/podline-run"


def page_of(**fields: str) -> str:
    """The path of a page below the navigation: of a DAG, a run, a task."""
    return "/plugin/podline?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in fields.items())


def waterfall(page: Any) -> Any:
    """The waterfall of a run."""
    return page.get_by_role("region", name="Waterfall of the run")


def in_waterfall(page: Any, stage: str) -> Any:
    """The link of a stage's row."""
    return waterfall(page).get_by_role("link", name=stage)


def bars(page: Any) -> Any:
    """The drawing of a waterfall's bars."""
    return waterfall(page).get_by_role("img", name="tries over")


def point_at_row(page: Any, place: int) -> None:
    """Have the pointer on a row, and wait for what it tells."""
    box = bars(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 24 * place + 12, steps=3)
    page.get_by_role("tooltip").wait_for()
