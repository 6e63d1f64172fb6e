"""A DAG's runs on a page: their trend, two side by side, and what a run was slower in."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.browser import PHONE, no_errors, picture
from tests.support.pages import page_of, run_tab
from tests.support.records import Server
from tests.support.run_copies import copied_run

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("charts"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def runs(server: Server) -> Iterator[None]:
    """Before the run of `small` one that failed, one that still runs, and two like it."""
    failed = {"state": "failed", "conf": {"rows": 3}}
    running = {"state": "running", "end_date": None}
    with ExitStack() as stack:
        for run_id, hours, run, tasks in (
            ("like", 4, {"conf": {"rows": 2, "model": "ridge"}}, {}),
            ("other", 3, {"conf": {"rows": 9, "model": "ridge"}}, {}),
            ("failed", 2, failed, {"second": {"state": "failed"}}),
            ("runs", 1, running, {"second": {"state": "running", "end_date": None}}),
        ):
            stack.enter_context(copied_run(server, "small", run_id, hours, run=run, tasks=tasks))
        yield


@pytest.mark.usefixtures("runs")
def test_the_trend_in_the_dags_tab(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/dags/small/plugin/podline-dag")) as page:
        plot = page.get_by_role("group", name="wall time of the last 5 runs")
        plot.wait_for()
        columns = plot.get_by_role("link")
        assert [
            re.sub(r",.*: (\w+),?.*", r" \1", label.get_attribute("aria-label"))
            for label in columns.all()
        ] == [
            "like Success",
            "other Success",
            "failed Failed",
            "runs Running",
            f"{server.runs['small']} Success",
        ]
        assert page.get_by_text("the next run will take about").is_visible()
        assert page.get_by_text("Dashed: the median").is_visible()
        picture(page, "trend-1440-light")
        page.get_by_label("What is plotted").select_option("phases, stacked")
        page.get_by_role("group", name="phases, stacked of").wait_for()
        assert page.get_by_text("Dashed: the median").count() == 0  # there is no such line
        page.get_by_label("Of which task").select_option("second")
        page.get_by_role("button", name="imports").click()
        imports = page.get_by_role("group", name="imports of the last 5 runs")
        imports.wait_for()
        assert "of=second" in page.url
        assert "show=imports" in page.url
        page.get_by_text("the next second will take about").wait_for()
        imports.get_by_role("link").first.focus()
        page.get_by_role("tooltip").get_by_text("imports").wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Where the time of this run went").wait_for()


@pytest.mark.usefixtures("runs")
def test_two_runs_side_by_side(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(page_of(dag="small"))) as page:
        page.get_by_role("link", name="compare other with the one before").click()
        parameters = page.get_by_role("region", name="Parameters of both runs")
        parameters.wait_for()
        rows = parameters.get_by_role("row")
        assert re.fullmatch(r"rows\s+2\s+9\s+changed", rows.nth(1).inner_text())
        assert re.fullmatch(r"model\s+ridge\s+ridge\s*", rows.last.inner_text())
        tasks = page.get_by_role("region", name="Tasks of both runs")
        assert tasks.get_by_role("link", name="first").is_visible()
        picture(page, "compare-1440-light")
        page.get_by_label("The second run").select_option("failed")
        page.get_by_role("region", name="The two runs").get_by_text("Failed", exact=True).wait_for()
        assert tasks.get_by_text("→").is_visible()  # from one state to another


@pytest.mark.usefixtures("runs")
def test_both_runs_parameters_are_seen_on_a_phone(visit: Callable[..., Any]) -> None:
    page = visit(page_of(dag="small", a="like", b="other"), size=PHONE)
    parameters = page.get_by_role("region", name="Parameters of both runs")
    second = parameters.get_by_role("columnheader", name="second").bounding_box()
    assert second["x"] + second["width"] <= PHONE[0]


def test_which_stage_was_slower_in_which_phase_and_since_when(
    visit: Callable[..., Any], server: Server
) -> None:
    with ExitStack() as stack:
        for hours in range(2, 8):
            stack.enter_context(copied_run(server, "small", f"quick-{hours}", hours + 30))
        for hours in (1, 2):
            stack.enter_context(copied_run(server, "small", f"slow-{hours}", hours, code=3.0))
        page = visit(page_of(dag="small", run="slow-1"))
        table = page.get_by_role("region", name="Slower than usual")
        table.wait_for()
        row = table.get_by_role("row", name="first").inner_text()
        assert re.search(r"first\s+code\s+3\.00 s\s+\+2\.\d+ s", row)
        table.get_by_text(", 2 runs").wait_for()
        table.get_by_role("link", name="first").click()
        page.get_by_role("group", name="code of the last").wait_for()


def test_a_task_over_the_runs(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit("/dags/small/tasks/first/plugin/podline-task-trend")) as page:
        page.get_by_role("heading", name="first", level=1).wait_for()
        page.get_by_role("group", name="wall time of the last 1 runs").wait_for()
        assert page.get_by_label("Of which task").count() == 0


def test_the_instances_of_a_mapped_task(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        page.get_by_role("link", name="each", exact=True).click()
        page.get_by_role("heading", name="each", level=1).wait_for()
        for figure in ("shortest", "median", "longest"):
            assert page.get_by_text(figure, exact=True).is_visible()
        assert page.get_by_text("1,000 tries of its instances").is_visible()
        page.get_by_role("button", name="boot", exact=True).wait_for()  # what the colours mean
        picture(page, "instances-1440-light")
        page.get_by_role("link", name="its instances in Airflow").click()
        page.wait_for_url(re.compile("/tasks/each/mapped$"))
