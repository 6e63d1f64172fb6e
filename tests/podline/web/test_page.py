"""The pages in a real browser, through Airflow's real login."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.browser import PHONE, WIDE, each_look, no_errors, picture
from tests.support.pages import in_waterfall, page_of, run_tab, waterfall
from tests.support.records import Server
from tests.support.run_copies import copied_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("web"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@each_look
def test_a_runs_tab(
    visit: Callable[..., Any], server: Server, size: tuple[int, int], dark: bool
) -> None:
    with no_errors(visit(run_tab(server, "small"), size=size, dark=dark)) as page:
        page.get_by_role("heading", name="Where the time of this run went").wait_for()
        assert waterfall(page).locator("svg path").count() > 8
        assert in_waterfall(page, "first").is_visible()
        table = page.get_by_role("region", name="Totals by phase")
        assert re.search(r"code\s+stage\s+([2-9]\d\d ms|\d\.\d\d s)", table.inner_text())
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


def test_what_did_not_run_leads_to_why(visit: Callable[..., Any], server: Server) -> None:
    untried = {"state": "upstream_failed", "try_number": 0, "start_date": None}
    with copied_run(server, "small", "broken", 1, tasks={"second": untried}, notes={"second": {}}):
        page = visit(page_of(dag="small", run="broken", task="second"))
        page.get_by_text("A task that it waits for failed").wait_for()
        assert page.get_by_text("this try’s log").count() == 0
        assert page.get_by_text("not yet").count() == 0
        page.get_by_role("link", name="the whole run").click()
        page.get_by_role("heading", name="Where the time of this run went").wait_for()


def test_the_navigations_page_down_to_a_task(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline", size=PHONE)) as page:
        page.get_by_role("heading", name="Where the time goes").wait_for()
        picture(page, "overview-390-light")
        page.get_by_role("link", name="small", exact=True).click()
        page.get_by_role("link", name=server.runs["small"], exact=True).click()
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


def test_files_to_take_along(visit: Callable[..., Any], server: Server) -> None:
    page = visit(run_tab(server, "small"))
    for form in ("CSV", "JSON"):
        with page.expect_download() as waited:
            page.get_by_label(f"Download as {form}").click()
        assert waited.value.suggested_filename.startswith("small-manual")
        assert waited.value.suggested_filename.endswith(f".{form.lower()}")
    in_waterfall(page, "second").click()
    with page.expect_download() as waited:
        page.get_by_label("Download as .ipynb").click()
    assert waited.value.suggested_filename.endswith(".ipynb")
    assert "nbformat" in waited.value.path().read_text()


def test_from_a_try_to_its_run_and_its_log(visit: Callable[..., Any], server: Server) -> None:
    run = server.runs["plain"]
    with no_errors(visit(page_of(dag="plain", run=run, task="flaky", try_number="1"))) as page:
        page.get_by_role("link", name="this try’s log").click()
        page.wait_for_url(re.compile("/tasks/flaky[?]try_number=1$"))
        page.get_by_text("Logs", exact=True).first.wait_for()
        page.go_back()
        # Airflow's page of the task has a breadcrumb with that link, too.
        ours = page.locator("[data-podline]")
        ours.get_by_label("Breadcrumb").get_by_role("link", name=run).click()
        page.get_by_role("heading", name="Where the time of this run went").wait_for()


def test_times_are_in_the_zone_and_words_in_the_language_of_airflow(
    visit: Callable[..., Any], server: Server
) -> None:
    page = visit(run_tab(server, "small"), timezone_id="America/Lima")
    started = page.locator("[data-podline] time").first
    started.wait_for()
    pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    here = started.inner_text()
    assert re.fullmatch(pattern, here)
    page.evaluate("""() => {
        localStorage.setItem("timezone", JSON.stringify("Asia/Kolkata"));
        window.dispatchEvent(new StorageEvent("local-storage", { key: "timezone" }));
    }""")
    page.wait_for_function(
        "was => document.querySelector('[data-podline] time').innerText !== was", arg=here
    )
    there, utc = started.inner_text(), started.get_attribute("title").removesuffix(" UTC")
    assert minutes(there) - minutes(utc) == 5 * 60 + 30
    assert minutes(here) - minutes(utc) == -5 * 60
    page.evaluate("localStorage.setItem('i18nextLng', 'de')")
    page.reload()
    page.locator("[data-podline]").get_by_text("Erfolgreich").first.wait_for()


def minutes(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() / 60


def test_there_is_one_way_to_write_seconds(visit: Callable[..., Any], server: Server) -> None:
    page = visit(run_tab(server, "small"))
    in_waterfall(page, "first").wait_for()
    values = [0, 0.00123, 0.2, 0.99949, 1, 9.994, 59.96, 119.4, 120, 3599.7, 7199.9, -1.5]
    written = page.evaluate(
        """async (values) => {
            const main = performance.getEntriesByType("resource").find(e => e.name.endsWith("/words.js"));
            const { seconds } = await import(main.name);
            return values.map(seconds);
        }""",
        values,
    )
    assert written == [
        "0 ms",
        "1.2 ms",
        "200 ms",
        "999 ms",
        "1.00 s",
        "9.99 s",
        "60.0 s",
        "119.4 s",
        "2 min",
        "1 h",
        "2 h",
        "−1.50 s",
    ]


@pytest.mark.usefixtures("power")
def test_versions_side_by_side(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline-models?model=power")) as page:
        chosen = page.get_by_role("button", name="compare the chosen")
        page.get_by_label("compare version 1").check()
        assert chosen.is_disabled()
        page.get_by_label("compare version 2").check()
        chosen.click()
        metrics = page.get_by_role("region", name="Metrics of the versions")
        metrics.wait_for()
        assert re.search(r"rmse\s+0.5\s+0.4\s+changed", metrics.inner_text())
        picture(page, "model-compare-1440-light")


@pytest.mark.usefixtures("power")
def test_a_version_is_promoted_and_rolled_back(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline-models?model=power")) as page:
        page.get_by_label("Version", exact=True).select_option("1")
        page.get_by_role("button", name="promote").click()
        page.get_by_text("champion means version 1 now.").wait_for()
        page.get_by_role("button", name="back to version 2").click()
        page.get_by_text("champion means version 2 now.").wait_for()
        page.get_by_role("button", name="back to version 1").wait_for()
        aliases = page.get_by_role("region", name="Aliases of the model")
        assert re.search(r"champion\s+2", aliases.inner_text())


@pytest.mark.usefixtures("power")
def test_nothing_is_offered_that_one_may_not_do(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline-models?model=power", user="dora")) as page:
        page.get_by_role("region", name="Aliases of the model").get_by_text("champion").wait_for()
        for offered in ("promote", "back to"):
            assert page.get_by_role("button", name=offered).count() == 0
        page.goto(f"{server.url}/plugin/podline-models?model=power&version=2")
        origin = page.get_by_role("region", name="Origin")
        origin.get_by_role("link", name="second, try 1").wait_for()
        assert origin.get_by_text("executed cells").count() == 0


@pytest.mark.usefixtures("power")
def test_models_are_looked_for_in_the_address(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/plugin/podline-models")) as page:
        page.get_by_role("link", name="power", exact=True).wait_for()
        page.get_by_label("Only models with this in their name").fill("nothing")
        page.get_by_text("No model with “nothing” is published").wait_for()
        assert "search=nothing" in page.url
        page.reload()
        page.get_by_text("No model with “nothing” is published").wait_for()
