"""No serious finding of axe-core on any page of ours, in light and in dark."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from podline.store import Store, StoreConnection
from tests.support.axe import grave_findings
from tests.support.browser import each_look
from tests.support.fleet_records import NODE, ROLLOUT, kept
from tests.support.pages import page_of, point_at_row, waterfall
from tests.support.records import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("charts"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Airflow's own parts around them are not ours.
OURS = {"include": [["[data-podline]"]]}


def pages(server: Server) -> dict[str, str]:
    run = server.runs["small"]
    return {
        "all DAGs": page_of(),
        "a DAG": page_of(dag="small"),
        "two runs": page_of(dag="small", a=run, b=run),
        "a run": page_of(dag="small", run=run),
        "a try": page_of(dag="small", run=run, task="first"),
        "a failed try": page_of(
            dag="plain", run=server.runs["plain"], task="flaky", try_number="1"
        ),
        "instances": page_of(dag="plain", run=server.runs["plain"], task="each"),
        "models": "/plugin/podline-models?",
        "a model": "/plugin/podline-models?model=power",
        "a version": "/plugin/podline-models?model=power&version=2",
        "versions": "/plugin/podline-models?model=power&compare=1,2",
        "nothing": page_of(dag="nothing"),
        "the fleet": "/plugin/podline-edge",
        "rollouts": "/plugin/podline-edge?view=rollouts",
        "a rollout": f"/plugin/podline-edge?model=power&rollout={ROLLOUT.id}",
    }


@pytest.fixture
def edge(store_server: StoreConnection) -> Iterator[None]:
    """Two nodes, one of them late, and a rollout to one of them."""
    attic = replace(NODE, name="attic", seen=time.time())
    with kept(Store(store_server), [NODE, attic, ROLLOUT]):
        yield


@pytest.mark.usefixtures("power", "edge")
@pytest.mark.slow
@each_look
def test_every_page(
    visit: Callable[..., Any], server: Server, size: tuple[int, int], dark: bool
) -> None:
    page = visit(page_of(), size=size, dark=dark)
    found = {}
    for name, path in pages(server).items():
        page.goto(server.url + path)
        page.wait_for_load_state("networkidle")
        page.locator("[data-podline] h1, [data-podline] [role=alert]").first.wait_for()
        if findings := grave_findings(page, OURS):
            found[name] = findings
    assert not found


@pytest.mark.parametrize(
    "dark",
    [pytest.param(False, id="light"), pytest.param(True, id="dark", marks=pytest.mark.slow)],
)
def test_what_a_tooltip_says(visit: Callable[..., Any], server: Server, dark: bool) -> None:
    page = visit(page_of(dag="plain", run=server.runs["plain"], state="up_for_retry"), dark=dark)
    waterfall(page).wait_for()
    point_at_row(page, 0)
    page.get_by_role("tooltip").get_by_text("ValueError").wait_for()
    assert not grave_findings(page, {"include": [["[role=tooltip]"]]})
