"""The pages of the fleet and of rollouts in a real browser."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from podline.fleet.node import Node
from podline.fleet.rollout import NodeRollout, Phase
from podline.store import Store, StoreConnection
from tests.support.browser import each_look, no_errors, picture
from tests.support.fleet_records import NODE, ROLLOUT, kept
from tests.support.records import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("charts"),
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

FLEET = "/plugin/podline-edge"
MANY = 200
(MODEL,) = NODE.models
LATER = replace(
    ROLLOUT,
    id="20261129T150000.000Z-1a2b3c4d",
    state="running",
    step="observation",
    ended=None,
    decision="",
)


def node(number: int, now: float) -> Node:
    """One of many nodes: the first is late, the next two have troubles, the fourth is pinned."""
    model = replace(MODEL, requests=number, errors=number % 7 == 3, version=3 - (number % 5 == 0))
    if number == 1:
        model = replace(model, state="UNAVAILABLE", version=None, reason="<b>no</b> version")
    if number == 2:
        model = replace(model, reason="version 3 is not served: its hash differs")
    if number == 3:
        model = replace(model, pinned=2)
    # Seldom enough that none of the others is late at the end of these tests.
    every, seen = 3600.0, now - (4 * 3600 if number == 0 else 5)
    return replace(NODE, name=f"edge-{number:03}", seen=seen, every=every, models=(model,))


def way(number: int) -> NodeRollout:
    if number == 7:
        return NodeRollout("edge-007", "http://x", None, "refused", "NaN in its answer", 2, 2, 2)
    phases, at = [Phase("publish", -4.0, 4.0)], 0.0
    for name, seconds in (("notice", 0.1), ("fetch", 0.2 + number / 100), ("swap", 0.01)):
        phases.append(Phase(name, at, seconds))  # type: ignore[arg-type]
        at += seconds
    wave = 0 if number < 2 else None
    name = f"edge-{number:03}"
    return NodeRollout(name, "http://x", wave, "serving", "", 1, 2, 3, phases=tuple(phases))


@pytest.fixture(scope="module")
def edge(store_server: StoreConnection) -> Iterator[None]:
    """A fleet of 200, a rollout to them that is over, and one to two nodes that goes on."""
    now = time.time()
    nodes = [node(number, now) for number in range(MANY)]
    over = replace(ROLLOUT, nodes=tuple(way(number) for number in range(MANY)))
    goes_on = replace(LATER, started=now - 30, updated=now)
    with kept(Store(store_server), [*nodes, over, goes_on]):
        yield


@pytest.fixture(autouse=True)
def _seeded(server: Server, edge: None) -> None:
    """Each of these tests looks at that."""


def rollout(record_id: str) -> str:
    return f"{FLEET}?model=power&rollout={record_id}"


@each_look
def test_what_is_wrong_comes_first(
    visit: Callable[..., Any], size: tuple[int, int], dark: bool
) -> None:
    with no_errors(visit(FLEET, size=size, dark=dark)) as page:
        table = page.get_by_role("region", name="Nodes of the fleet")
        table.wait_for()
        rows = table.locator("tbody tr")
        assert rows.count() == MANY
        states = [rows.nth(place).locator("td").nth(1).inner_text() for place in range(5)]
        assert states == ["Unavailable", "Late", "Behind", "Pinned", "Ready"]
        assert "<b>no</b> version" in rows.first.inner_text()  # text, whatever it says
        assert "It is not heard of any more." in rows.nth(1).inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        picture(page, f"fleet-{size[0]}-{'dark' if dark else 'light'}")


def test_nodes_are_looked_for_and_sorted_in_the_address(visit: Callable[..., Any]) -> None:
    with no_errors(visit(FLEET)) as page:
        names = page.get_by_role("region", name="Nodes of the fleet").locator(
            "tbody td:first-child"
        )
        names.first.wait_for()
        wrong = page.get_by_role("columnheader", name="what is wrong")
        assert wrong.is_visible()
        page.get_by_label("Order").select_option("by node")
        assert names.first.inner_text() == "edge-000"
        page.get_by_label("Only nodes with this version").select_option("version 2")
        page.get_by_text("40 of 200 rows").wait_for()
        page.get_by_label("Only nodes or models with this in their name").fill("edge-19")
        page.get_by_text("2 of 200 rows").wait_for()
        assert wrong.count() == 0  # nothing is, of these
        page.reload()
        page.get_by_text("2 of 200 rows").wait_for()
        assert names.all_inner_texts() == ["edge-190", "edge-195"]
        page.get_by_label("Only nodes in this state").select_option("Late (1)")
        page.get_by_text("0 of 200 rows").wait_for()


def test_from_the_fleet_to_a_rollout_and_back(visit: Callable[..., Any]) -> None:
    with no_errors(visit(FLEET)) as page:
        page.get_by_role("link", name="Rollouts").click()
        table = page.get_by_role("region", name="Rollouts")
        table.wait_for()
        running, over = table.locator("tbody tr").all()
        assert re.search(r"Running.*goes on\s+at the step: observation", running.inner_text(), re.S)
        assert re.search(r"Promoted.*199 of 200", over.inner_text(), re.S)
        picture(page, "rollouts")
        over.get_by_role("link").first.click()
        page.get_by_role("heading", name="power: version 3 to the edge").wait_for()
        page.get_by_role("link", name="nodes that serve it").click()
        page.get_by_role("region", name="Nodes of the fleet").wait_for()
        assert page.get_by_label("Only nodes with this version").input_value() == "3"


@each_look
def test_a_rollout_to_many(visit: Callable[..., Any], size: tuple[int, int], dark: bool) -> None:
    with no_errors(visit(rollout(ROLLOUT.id), size=size, dark=dark)) as page:
        page.get_by_text(f"Promoted: {ROLLOUT.decision}").wait_for()
        waterfall = page.get_by_role("region", name="Waterfall of the rollout")
        assert 15 < waterfall.get_by_role("link").count() < 60  # those in sight
        assert waterfall.get_by_role("img", name="200 nodes over").is_visible()
        for phase in ("publish", "notice", "fetch", "swap"):
            assert page.get_by_role("button", name=phase, exact=True).is_visible()
        assert page.get_by_text("199 of 200").is_visible()
        picture(page, f"rollout-{size[0]}-{'dark' if dark else 'light'}")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.get_by_role("button", name="next failure (1)").click()
        told = page.get_by_role("tooltip")
        told.get_by_text("NaN in its answer").wait_for()
        assert told.get_by_text("Refused").is_visible()


def test_the_slowest_nodes_in_one_phase(visit: Callable[..., Any]) -> None:
    with no_errors(visit(rollout(ROLLOUT.id))) as page:
        page.get_by_role("button", name="fetch", exact=True).click()
        page.get_by_label("Order").select_option("slowest first")
        page.get_by_text("199 of 200 nodes").wait_for()
        first = page.get_by_role("region", name="Nodes of the rollout").locator("tbody tr").first
        assert re.search(r"edge-199\s+Serving\s+rest", first.inner_text())
        first.get_by_role("link", name="edge-199").click()
        page.get_by_role("region", name="Nodes of the fleet").get_by_text("edge-199").wait_for()


def test_one_that_goes_on_says_what_it_is_at(visit: Callable[..., Any]) -> None:
    with no_errors(visit(rollout(LATER.id))) as page:
        page.get_by_text("live", exact=True).wait_for()
        assert page.locator("[aria-current=step]").inner_text() == "→ observation"
        assert page.get_by_text("so far", exact=True).is_visible()
        picture(page, "rollout-live")


@pytest.mark.usefixtures("power")
def test_from_a_model_to_where_it_is_served(visit: Callable[..., Any]) -> None:
    with no_errors(visit("/plugin/podline-models?model=power")) as page:
        page.get_by_role("link", name="rollouts").click()
        page.get_by_role("heading", name="Rollouts of power").wait_for()
        page.get_by_role("link", name="the model", exact=True).click()
        page.get_by_role("heading", name="power", level=1, exact=True).wait_for()
        page.get_by_role("link", name="nodes that serve it").click()
        page.get_by_role("heading", name="The fleet").wait_for()


def test_a_rollout_that_is_not_there(visit: Callable[..., Any]) -> None:
    page = visit(rollout("nothing"))
    page.get_by_text("power has no rollout 'nothing'").wait_for()
