"""The reports of studies: listed and shown to those who may read the DAG that measured them."""

from collections.abc import Iterator
from typing import Any

import pytest

from podline.store import Store, StoreConnection
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.report_store import FOLDER, HTML
from podline_studies.study import Study
from tests.support.browser import log_in
from tests.support.records import Server

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]

PATH = "/podline/api/v1/dags/overhead_sweep/studies/weekly%20one"
REPORT = b"""<h1>What it costs</h1><script>document.body.textContent = "ran"</script>
<p><a download="costs.csv" href="data:text/csv;base64,YSxiCjEsMgo=">costs.csv</a></p>"""


@pytest.fixture(scope="module")
def study(server: Server, store_server: StoreConnection) -> Iterator[Study]:
    study = Study(Store(store_server), OVERHEAD, "weekly one")
    key = study.key(FOLDER, HTML)
    study.store.put(key, REPORT)
    study.store.put(Study(study.store, OVERHEAD, "no report yet").key("design.json"), b"{}")
    yield study
    study.store.delete([key])


@pytest.mark.usefixtures("study")
def test_a_report_is_shown_and_runs_nothing(server: Server) -> None:
    answer = server.ask("/podline/api/v1/studies")
    assert answer.json == {"studies": [{"dag_id": "overhead_sweep", "study": "weekly one"}]}
    answer = server.ask(PATH)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "What it costs" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-downloads; default-src 'none'")


@pytest.mark.usefixtures("study")
@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Playwright's own loop
def test_a_reports_data_can_be_saved_from_it(server: Server, chromium: Any) -> None:
    context = chromium.new_context()
    page = log_in(context, server.url, PATH, "admin", "admin")
    with page.expect_download() as download:
        page.get_by_role("link", name="costs.csv").click()
    assert download.value.suggested_filename == "costs.csv"
    assert download.value.path().read_text() == "a,b\n1,2\n"
    assert "What it costs" in page.inner_text("body")
    context.close()


@pytest.mark.usefixtures("study")
def test_who_may_not_read_the_dag_sees_none(server: Server) -> None:
    for user in ("anna", "carl"):
        assert server.ask("/podline/api/v1/studies", user).json == {"studies": []}
        assert server.ask(PATH, user).status == 403
    assert server.ask(PATH, None).status == 401
    # It says why runs failed, as logs do.
    assert {user: server.ask(PATH, user).status for user in ("dora", "emil")} == {
        "dora": 403,
        "emil": 200,
    }
    # A right to another DAG is none to its studies.
    assert server.ask(PATH.replace("overhead_sweep", "small"), "anna").status == 404


@pytest.mark.usefixtures("study")
def test_a_study_that_is_not_there(server: Server) -> None:
    for name in ("nothing", "..", "%2E%2E%2Fweekly%20one", "no%20report%20yet"):
        assert server.ask(PATH.replace("weekly%20one", name)).status in (404, 405), name
