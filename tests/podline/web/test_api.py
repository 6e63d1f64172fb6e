"""The API: what it answers, to whom, and what it makes of forged records."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pkgutil import resolve_name
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import TypeAdapter

from podline.phases import OUTSIDE
from tests.support.latency import phase
from tests.support.records import MANY, PARTS, RIGHTS, SECRET, Server

pytestmark = [pytest.mark.xdist_group("web"), pytest.mark.timeout(300)]


def tries(run: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """The tries of an answer: its columns, row by row."""
    columns = run["tries"]
    for row in range(len(columns["task_id"])):
        fields = {name: columns[name][row] for name in columns if name != "phases"}
        phases = {
            name: column["seconds"][row]
            for name, column in columns["phases"].items()
            if column["seconds"][row] is not None
        }
        yield fields, phases


# --- what it answers ----------------------------------------------------------------------------


def test_a_run(server: Server) -> None:
    run = server.ask(server.run_path("small")).json
    assert (run["dag_id"], run["state"], run["total"]) == ("small", "success", 2)
    for fields, phases in tries(run):
        inside = sum(seconds for name, seconds in phases.items() if name not in OUTSIDE)
        assert inside == pytest.approx(fields["end"] - fields["start"], abs=0.01)
        assert {"prepare", "submit", "boot", "code", "store", "finish"} <= phases.keys()
    assert [step["task_id"] for step in run["critical_path"]] == ["first", "second"]
    assert run["totals"]["code"] > 0.2
    assert 0 < run["overhead_share"] < 1


def test_a_try(server: Server) -> None:
    found = server.ask(f"{server.run_path('small')}/tasks/first").json
    assert (found["kind"], found["backend"], found["partial"]) == ("stage", "process", "")
    assert 0.2 <= found["cells"][0]["seconds"] <= server.code
    assert found["bytes_out"] > 0
    assert found["tries"] == [1]


def test_plain_tasks_their_retries_and_skips(server: Server) -> None:
    run = server.ask(server.run_path("plain") + "?limit=5000").json
    found = {(f["task_id"], f["map_index"], f["try_number"]): (f, p) for f, p in tries(run)}
    first, again = (found["flaky", -1, number] for number in (1, 2))
    assert first[0]["state"] in ("failed", "up_for_retry")
    assert again[0]["state"] == "success"
    for fields, phases in (first, again, found["skipped", -1, 1], found["each", 1, 1]):
        assert fields["kind"] == "task"
        inside = sum(seconds for name, seconds in phases.items() if name not in OUTSIDE)
        assert inside == pytest.approx(fields["end"] - fields["start"], abs=0.01)
        assert {"prepare", "run"} <= phases.keys()
    assert found["skipped", -1, 1][0]["state"] == "skipped"


def test_a_try_that_has_not_begun_has_no_times_of_the_try_before(server: Server) -> None:
    """Airflow leaves them where they are until the next one runs."""
    path = f"{server.run_path('plain')}/tasks/flaky"
    before = server.ask(path).json
    with closing(sqlite3.connect(server.database)) as database, undone(database):
        database.execute(
            "UPDATE task_instance SET state = 'queued', try_number = 3 WHERE task_id = 'flaky'"
        )
        database.commit()
        found = server.ask(path).json
    assert before["try_number"] == 2
    assert before["start"] is not None
    assert (found["try_number"], found["state"]) == (3, "queued")
    assert found["start"] is found["end"] is None
    assert not found["partial"]


@contextmanager
def undone(database: sqlite3.Connection) -> Iterator[None]:
    """What is done to the task `flaky` in a database is undone at the end."""
    query = "SELECT state, try_number FROM task_instance WHERE task_id = 'flaky'"
    before = database.execute(query).fetchone()
    try:
        yield
    finally:
        database.execute(
            "UPDATE task_instance SET state = ?, try_number = ? WHERE task_id = 'flaky'", before
        )
        database.commit()


def test_a_mapped_task_of_many(server: Server) -> None:
    run = server.ask(server.run_path("plain") + "?limit=5000").json
    assert sum(task == "each" for task in run["tries"]["task_id"]) == MANY


def test_pages(server: Server) -> None:
    path = server.run_path("plain")
    first = server.ask(f"{path}?limit=10").json
    second = server.ask(f"{path}?limit=10&offset=10").json
    assert len(first["tries"]["task_id"]) == len(second["tries"]["task_id"]) == 10
    assert first["total"] == second["total"] > MANY
    assert first["totals"] == second["totals"]
    keys = [
        (run["tries"]["task_id"][row], run["tries"]["map_index"][row])
        for run in (first, second)
        for row in range(10)
    ]
    assert len(set(keys)) == 20


def test_csv(server: Server) -> None:
    answer = server.ask(server.run_path("small") + "?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["task_id"] for row in rows} == {"first", "second"}
    assert sum(float(row["phase_seconds"]) for row in rows if row["phase"] == "code") > 0.2


def test_history(server: Server) -> None:
    found = server.ask("/podline/api/v1/dags/small/history").json
    assert found["runs"] == 1
    assert found["tasks"]["first"]["code"]["n"] == 1
    text = server.ask("/podline/api/v1/dags/small/history?format=csv").text
    assert text.startswith("dag_id,task_id,phase,n,p10,p50,p90")


def test_the_overview(server: Server) -> None:
    found = server.ask("/podline/api/v1/dags").json
    assert {dag["dag_id"] for dag in found["dags"]} == {"small", "plain"}
    assert found["since"] > 1.7e9
    small = server.ask("/podline/api/v1/dags?search=mal").json
    assert [dag["dag_id"] for dag in small["dags"]] == ["small"]
    assert small["dags"][0]["slowest"]


def test_the_executed_notebook(server: Server) -> None:
    answer = server.ask(f"{server.run_path('small')}/tasks/second/notebook")
    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert "is" in answer.text


def test_the_executed_notebook_itself(server: Server) -> None:
    path = f"{server.run_path('small')}/tasks/second/notebook"
    answer = server.ask(f"{path}?form=ipynb&download=1")
    assert answer.headers["content-type"] == "application/x-ipynb+json"
    assert answer.json["nbformat"] == 4
    name = answer.headers["content-disposition"].partition("filename=")[2].strip('"')
    assert name.startswith("small-manual__")
    assert name.endswith("-second-1.ipynb")


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("/history?", "-history.json"),
        ("/history?format=csv&", "-history.csv"),
        ("/trend?", "-runs-trend.json"),
        ("/trend?task_id=first&format=csv&", "-first-trend.csv"),
        ("/runs/{run}?", ".json"),
        ("/runs/{run}?format=csv&", ".csv"),
        ("/runs/{run}/tasks/first?format=csv&", "-first-1.csv"),
        ("/compare?run_id={run}&with={run}&format=csv&", ".csv"),
    ],
)
def test_answers_may_be_saved(server: Server, path: str, ending: str) -> None:
    address = f"/podline/api/v1/dags/small{path.format(run=quote(server.runs['small'], safe=''))}"
    assert "content-disposition" not in server.ask(address).headers
    answer = server.ask(f"{address}download=1")
    assert answer.status == 200
    said = answer.headers["content-disposition"]
    assert said.startswith('attachment; filename="small-')
    assert said.partition('";')[0].rstrip('"').endswith(ending)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["history", "trend", "runs/r", "compare?run_id=r&with=r"])
def test_a_dag_that_is_not_there(server: Server, path: str) -> None:
    """As Airflow answers, who may read any is told so, and who may not is refused."""
    for user, status in {"admin": 404, "dora": 404, "carl": 403}.items():
        assert server.ask(f"/podline/api/v1/dags/nonsense/{path}", user).status == status
        assert server.ask("/api/v2/dags/nonsense", user).status in (status, 403)


def test_the_description(server: Server) -> None:
    path = "/podline/api/v1/openapi.json"
    assert server.ask(path, None).status == 401
    found = server.ask(path).json
    assert found["servers"] == [{"url": "/podline"}]
    route = found["paths"]["/api/v1/dags/{dag_id}/runs/{run_id}"]["get"]["responses"]["200"]
    assert route["content"].keys() == {"application/json", "text/csv"}
    assert route["content"]["application/json"]["schema"]["$ref"].endswith("/RunAnswer")
    run = found["components"]["schemas"]["RunAnswer"]["properties"]
    assert run["start_date"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    answer = server.ask(server.run_path("small")).json
    assert answer.keys() == run.keys()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("dags", "web.routes:Dags"),
        ("dags/plain/history", "latency.answers:History"),
        ("dags/plain/trend", "latency.trend:Trend"),
        ("dags/plain/runs/{plain}?limit=5000", "latency.answers:RunAnswer"),
        ("dags/plain/runs/{plain}/tasks/flaky?try_number=1", "latency.answers:TryAnswer"),
        ("dags/small/runs/{small}/tasks/second", "latency.answers:TryAnswer"),
        ("dags/small/compare?run_id={small}&with={small}", "latency.comparison:Comparison"),
        ("models", "web.models:ModelList"),
        ("models/power", "web.models:ModelAnswer"),
        ("models/power/compare?versions=2,1", "web.models:VersionComparison"),
    ],
)
@pytest.mark.usefixtures("power")
def test_answers_are_what_is_described(server: Server, path: str, kind: str) -> None:
    runs = {dag_id: quote(run, safe="") for dag_id, run in server.runs.items()}
    text = server.ask(f"/podline/api/v1/{path.format(**runs)}").body
    adapter = TypeAdapter[Any](resolve_name(f"podline.{kind}"))
    assert json.loads(adapter.dump_json(adapter.validate_json(text))) == json.loads(text)


@pytest.mark.parametrize("what", ["runs/nonsense", "runs/{run}/tasks/nonsense"])
def test_what_is_not_there(server: Server, what: str) -> None:
    path = f"/podline/api/v1/dags/small/{what.format(run=server.runs['small'])}"
    answer = server.ask(path)
    assert answer.status == 404
    assert "nonsense" in answer.json["detail"]


def test_the_page(server: Server) -> None:
    plugins = server.ask("/api/v2/plugins").json["plugins"]
    apps = [app for plugin in plugins for app in plugin["react_apps"] if app["name"] == "Latency"]
    places = {"dag", "task", "dag_run", "task_instance", "nav"}
    assert {app["destination"] for app in apps} == places
    address = f"/{apps[0]['bundle_url']}"
    answer = server.ask(address)
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    assert server.ask(address, **{"If-None-Match": tag}).status == 304
    for name in ("app.py", "..%2fapp.py", "main.js.map"):
        assert server.ask(address.replace("main.js", name)).status == 404
    assert server.ask(address, None).status == 401


# --- to whom ------------------------------------------------------------------------------------

PATHS = (
    "/podline/api/v1/dags/{dag}/history",
    "/podline/api/v1/dags/{dag}/runs/{run}",
    "/podline/api/v1/dags/{dag}/runs/{run}?format=csv",
    "/podline/api/v1/dags/{dag}/runs/{run}/tasks/first",
    "/podline/api/v1/dags/{dag}/trend?format=csv",
    "/podline/api/v1/dags/{dag}/compare?run_id={run}&with={run}",
    "/podline/api/v1/dags/{dag}/runs/{run}/tasks/first/notebook",
)


@pytest.mark.parametrize("path", [*PATHS, "/podline/api/v1/dags", "/podline/api/v1/dags?limit=x"])
def test_nobody_is_told_anything(server: Server, path: str) -> None:
    answer = server.ask(path.format(dag="small", run=server.runs["small"]), None)
    assert answer.status == 401


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("user", ["ben", "carl"])
def test_who_may_not_read_the_dag_is_refused(server: Server, path: str, user: str) -> None:
    assert server.ask(path.format(dag="small", run=server.runs["small"]), user).status == 403


@pytest.mark.parametrize("path", PATHS[:-1])
def test_who_may_read_it_is_answered(server: Server, path: str) -> None:
    run = quote(server.runs["small"], safe="")
    assert server.ask(path.format(dag="small", run=run), "anna").status == 200


@pytest.mark.parametrize(("user", "told"), [("dora", False), ("emil", True), ("fred", False)])
def test_why_a_try_failed_is_for_who_may_read_logs(server: Server, user: str, told: bool) -> None:
    answer = server.ask(f"{server.run_path('plain')}/tasks/flaky?try_number=1", user)
    assert answer.status == 200
    assert ("onerror" in answer.text) is told
    assert answer.json["phases"]


def test_events_and_the_notebooks_key_are_for_who_may_read_them(server: Server) -> None:
    event = {"reason": "Failed", "message": "exec: not found", "at": 1}
    before = server.ask(record_path(server, "first")).json["value"]
    server.ask(
        record_path(server, "first"), method="PUT", body={"value": before | {"events": [event]}}
    )
    try:
        shown = {
            user: server.ask(f"{server.run_path('small')}/tasks/first", user).json
            for user in ("dora", "emil", "gina")
        }
    finally:
        server.ask(record_path(server, "first"), method="PUT", body={"value": before})
    assert {user: len(found["events"]) for user, found in shown.items()} == {
        "dora": 0,
        "emil": 1,
        "gina": 1,
    }
    assert {user for user, found in shown.items() if found["executed_notebook"]} == {"gina"}


@pytest.mark.parametrize("user", PARTS)
def test_the_executed_notebook_is_for_who_may_read_logs_and_code(server: Server, user: str) -> None:
    path = f"{server.run_path('small')}/tasks/second/notebook"
    assert server.ask(path, user).status == (200 if user == "gina" else 403)


def test_who_may_not_read_task_instances_reads_no_times(server: Server) -> None:
    for path in PATHS:
        answer = server.ask(path.format(dag="small", run=server.runs["small"]), "hugo")
        assert answer.status == 403


def test_a_masked_secret_is_not_told(server: Server) -> None:
    found = server.ask(f"{server.run_path('plain')}/tasks/flaky?try_number=1").json
    assert found["failure"].startswith("ValueError: <img")
    assert found["failure"].endswith("onerror=alert(1)> ***")
    with closing(sqlite3.connect(server.database)) as database:
        kept = database.execute("SELECT value FROM task_state_store").fetchall()
    assert "onerror" in str(kept)
    assert SECRET not in str(kept)


@pytest.mark.parametrize("user", RIGHTS)
def test_the_overview_shows_what_may_be_read(server: Server, user: str) -> None:
    found = server.ask("/podline/api/v1/dags", user).json
    assert [dag["dag_id"] for dag in found["dags"]] == RIGHTS[user]
    assert found["total"] == len(RIGHTS[user])
    assert (found["since"] is None) == (not RIGHTS[user])


def hostile() -> list[tuple[str, str, int]]:
    """Requests by a user who may read `small` only, and the answer that each must get."""
    api = "/podline/api/v1/dags"
    return [
        (f"{api}/plain/history", "another DAG", 403),
        (f"{api}/plain/history?dag_id=small", "another DAG, ours in the query", 403),
        (f"{api}/plain/runs/{{plain}}", "another DAG's run", 403),
        (f"{api}/plain/runs/{{plain}}?dag_id=small", "the same, ours in the query", 403),
        (f"{api}/small/runs/{{plain}}", "our DAG, another's run", 404),
        (f"{api}/small/runs/{{plain}}/tasks/one", "our DAG, another's run and task", 404),
        (f"{api}/plain/runs/{{plain}}/tasks/one", "another DAG's task", 403),
        (f"{api}/plain/runs/{{plain}}/tasks/one/notebook", "its notebook", 403),
        (f"{api}/~/history", "any DAG", 404),
        (f"{api}/%7E/history", "any DAG, escaped", 404),
        (f"{api}/~/runs/{{plain}}", "any DAG's run", 404),
        (f"{api}/~/runs/~", "any run", 404),
        (f"{api}/small/runs/~", "any run of ours", 404),
        (f"{api}/small/runs/{{small}}/tasks/~", "any task", 404),
        (f"{api}/small%2f..%2fplain/history", "a path in an id", 404),
        (f"{api}/small/../plain/history", "a path", 404),
        (f"{api}//plain/history", "an empty id", 404),
        (f"{api}/small'%20OR%201=1--/history", "SQL", 403),
        (f"{api}/%00/history", "a null byte", 403),
        (f"{api}/{'x' * 1200}/history", "a long id", 403),
        (f"{api}/small/history?runs=100000", "too many runs", 422),
        (f"{api}/small/history?format=xml", "another format", 422),
        (f"{api}/small/runs/{{small}}?limit=-1", "a negative limit", 422),
        (f"{api}/small/runs/{{small}}?offset=99999999999999999999", "a large offset", 422),
        (f"{api}/small/runs/{{small}}/tasks/first?map_index=9999999999", "a large index", 422),
        (f"{api}/small/runs/{{small}}/tasks/first?try_number=7", "a try that is not", 404),
        (f"{api}?search=%25", "a wildcard of SQL", 200),
        (f"{api}/nonsense/history", "no DAG, which one may not read", 403),
        (f"{api}/plain/trend", "another DAG's trend", 403),
        (f"{api}/plain/compare?run_id={{plain}}&with={{plain}}", "another DAG's runs", 403),
        (f"{api}/small/compare?run_id={{small}}&with={{plain}}", "ours and another DAG's", 404),
        (f"{api}/small/trend?task_id={'x' * 1200}", "a long task", 422),
        ("/podline/openapi.json", "the API's description", 404),
        ("/podline/docs", "its documentation", 404),
        ("/podline/page/0/app.py", "our source", 404),
        ("/podline/page/..%2f..%2fapp.py/main.js", "our source by a path", 404),
    ]


@pytest.mark.parametrize(("path", "what", "status"), hostile())
def test_hostile_requests(server: Server, path: str, what: str, status: int) -> None:
    answer = server.ask(path.format(**server.runs), "anna")
    assert answer.status == status, what
    assert "plain" not in answer.text.replace(path, "") or status == 404


def test_a_wildcard_of_sql_finds_nothing(server: Server) -> None:
    assert server.ask("/podline/api/v1/dags?search=%25").json["dags"] == []


@pytest.mark.parametrize("token", ["x", "x.y.z", "Bearer", "null", "é"])
def test_garbled_tokens(server: Server, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    answer = server.ask("/podline/api/v1/dags", None, **headers)
    assert answer.status in (401, 403)


# --- forged records -----------------------------------------------------------------------------


def record_path(server: Server, task: str) -> str:
    run = server.runs["small"]
    return f"/api/v2/dags/small/dagRuns/{run}/taskInstances/{task}/state-store/latency.1"


def forge(server: Server, change: dict[str, Any] | str, task: str = "first") -> dict[str, Any]:
    """Overwrite a try's record by REST, and ask for the try; the record is put back."""
    path = record_path(server, task)
    before = server.ask(path).json["value"]
    value = change if isinstance(change, str) else before | change
    put = server.ask(path, method="PUT", body={"value": value})
    assert put.status < 300, put.text[:500]
    try:
        found: dict[str, Any] = server.ask(f"{server.run_path('small')}/tasks/{task}").json
        whole = server.ask(server.run_path("small"))
        assert whole.status == 200
        return found
    finally:
        server.ask(path, method="PUT", body={"value": before})


@pytest.mark.parametrize(
    "change",
    [
        "<script>alert(1)</script>",
        json.dumps({"version": 1}),
        {"version": 99},
        {"phases": "many"},
        {"phases": [phase("<b>", 1)]},
        {"phases": [phase("code", 1e9)]},
        {"phases": []},
        {"dag_id": "plain"},
        {"task_id": "second"},
        {"run_id": "another"},
        {"try_number": 2},
        {"start": 1.0},
        {"end": 9e10},
        {"cells": [{"number": 0, "start": 0, "seconds": 1}]},
        {"failure": "x" * 50_000},
    ],
)
def test_a_record_that_does_not_fit_is_left_out(server: Server, change: Any) -> None:
    found = forge(server, change)
    assert found["partial"].startswith("its record")
    assert [phase["name"] for phase in found["phases"]] in ([], ["scheduled", "queued"])
    assert found["duration"] > 0.2  # Airflow's own


def test_html_stays_text(server: Server) -> None:
    found = forge(server, {"failure": "<img src=x onerror=alert(1)>"})
    assert found["failure"] == "<img src=x onerror=alert(1)>"


def test_a_forged_key_opens_no_other_notebook(server: Server) -> None:
    path = record_path(server, "first")
    before = server.ask(path).json["value"]
    other = before["executed_notebook"].replace("/first/", "/second/")
    for key in (other, "models/x/manifest.json", "runs/../../etc/passwd", ""):
        server.ask(path, method="PUT", body={"value": before | {"executed_notebook": key}})
        answer = server.ask(f"{server.run_path('small')}/tasks/first/notebook")
        assert answer.status == 404
    server.ask(path, method="PUT", body={"value": before})
