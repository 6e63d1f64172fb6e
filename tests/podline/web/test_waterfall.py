"""The waterfall of a run, as a pointer, a finger and a keyboard use it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.browser import PHONE, each_look, no_errors, picture
from tests.support.latency import phase
from tests.support.pages import bars, in_waterfall, page_of, point_at_row, run_tab, waterfall
from tests.support.records import MANY, Server
from tests.support.run_copies import copied_run, have_pod_ahead
from tests.support.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("charts"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LABELS = 60  # at most, however many rows there are


AT_CODE = {"phase": "code", "phases": [phase("prepare", 2.0), phase("imports", 18.0, 2.0)]}


@pytest.fixture
def goes_on(server: Server) -> Iterator[str]:
    """A run of `small` whose first stage is at its code, and whose second waits for it."""
    begun = time.time() - 60
    start = datetime.fromtimestamp(begun, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    first = {"state": "running", "start_date": start, "end_date": None}
    second = {"state": None, "start_date": None, "end_date": None, "try_number": 0}
    with copied_run(
        server,
        "small",
        "goes-on",
        1,
        run={"state": "running", "start_date": start, "end_date": None, "conf": {"rows": 7}},
        tasks={"first": first, "second": second},
        notes={"first": {"latency.now.1": AT_CODE | {"since": begun + 20}}, "second": {}},
    ):
        yield "goes-on"


def test_the_tooltip_is_at_the_pointer_and_within_the_window(
    visit: Callable[..., Any], server: Server
) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        waterfall(page).wait_for()
        point_at_row(page, 1)
        told = page.get_by_role("tooltip")
        assert re.search(r"second.*Success.*code.*ms", told.inner_text(), re.S)
        box = told.bounding_box()
        assert box["x"] >= 0
        assert box["y"] + box["height"] <= 900
        page.keyboard.press("Escape")
        told.wait_for(state="detached")


def test_a_finger_sees_what_it_presses_before_it_opens_it(
    visit: Callable[..., Any], server: Server
) -> None:
    path = page_of(dag="small", run=server.runs["small"])
    with no_errors(visit(path, size=PHONE, has_touch=True)) as page:
        bars(page).scroll_into_view_if_needed()
        box = bars(page).bounding_box()
        page.touchscreen.tap(box["x"] + 40, box["y"] + 12)
        page.get_by_role("tooltip").get_by_text("Press again to open it").wait_for()
        picture(page, "tooltip-390-light")
        page.touchscreen.tap(box["x"] + 40, box["y"] + 12)
        page.get_by_role("heading", name="first", level=1).wait_for()


def test_the_keyboard_goes_from_row_to_row(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        waterfall(page).get_by_role("link").first.focus()
        told = page.get_by_role("tooltip")
        first = told.inner_text()
        page.keyboard.press("ArrowDown")
        page.wait_for_function(
            "was => document.querySelector('[role=tooltip]').innerText !== was", arg=first
        )
        page.keyboard.press("End")
        # Which task started last is the scheduler's affair; that its row has the focus is not.
        place = str(MANY + 3)
        page.wait_for_function("row => document.activeElement.dataset.row === row", arg=place)
        last = waterfall(page).locator(f"[data-row='{place}']")
        page.wait_for_function(
            "id => document.activeElement.getAttribute('aria-describedby') === id",
            arg=told.get_attribute("id"),
        )
        task = last.get_attribute("aria-label").partition(" (try ")[0]
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=task, level=1).wait_for()


def test_of_a_thousand_rows_only_those_in_sight_have_labels(
    visit: Callable[..., Any], server: Server
) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        in_waterfall(page, "each[2]").first.wait_for()
        links = waterfall(page).get_by_role("link")
        assert 20 < links.count() < LABELS
        assert bars(page).locator("text").count() < LABELS
        assert bars(page).locator("path").count() < LABELS
        picture(page, "run-thousand")
        waterfall(page).evaluate("node => node.scrollTo(0, node.scrollHeight)")
        in_waterfall(page, "skipped").wait_for()
        assert links.count() < LABELS


def test_failures_are_jumped_to(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        page.get_by_role("button", name="next failure (1)").click()
        told = page.get_by_role("tooltip")
        told.get_by_text("ValueError: <img").wait_for()
        assert told.get_by_text("Failed").is_visible()
        row = in_waterfall(page, "flaky (try 1)")
        assert row.is_visible()
        picture(page, "run-failure")


def test_a_jump_passes_over_what_only_a_failure_before_it_stopped(
    visit: Callable[..., Any], server: Server
) -> None:
    failed = {"state": "failed"}
    untried = {"state": "upstream_failed", "try_number": 0, "start_date": None}
    tasks = {"first": failed, "second": untried}
    with copied_run(server, "small", "stopped", 1, tasks=tasks, notes={"second": {}}):
        page = visit(page_of(dag="small", run="stopped"))
        page.get_by_role("button", name="next failure (1)").wait_for()


def test_states_are_told_by_shape_and_word(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        page.get_by_label("Order").select_option("failures first")
        names = waterfall(page)
        names.get_by_role("img", name="Failed, tried again").wait_for()
        shapes = {
            word: names.get_by_role("img", name=word, exact=True)
            .first.locator("path")
            .get_attribute("d")
            for word in ("Failed, tried again", "Success")
        }
        page.get_by_label("Only tries in this state").select_option("Skipped (1)")
        skipped = names.get_by_role("img", name="Skipped", exact=True)
        skipped.wait_for()
        shapes["Skipped"] = skipped.locator("path").get_attribute("d")
        assert len(set(shapes.values())) == 3


def test_what_is_looked_for_is_in_the_address(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        page.get_by_label("Only tasks with this in their name").fill("EACH[77")
        page.get_by_text(f"11 of {MANY + 4:,} tries").wait_for()
        page.get_by_label("Order").select_option("longest first")
        page.reload()
        page.get_by_text(f"11 of {MANY + 4:,} tries").wait_for()
        assert page.get_by_label("Only tasks with this in their name").input_value() == "EACH[77"
        assert waterfall(page).get_by_role("link").count() == 11
        table = page.get_by_role("region", name="Tries of the run")
        assert table.locator("tbody tr").count() == 11
        page.get_by_label("Only what took at least so many seconds").fill("100000")
        page.get_by_text("None of the tries is as asked for.").wait_for()


def test_a_page_of_the_table_is_in_the_address(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        table = page.get_by_role("region", name="Tries of the run")
        table.wait_for()
        assert table.locator("tbody tr").count() == 50
        page.get_by_role("button", name="On", exact=True).click()
        page.get_by_text("page 2 of 21").wait_for()
        table.get_by_role("link", name="log of").first.click()
        page.wait_for_url(re.compile(r"try_number=1$"))
        page.go_back()
        page.get_by_text("page 2 of 21").wait_for()


def test_a_phase_alone(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "plain"))) as page:
        button = page.get_by_role("button", name="boot", exact=True)
        button.click()
        page.get_by_text(re.compile(r"99\d of 1,004 tries")).wait_for()  # plain tasks have no such
        assert button.get_attribute("aria-pressed") == "true"
        assert "phase=boot" in page.url
        header = page.get_by_role("region", name="Tries of the run").locator("th")
        assert "boot" in header.all_inner_texts()
        button.click()
        page.wait_for_url(lambda url: "phase=" not in url)


def test_a_range_is_looked_at_by_drawing_it(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        waterfall(page).wait_for()
        whole = page.get_by_role("button", name="whole run")
        assert whole.is_disabled()
        before = bars(page).get_attribute("aria-label")
        box = bars(page).bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 12)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 12, steps=4)
        page.mouse.up()
        page.wait_for_function("!document.querySelector('button:disabled')")
        assert "/plugin/podline-run" in page.url  # the click opened nothing
        drawn = bars(page).get_attribute("aria-label")
        assert drawn != before
        page.keyboard.down("Control")
        page.mouse.wheel(0, -200)
        until(lambda: bars(page).get_attribute("aria-label") != drawn)
        page.keyboard.up("Control")
        whole.click()
        assert bars(page).get_attribute("aria-label") == before


def test_the_clocks_axis_and_the_critical_path(visit: Callable[..., Any], server: Server) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        path = bars(page).locator("[data-part=critical]")
        path.wait_for(state="attached")
        assert path.get_attribute("d").count("M") == 2  # both stages, one after the other
        page.get_by_role("button", name="clock").click()
        labels = waterfall(page).locator("p[aria-hidden], div[aria-hidden] p").all_inner_texts()
        assert all(re.fullmatch(r"\d\d:\d\d:\d\d(\.\d+)?", label) for label in labels)
        page.get_by_role("button", name="critical path").click()
        path.wait_for(state="detached")


def test_what_goes_on_says_at_what_it_is(
    visit: Callable[..., Any], server: Server, goes_on: str
) -> None:
    with no_errors(visit(run_tab(server, "small", goes_on))) as page:
        bars(page).get_by_text(re.compile(r"· code \d+\.\d s")).wait_for()
        table = page.get_by_role("region", name="Tries of the run")
        row = table.get_by_role("row", name="second")
        assert re.search(r"second\s+–\s+No Status", row.inner_text())
        assert "try 0" not in page.locator("body").inner_text()
        assert (
            page.get_by_role("region", name="Parameters of the run").get_by_text("7").is_visible()
        )
        point_at_row(page, 0)
        told = page.get_by_role("tooltip").inner_text()
        assert re.search(r"prepare\s+2\.00 s\s+imports\s+18\.0 s\s+code, now\s+\d+\.\d s", told)
        picture(page, "run-live")
        assert re.search(r"first.*code .*s\s+\d+\.\d s\s+log", table.inner_text(), re.S)  # own code
        assert page.get_by_role("heading", name="Totals of what has ended").is_visible()
        now = bars(page).locator("text").all_inner_texts()
        page.wait_for_function(
            "was => document.querySelector('[data-podline] svg text').textContent !== was",
            arg=now[0],
        )


@each_look
def test_a_pod_that_was_made_ahead(
    visit: Callable[..., Any], server: Server, size: tuple[int, int], dark: bool
) -> None:
    with copied_run(server, "small", "ahead", 2):
        have_pod_ahead(server, "ahead", "second", made=-4.0, ready=-2.5, claimed=0.05)
        with no_errors(visit(run_tab(server, "small", "ahead"), size=size, dark=dark)) as page:
            page.get_by_text("made ahead: it gets ready").wait_for()
            path = bars(page).locator("[data-part=ahead]")
            assert path.get_attribute("d").count("M") == 2  # gets ready, and waits
            assert path.bounding_box()["x"] >= bars(page).bounding_box()["x"]
            waterfall(page).get_by_role("link", name="second").focus()
            told = page.get_by_role("tooltip").inner_text()
            picture(page, f"run-ahead-{size[0]}-{'dark' if dark else 'light'}")
    assert (
        "made ahead 4.00 s before the start, ready 2.50 s before, claimed 50 ms after; "
        "idle for 2.55 s"
    ) in told


def test_a_run_without_such_pods_has_no_legend_for_them(
    visit: Callable[..., Any], server: Server
) -> None:
    with no_errors(visit(run_tab(server, "small"))) as page:
        waterfall(page).wait_for()
        assert page.get_by_text("made ahead: it gets").count() == 0
        assert bars(page).locator("[data-part=ahead]").count() == 0


def test_what_waits_since_nobody_knows_when_does_not_stretch_the_axis(
    visit: Callable[..., Any], server: Server
) -> None:
    start = datetime.fromtimestamp(time.time() - 60, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    first = {"state": "running", "start_date": start, "end_date": None}
    waits = {"state": "queued", "start_date": None, "end_date": None, "queued_dttm": None}
    with (
        copied_run(
            server,
            "small",
            "waits",
            1,
            run={"state": "running", "start_date": start, "end_date": None},
            tasks={"first": first, "second": waits | {"scheduled_dttm": None}},
            notes={"first": {}, "second": {}},
        ),
        no_errors(visit(run_tab(server, "small", "waits"))) as page,
    ):
        bars(page).wait_for()
        assert " h" not in bars(page).get_attribute("aria-label").partition(";")[0]


def test_of_what_has_not_begun_nothing_is_compared(
    visit: Callable[..., Any], server: Server
) -> None:
    waits = {"state": None, "start_date": None, "end_date": None, "try_number": 0}
    with (
        copied_run(
            server,
            "small",
            "queued",
            1,
            run={"state": "queued", "start_date": None, "end_date": None},
            tasks={"first": waits, "second": waits},
            notes={"first": {}, "second": {}},
        ),
        no_errors(visit(run_tab(server, "small", "queued"))) as page,
    ):
        page.get_by_text("None of the tries has begun yet").wait_for()
        assert page.get_by_text("no earlier runs").count() == 0
