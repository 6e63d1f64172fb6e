"""Stages as pods under Airflow's real scheduler: lost workers, stops, sweeps."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from podline.store import Store
from tests.support.airflow_server import LOST_SOON, Airflow, running, task_path
from tests.support.browser import PHONE, WIDE, log_in, picture
from tests.support.dags_test import add_dag_file
from tests.support.latency import lengths, one_try
from tests.support.namespaces import Gate
from tests.support.notebooks import DEFERRED_DAG, write_notebook
from tests.support.waiting import until

# One Airflow for all of them; two at once would be slow on a small machine.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.xdist_group("airflow"),
    pytest.mark.timeout(400),
]

PHASES = (
    "scheduled queued prepare submit schedule pull start boot fetch imports load code dump store "
    "notice finish cleanup"
)
STOCK_PHASES = "scheduled queued prepare submit schedule start run notice"
NOTEBOOKS = {
    "two": {"step:one": "x = 1", "step:two": "x + 1"},
    "chain": {"step:make": "x = 20", "step:change": "x += 1", "step:look": "result = x\nresult"},
    "endless": {"step:sleep": "import time\nprint('up', flush=True)\ntime.sleep(600)"},
    "failing": {"step:fail": "numbers = [1]\nnumbers[7]"},
    # Longer than what else a busy machine takes.
    "delays": {"imports": "import time\ntime.sleep(8)", "step:sleep": "time.sleep(6)\nx = 1"},
}
# Its first try stays with its pod; the second takes that over, and leaves it to the triggerer.
ADOPTING = """
# Airflow reads only files that name it.
from pathlib import Path

from podline.operators.dag_factory import notebook_dags

def defer_again(context):
    context["task"].deferrable = context["ti"].try_number > 1

for dag in notebook_dags(Path(__file__).with_name("adopting")):
    for task in dag.tasks:
        task._pre_execute_hook = defer_again
    globals()[dag.dag_id] = dag
"""
STOCK = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

from podline import settings
from podline.operators.kubernetes import manifest

with DAG("stock", schedule=None):
    KubernetesPodOperator(
        task_id="sleep",
        namespace=settings.namespace(),
        image=settings.image("base"),
        cmds=["python", "-c", "import time; time.sleep(8)"],
        kubernetes_conn_id=None,
        security_context=manifest.pod_security(),
        container_security_context=manifest.container_security(),
    )
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, module_gate: Gate) -> Path:
    """The notebooks; the first stages of `slow`, `adopting` and `waits` wait at the gate."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder, name, cells, retries=1)
    waits = f"print('up', flush=True)\n{module_gate.wait}"
    slow = {"step:sleep": f"{waits}x = 1"}
    write_notebook(folder, "slow", slow, retries=1)
    write_notebook(folder, "waits", {"step:first": waits, "step:second": "x = 1"}, retries=1)
    dags = folder / "dags"
    for name in ("deferred", "adopting"):
        (dags / name).mkdir(parents=True)
    add_dag_file(dags)
    (dags / "deferred.py").write_text(DEFERRED_DAG)
    (dags / "adopting.py").write_text(ADOPTING)
    (dags / "stock.py").write_text(STOCK)
    write_notebook(dags / "deferred", "deferred", NOTEBOOKS["two"], retries=1)
    write_notebook(dags / "deferred", "deferred_failing", NOTEBOOKS["failing"], retries=1)
    write_notebook(dags / "adopting", "adopting", slow, retries=1)
    return folder


@pytest.fixture(scope="module")
def airflow(
    folder: Path,
    kept_store: Store,
    in_pods: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    variables = {
        **in_pods,
        **kept_store.connection.to_env(),
        **LOST_SOON,
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
    }
    home = tmp_path_factory.mktemp("airflow")
    with running(home, variables, "slow", "deferred_failing", "adopting", "stock") as airflow:
        airflow.wait("chain", airflow.trigger("chain"))  # a first task waits for the server itself
        yield airflow


def names(core: Any, namespace: str) -> list[str]:
    return [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]


def worker(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> int | None:
    """The process of a running task."""
    # The supervisor's title has the id as well.
    title = f"airflow worker -- {airflow.call('GET', task_path(dag_id, run_id, task_id))['id']}"
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and title in (process / "cmdline").read_text():
                return int(process.name)
        except OSError:
            continue
    return None


def scheduler(airflow: Airflow) -> int:
    """The process of this Airflow's scheduler."""
    home = f"AIRFLOW_HOME={airflow.home}\0".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"scheduler" in command and home in (process / "environ").read_bytes():
                return int(process.name)
        except OSError:
            continue
    raise RuntimeError("there is no scheduler")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_pipeline_of_pods(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("chain")
    assert airflow.wait("chain", run_id) == "success"
    assert '"21"' in airflow.log_text("chain", run_id, "look", 1)
    until(lambda: not names(core, namespace))
    for task_id in ("make", "change", "look"):
        found = one_try(airflow, "chain", run_id, task_id)
        assert [*lengths(found)] == PHASES.split()
        reasons = [event["reason"] for event in found["events"]]
        assert reasons[:4] == ["Scheduled", "Pulled", "Created", "Started"]
        assert found["skew"]["low"] <= 0 <= found["skew"]["high"]
        assert found["node"]


def test_a_delay_shows_in_its_phase_and_no_other(airflow: Airflow) -> None:
    run_id = airflow.trigger("delays")
    assert airflow.wait("delays", run_id) == "success"
    found = lengths(one_try(airflow, "delays", run_id, "sleep"))
    assert 8 <= found.pop("imports") < 13
    assert 6 <= found.pop("code") < 8
    assert all(seconds < 5 for seconds in found.values()), found


def test_a_scheduler_that_is_busy_shows_before_the_try(airflow: Airflow, gate: Gate) -> None:
    run_id = airflow.trigger("waits")
    until(lambda: '"up"' in airflow.log_text("waits", run_id, "first", 1))
    pid = scheduler(airflow)
    os.kill(pid, signal.SIGSTOP)
    gate.open()
    try:
        first = until(lambda: _ended(airflow.tasks("waits", run_id)["first"]))
        time.sleep(6)  # longer than what else a busy machine takes
    finally:
        os.kill(pid, signal.SIGCONT)
    assert first == "success"
    assert airflow.wait("waits", run_id) == "success"
    found = lengths(one_try(airflow, "waits", run_id, "second"))
    assert found.pop("scheduled") > 5.5
    assert all(seconds < 5 for seconds in found.values()), found


def _ended(task: dict[str, Any]) -> str | None:
    return str(task["state"]) if task["end_date"] else None


def test_a_stock_operators_pod(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("stock")
    assert airflow.wait("stock", run_id) == "success"
    found = one_try(airflow, "stock", run_id, "sleep")
    phases = lengths(found)
    assert (found["kind"], found["namespace"]) == ("pod", namespace)
    assert [*phases] == STOCK_PHASES.split()
    assert 7 <= phases["run"] < 12  # its pod's status is in whole seconds
    assert max(phases, key=lambda phase: phases[phase]) == "run"
    assert {p["precision"] for p in found["phases"] if p["source"] == "status"} == {1.0}


def test_a_deferred_pipeline(airflow: Airflow, core: Any, namespace: str) -> None:
    run_id = airflow.trigger("deferred")
    assert airflow.wait("deferred", run_id) == "success"
    for task_id in ("one", "two"):
        found = one_try(airflow, "deferred", run_id, task_id)
        phases = lengths(found)
        assert found["deferred"]
        assert {"submit", "start", "code", "defer", "notice", "resume"} <= phases.keys()
        assert not {"scheduled", "queued"} & phases.keys()  # Airflow has overwritten them
    until(lambda: not names(core, namespace))


@pytest.mark.parametrize("dag_id", ["failing", "deferred_failing"])
def test_a_failed_stage_is_recorded_each_time(airflow: Airflow, dag_id: str) -> None:
    run_id = airflow.trigger(dag_id)
    assert airflow.wait(dag_id, run_id) == "failed"
    for number in (1, 2):
        found = until(lambda n=number: _whole(one_try(airflow, dag_id, run_id, "fail", n)))
        assert {"start", "boot", "code", "store", "finish"} <= lengths(found).keys()
        assert "cell 1, line 2: IndexError" in found["failure"]
        assert found["deferred"] == (dag_id != "failing")


def _whole(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if not found["partial"] else None


@pytest.mark.parametrize(
    ("dag_id", "who"),
    [("slow", "the task's process"), ("slow", "its supervisor"), ("adopting", "its supervisor")],
)
def test_a_lost_worker(
    airflow: Airflow, core: Any, namespace: str, gate: Gate, dag_id: str, who: str
) -> None:
    run_id = airflow.trigger(dag_id)
    until(lambda: '"up"' in airflow.log_text(dag_id, run_id, "sleep", 1))
    pid = until(lambda: worker(airflow, dag_id, run_id, "sleep"))
    os.kill(pid if who == "the task's process" else parent(pid), signal.SIGKILL)
    adopts = "adopted from try 1: its worker was lost"
    until(lambda: adopts in airflow.log_text(dag_id, run_id, "sleep", 2), 120)
    gate.open()
    assert airflow.wait(dag_id, run_id) == "success"
    said = airflow.log_text(dag_id, run_id, "sleep", 2)
    assert adopts in said
    assert '"up"' in said
    xcom = airflow.call("GET", f"{task_path(dag_id, run_id, 'sleep')}/xcomEntries/return_value")
    assert "'adopted_from_try': 1" in str(xcom["value"]) or xcom["value"]["adopted_from_try"] == 1
    second = until(lambda: _whole(one_try(airflow, dag_id, run_id, "sleep", 2)))
    phases = lengths(second)
    assert second["adopted_from"] == 1
    assert second["deferred"] == (dag_id == "adopting")
    assert phases["adopted"] > 1
    assert phases["boot"] == 0  # that was before this try began
    first = one_try(airflow, dag_id, run_id, "sleep", 1)
    assert "worker died" in first["partial"]
    assert {"start", "run"} <= {phase["name"] for phase in first["phases"]}
    until(lambda: not names(core, namespace))


@pytest.mark.parametrize("what", ["marked failed", "its run deleted"])
def test_a_task_that_is_ended(airflow: Airflow, core: Any, namespace: str, what: str) -> None:
    run_id = airflow.trigger("endless")
    until(lambda: '"up"' in airflow.log_text("endless", run_id, "sleep", 1))
    if what == "marked failed":
        airflow.mark_failed("endless", run_id, "sleep")
    else:
        airflow.call("PATCH", f"/api/v2/dags/endless/dagRuns/{run_id}", {"state": "failed"})
    until(lambda: not names(core, namespace))  # a heartbeat tells the task
    # The task goes on until it is told: its record is longer than the try, and is cut.
    assert lengths(one_try(airflow, "endless", run_id, "sleep"))["code"] > 0


def test_a_cleared_task_runs_anew(airflow: Airflow, core: Any, namespace: str, gate: Gate) -> None:
    run_id = airflow.trigger("slow")
    until(lambda: '"up"' in airflow.log_text("slow", run_id, "sleep", 1))
    (first,) = names(core, namespace)
    airflow.clear("slow", run_id, "sleep")
    until(lambda: (found := names(core, namespace)) and first not in found)
    gate.open()
    assert airflow.wait("slow", run_id) == "success"
    xcom = airflow.call("GET", f"{task_path('slow', run_id, 'sleep')}/xcomEntries/return_value")
    assert "adopted_from_try': 1" not in str(xcom["value"])


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Playwright's own loop
def test_the_page_of_a_pod(airflow: Airflow, chromium: Any) -> None:
    run_id = airflow.trigger("chain")
    assert airflow.wait("chain", run_id) == "success"
    lengths(one_try(airflow, "chain", run_id, "make"))  # its record is there
    tab = f"/dags/chain/runs/{quote(run_id, safe='')}/tasks/make/plugin/podline-task"
    page = log_in(chromium.new_context(), airflow.url, tab, "admin", airflow.password)
    events = page.get_by_role("region", name="Events of the pod")
    for (width, height), theme in itertools.product((WIDE, PHONE), ("light", "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        page.reload()
        events.get_by_text("Scheduled", exact=True).wait_for()
        events.scroll_into_view_if_needed()
        picture(page, f"task-pod-{width}-{theme}")
    assert events.get_by_text("Started", exact=True).is_visible()
    assert page.errors == []
    page.context.close()
