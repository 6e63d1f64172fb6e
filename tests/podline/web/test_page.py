"""The pages in a real browser, through Airflow's real login."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.browser import PHONE, WIDE, log_in, picture
from tests.support.records import MANY, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("web"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def visit(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens a page of Airflow as a user who has logged in."""
    contexts = []

    def open_page(
        path: str, user: str = "admin", size: tuple[int, int] = WIDE, dark: bool = False
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        return log_in(context, server.url, path, user, user, dark)

    yield open_page
    for context in contexts:
        context.close()


def run_tab(server: Server, dag_id: str) -> str:
    return f"/dags/{dag_id}/runs/{quote(server.runs[dag_id], safe='')}/plugin/podline-run"


def in_waterfall(page: Any, stage: str) -> Any:
    return page.get_by_label("Waterfall of the run").get_by_role("link", name=stage)


@contextmanager
def no_errors(page: Any) -> Iterator[Any]:
    yield page
    assert page.errors == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_runs_tab(
    visit: Callable[..., Any], server: Server, size: tuple[int, int], dark: bool
) -> None:
    with no_errors(visit(run_tab(server, "small"), size=size, dark=dark)) as page:
        page.get_by_role("heading", name="Where the time of this run went").wait_for()
        waterfall = page.get_by_role("region", name="Waterfall of the run")
        assert waterfall.locator("svg path").count() > 8
        assert waterfall.get_by_role("link", name="first").is_visible()
        table = page.get_by_role("region", name="Totals by phase")
        assert re.search(r"code\s+stage\s+2\d\d ms", table.inner_text())
        picture(page, f"run-{size[0]}-{'dark' if dark else 'light'}")


def test_from_a_run_to_a_task_and_its_notebook(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        in_waterfall(page, "second").click()
        page.get_by_role("heading", name="second", level=1).wait_for()
        phases = page.get_by_role("region", name="Phases of the try").inner_text()
        for name in ("prepare", "boot", "code", "finish"):
            assert name in phases
        assert page.get_by_role("region", name="Cells of the stage").is_visible()
        picture(page, "task-1440-light")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Open the cells with their outputs").click()
        notebook = opened.value
        notebook.get_by_text("<b>y</b> is 2").wait_for()
        picture(notebook, "notebook")


def test_a_failed_try(visit: Callable[..., Any], server: Server) -> None:
    run = quote(server.runs["plain"], safe="")
    path = f"/dags/plain/runs/{run}/tasks/flaky/plugin/podline-task?try_number=1"
    with no_errors(visit(path)) as page:
        page.get_by_text("<img src=x onerror=alert(1)>").wait_for()  # HTML stays text
        assert page.locator("img[src=x]").count() == 0
        picture(page, "task-failed")
        page.get_by_role("link", name="try 2").click()
        page.get_by_text("Why it failed").wait_for(state="detached")


def test_a_run_of_a_thousand(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        page.get_by_text(f"each × {MANY}").wait_for()
        picture(page, "run-thousand")
        tries = page.get_by_role("region", name="Tries of the run")
        assert tries.locator("tbody tr").count() == 50
        page.get_by_role("button", name="On", exact=True).click()
        page.get_by_text("page 2 of").wait_for()


def test_the_navigations_page_down_to_a_task(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline", size=PHONE)) as page:
        page.get_by_role("heading", name="Where the time goes").wait_for()
        picture(page, "overview-390-light")
        page.get_by_role("link", name="small").click()
        page.get_by_role("link", name=server.runs["small"]).click()
        in_waterfall(page, "first").click()
        page.get_by_role("heading", name="first", level=1).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_overview_filters(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline")) as page:
        page.get_by_role("link", name="plain").wait_for()
        picture(page, "overview-1440-light")
        page.get_by_label("Only DAGs with this in their name").fill("sma")
        page.get_by_role("link", name="plain").wait_for(state="detached")
        page.get_by_role("link", name="small").wait_for()
        page.get_by_label("Only DAGs with this in their name").fill("nothing")
        page.get_by_text("No DAG with “nothing” has records").wait_for()


def test_who_may_see_nothing_is_told_so(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline", user="carl")) as page:
        page.get_by_text("Nothing is recorded yet").wait_for()
        page.goto(f"{server.url}/plugin/podline?dag=small")
        page.get_by_text("You may not see this DAG’s task instances").wait_for()
        picture(page, "refused")


@pytest.mark.usefixtures("power")
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_from_a_model_to_the_run_that_made_it(
    visit: Callable[..., Any], server: Server, size: tuple[int, int]
) -> None:
    with no_errors(visit("/plugin/podline-models", size=size)) as page:
        page.get_by_role("heading", name="Published models").wait_for()
        page.get_by_role("link", name="power", exact=True).click()
        versions = page.get_by_role("region", name="Versions")
        versions.get_by_text("rmse").first.wait_for()
        picture(page, f"versions-{size[0]}-light")
        versions.get_by_role("link", name="2", exact=True).click()
        page.get_by_role("heading", name="power version 2").wait_for()
        origin = page.get_by_role("region", name="Origin")
        for said in ("took to serialise", "took to upload"):
            assert origin.get_by_text(said).is_visible()
        picture(page, f"version-{size[0]}-light")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        origin.get_by_role("link", name="second, try 1").click()
        page.get_by_role("heading", name="second", level=1).wait_for()


def test_by_keyboard(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        link = page.get_by_role("region", name="Tries of the run").get_by_role("link").first
        link.wait_for()
        link.focus()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="first", level=1).wait_for()


def test_a_server_that_is_gone_is_said_and_asked_again(
    visit: Callable[..., Any], server: Server
) -> None:
    page = visit("/plugin/podline")
    page.get_by_role("link", name="small").wait_for()
    page.route("**/podline/api/**", lambda route: route.abort())
    page.get_by_role("link", name="small").click()
    page.get_by_text("Airflow does not answer").wait_for()
    page.unroute("**/podline/api/**")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("region", name="Runs of the DAG").wait_for()
