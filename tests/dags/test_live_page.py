"""The page of a run that is going on: household_power's waterfall fills while it is looked at."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from podline.store import StoreConnection
from tests.support.airflow_server import Airflow, running
from tests.support.browser import WIDE, log_in, picture
from tests.support.dags_test import SLICE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.timeout(400),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Of a stage that goes on the API tells its phases up to the one that it is at.
PAST_BESIDE_NOW = """async () => {
    const asked = performance.getEntriesByType("resource").map(entry => entry.name);
    const path = asked.findLast(name => /api\\/v1\\/dags\\/[^/]+\\/runs\\/[^/?]+\\?/.test(name));
    const { tries } = await (await fetch(path)).json();
    const { imports, boot } = tries.phases;
    return tries.phase_now.some((phase, row) => phase === "code" && imports?.seconds[row] && boot?.seconds[row]);
}"""
STAGES = ("ingest", "preprocess", "train", "evaluate", "publish")


@pytest.fixture(scope="module")
def airflow(
    store_server: StoreConnection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    with running(home, store_server.to_env(), "household_power") as airflow:
        yield airflow


def test_a_waterfall_fills(airflow: Airflow, chromium: Any) -> None:
    run_id = airflow.trigger("household_power", SLICE)
    path = f"/dags/household_power/runs/{quote(run_id, safe='')}/plugin/podline-run"
    context = chromium.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    page = log_in(context, airflow.url, path, "admin", airflow.password)
    page.get_by_text("live", exact=True).wait_for()
    waterfall = page.get_by_role("region", name="Waterfall of the run")
    tries = page.get_by_role("region", name="Tries of the run")
    # What a stage that runs has behind it is there, too.
    page.wait_for_function(PAST_BESIDE_NOW, timeout=180_000)
    publish = tries.get_by_role("row").filter(has_text="publish")
    publish.wait_for(timeout=180_000)
    assert not re.search(r"\d m?s\b", publish.inner_text())  # what has not begun has no duration
    picture(page, "run-live")
    page.get_by_text("live", exact=True).wait_for(state="detached", timeout=240_000)
    table = tries.inner_text()
    assert re.search(r"\d m?s\b", publish.inner_text())
    for stage in STAGES:
        assert waterfall.get_by_role("link", name=stage).is_visible()
        assert stage in table
    picture(page, "run-household")
    assert page.errors == []
    context.close()
