"""Deferred stages as real pods: the operator leaves, the trigger watches, the operator resumes."""

import asyncio
import contextlib
import json
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import psutil
import pytest

from podline.exceptions import StageError
from podline.store import Store, keys
from tests.support.airflow_server import Airflow, running
from tests.support.namespaces import Gate
from tests.support.notebooks import code_cell, notebook_text, write_notebook
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("airflow"), pytest.mark.timeout(400)]

T = TypeVar("T")


@pytest.fixture(scope="module")
def client(core: Any) -> Any:
    return core


def disconnect(client: Any) -> None:
    pools = client.api_client.rest_client.pool_manager.pools
    for key in pools.keys():  # noqa: SIM118
        pools[key].close()


@pytest.fixture(scope="module")
def variables(kept_store: Store, in_pods: dict[str, str]) -> dict[str, str]:
    deferred = {"AIRFLOW__PODLINE__DEFERRABLE": "True", "AIRFLOW__PODLINE__HTML": "never"}
    return in_pods | kept_store.connection.to_env() | deferred


class Try:
    """A try of a notebook's one stage, without a scheduler."""

    def __init__(self, folder: Path, source: str, **parameters: Any) -> None:
        from podline.compiler.compiler import compile_notebook
        from podline.operators.stage import StageOperator

        path = folder / "deferred.ipynb"
        path.write_text(notebook_text([code_cell(source, "step:only")]))
        pipeline = compile_notebook(path)
        (stage,) = pipeline.stages
        self.operator = StageOperator(task_id="only", pipeline=pipeline, stage=stage, **parameters)
        ti = SimpleNamespace(dag_id="deferred", task_id="only", map_index=-1)
        ti.run_id, ti.start_date = f"test__{secrets.token_hex(4)}", datetime.now(UTC)
        ti.try_number, ti.max_tries = 1, 0
        run = SimpleNamespace(start_date=ti.start_date, run_after=None, clear_number=0, conf={})
        self.context: Any = {"params": {}, "ti": ti, "run_id": ti.run_id, "dag": None}
        self.context["dag_run"] = run

    def defer(self) -> Any:
        """Run the operator until it defers; returns the trigger, as another process makes it."""
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred) as deferred:
            self.operator.execute(self.context)
        assert deferred.value.method_name == "resume"
        self.timeout = deferred.value.timeout
        self.kwargs = json.loads(json.dumps(deferred.value.kwargs))
        return remade(deferred.value.trigger)

    def resume(self, event: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self.operator.resume(self.context, event, **self.kwargs)
        assert self.operator.backend is not None
        self.operator.backend.close()
        return result


Make = Callable[..., Try]


@pytest.fixture
def a_try(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tries: list[Try] = []

    def make(source: str, **parameters: Any) -> Try:
        tries.append(Try(tmp_path, source, **parameters))
        return tries[-1]

    yield make
    for one in tries:
        disconnect(one.operator.client)


def remade(trigger: Any) -> Any:
    from airflow.sdk.module_loading import import_string

    path, kwargs = trigger.serialize()
    return import_string(path)(**json.loads(json.dumps(kwargs)))


async def event_of(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        payload: dict[str, Any] = json.loads(json.dumps(event.payload))
        return payload
    raise AssertionError("no event")


def run(work: Coroutine[Any, Any, T]) -> T:
    async def main() -> T:
        try:
            return await work
        finally:
            await asyncio.sleep(0.2)  # the transports of a closed session end a little later

    return asyncio.run(main())


def wait_for(trigger: Any, seconds: float = 60) -> dict[str, Any]:
    return run(asyncio.wait_for(event_of(trigger), seconds))


def exists(client: Any, trigger: Any) -> bool:
    """Whether the pod is there, and is not about to go."""
    from kubernetes.client.exceptions import ApiException

    try:
        pod = client.read_namespaced_pod(trigger.pod, trigger.namespace)
    except ApiException as error:
        return error.status != 404
    return pod.metadata.deletion_timestamp is None


def until_running(client: Any, trigger: Any) -> None:
    def runs() -> bool:
        pod = client.read_namespaced_pod(trigger.pod, trigger.namespace)
        return bool(pod.status.phase == "Running")

    until(runs)


# --- one try, step by step ----------------------------------------------------------------------


def test_a_stage_succeeds(
    a_try: Make, client: Any, kept_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = a_try("x = 41 + 1\nprint('x is', x)")
    trigger = stage.defer()
    assert len(json.dumps(trigger.serialize())) < 1000
    event = wait_for(trigger)
    assert event["started"]
    result = stage.resume(event)
    log = capsys.readouterr().out
    assert "x is 42" in log
    assert "podline-result" not in log
    assert result["stage"] == "only"
    assert result["sha256"] == event["stored"][0]
    assert kept_store.get(result["key"])
    assert result["key"].startswith(trigger.prefix)
    assert not exists(client, trigger)


def test_a_cell_fails(a_try: Make, client: Any) -> None:
    stage = a_try("numbers = [1]\nnumbers[7]")
    trigger = stage.defer()
    event = wait_for(trigger)
    with pytest.raises(StageError, match=r"cell 1, line 2: IndexError"):
        stage.resume(event)
    assert not exists(client, trigger)


def test_a_failed_pod_is_kept_where_that_is_set(
    a_try: Make, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__KEEP_FAILED_PODS", "True")
    stage = a_try("1 / 0")
    trigger = stage.defer()
    with pytest.raises(StageError, match="ZeroDivisionError"):
        stage.resume(wait_for(trigger))
    assert exists(client, trigger)


def test_a_process_dies(a_try: Make) -> None:
    stage = a_try("import os\nprint('bye', flush=True)\nos._exit(3)")
    with pytest.raises(StageError, match="ended with exit code 3 and left no result: bye"):
        stage.resume(wait_for(stage.defer()))


def test_memory_runs_out(a_try: Make) -> None:
    from kubernetes.client import V1ResourceRequirements

    small = V1ResourceRequirements(limits={"memory": "128Mi"}, requests={"memory": "128Mi"})
    stage = a_try("x = bytearray(10**9)", container_resources=small)
    with pytest.raises(StageError, match="memory ran out: .* limit of 128Mi"):
        stage.resume(wait_for(stage.defer()))


def test_an_image_does_not_exist(a_try: Make, client: Any) -> None:
    stage = a_try("x = 1", image="127.0.0.1:5050/no-such-image:1")
    trigger = stage.defer()
    start = time.monotonic()
    event = wait_for(trigger)
    assert time.monotonic() - start < 60  # what can get better has ten minutes
    assert not event["started"]
    with pytest.raises(StageError, match="no-such-image:1 cannot be pulled"):
        stage.resume(event)
    assert not exists(client, trigger)


def test_a_pod_does_not_start_in_time(
    a_try: Make, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STARTUP_TIMEOUT", "8")
    stage = a_try("x = 1", node_selector={"no": "such-node"})
    trigger = stage.defer()
    with pytest.raises(StageError, match="did not start within 8 s: no node has room"):
        stage.resume(wait_for(trigger))
    assert not exists(client, trigger)


def test_the_timeout_of_a_task_holds(a_try: Make, client: Any) -> None:
    stage = a_try(
        "import time\nprint('began', flush=True)\ntime.sleep(60)",
        execution_timeout=timedelta(seconds=6),
    )
    trigger = stage.defer()
    assert stage.timeout.total_seconds() > 6
    event = wait_for(trigger)
    took = (datetime.now(UTC) - stage.context["ti"].start_date).total_seconds()
    assert 6 <= took < 40  # the stage would sleep for a minute
    with pytest.raises(StageError, match="the timeout of the stage 'only' passed"):
        stage.resume(event)
    assert not exists(client, trigger)


def test_a_pod_is_deleted_while_it_runs(a_try: Make, client: Any) -> None:
    stage = a_try("import time\ntime.sleep(60)")
    trigger = stage.defer()

    async def delete() -> dict[str, Any]:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(until_running, client, trigger)
        client.delete_namespaced_pod(trigger.pod, trigger.namespace, grace_period_seconds=0)
        return await asyncio.wait_for(waiting, 60)

    event = run(delete())
    with pytest.raises(StageError, match="was deleted before its stage had ended"):
        stage.resume(event)


def test_a_pod_is_deleted_before_its_trigger_begins(a_try: Make, client: Any) -> None:
    gone, stays = a_try("import time\ntime.sleep(60)"), a_try("import time\ntime.sleep(5)")
    absent, other = gone.defer(), stays.defer()
    client.delete_namespaced_pod(absent.pod, absent.namespace, grace_period_seconds=0)

    async def both() -> list[dict[str, Any]]:
        first = asyncio.create_task(event_of(other))
        await asyncio.sleep(1)  # its watch is there, and knows the other no more
        return [await asyncio.wait_for(event_of(absent), 60), await first]

    event, fine = run(both())
    assert "was deleted" in event["error"]
    assert stays.resume(fine)["stage"] == "only"


def test_a_triggerer_is_restarted(a_try: Make, client: Any) -> None:
    stage = a_try("import time\ntime.sleep(5)\nprint('slept')")
    trigger = stage.defer()

    async def shut_down() -> None:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.sleep(2)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await trigger.cleanup()

    run(shut_down())
    assert exists(client, trigger)
    time.sleep(5)  # it ends meanwhile
    assert stage.resume(wait_for(remade(trigger)))["stage"] == "only"


def test_a_killed_task_takes_its_pod_along(a_try: Make, client: Any) -> None:
    stage = a_try("import time\ntime.sleep(60)")
    trigger = stage.defer()

    async def kill() -> None:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(until_running, client, trigger)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await trigger.on_kill()

    run(kill())
    assert not exists(client, trigger)


def test_a_lost_trigger_takes_its_pod_along(a_try: Make, client: Any) -> None:
    from airflow.sdk.exceptions import TaskDeferralError

    stage = a_try("import time\ntime.sleep(60)")
    trigger = stage.defer()
    with pytest.raises(TaskDeferralError):
        stage.operator.resume_execution("__fail__", {"error": "Trigger failure"}, stage.context)
    assert not exists(client, trigger)


# --- under the real scheduler and triggerer -----------------------------------------------------


NOTEBOOKS = {
    "chain": {
        "step:make": "import time\ntotal = 41\ntime.sleep(3)\nprint('made', total)",
        "step:look": "total += 1\nprint('result', total)",
    },
    "slow": {"step:sleep": "import time\ntime.sleep(120)"},
    "failing": {"step:fail": "numbers = [1]\nnumbers[7]"},
}


@pytest.fixture(scope="module")
def airflow(
    variables: dict[str, str], module_gate: Gate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("notebooks")
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder, name, cells, retries=0)
    middle = {"step:nap": f"print('naps', flush=True)\n{module_gate.wait}"}
    write_notebook(folder, "middle", middle, retries=0)
    given = variables | {"AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder)}
    with running(tmp_path_factory.mktemp("airflow"), given, "slow") as airflow:
        yield airflow


def state_of(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> str:
    return str(airflow.tasks(dag_id, run_id)[task_id]["state"])


def until_watched(airflow: Airflow, dag_id: str, run_id: str, task_id: str) -> None:
    """Wait until a task's trigger runs: one that is killed before has nobody to tell."""
    until(lambda: state_of(airflow, dag_id, run_id, task_id) == "deferred")
    started = f"{dag_id}/{run_id}/{task_id}/-1/1 (ID"
    until(lambda: started in airflow.log_text(dag_id, run_id, task_id))
    time.sleep(1)


def pods_of(client: Any, namespace: str, run_id: str) -> list[str]:
    """The pods of a run, but for those that are about to go."""
    pods = client.list_namespaced_pod(namespace).items
    here = [pod.metadata for pod in pods if pod.metadata.deletion_timestamp is None]
    return [m.name for m in here if keys.quoted(run_id) in m.annotations["podline/prefix"]]


@pytest.mark.slow
def test_a_run_of_deferred_stages(airflow: Airflow, client: Any, namespace: str) -> None:
    run_id = airflow.trigger("chain")
    until(lambda: state_of(airflow, "chain", run_id, "make") == "deferred")
    assert airflow.wait("chain", run_id) == "success"
    assert "made 41" in airflow.log_text("chain", run_id, "make")
    assert "result 42" in airflow.log_text("chain", run_id, "look")
    until(lambda: not pods_of(client, namespace, run_id))


@pytest.mark.slow
def test_a_run_whose_deferred_stage_fails(airflow: Airflow, client: Any, namespace: str) -> None:
    run_id = airflow.trigger("failing")
    assert airflow.wait("failing", run_id) == "failed"
    assert "cell 1, line 2: IndexError" in airflow.log_text("failing", run_id, "fail")
    assert not pods_of(client, namespace, run_id)


@pytest.mark.slow
def test_a_deferred_task_that_is_marked_failed(
    airflow: Airflow, client: Any, namespace: str
) -> None:
    run_id = airflow.trigger("slow")
    until_watched(airflow, "slow", run_id, "sleep")
    airflow.mark_failed("slow", run_id, "sleep")
    # The triggerer looks for such tasks each second, and tells the trigger a second later.
    until(lambda: not pods_of(client, namespace, run_id))


@pytest.mark.slow
def test_a_deferred_task_that_is_cleared(airflow: Airflow, client: Any, namespace: str) -> None:
    run_id = airflow.trigger("slow")
    until_watched(airflow, "slow", run_id, "sleep")
    (first,) = pods_of(client, namespace, run_id)
    airflow.clear("slow", run_id, "sleep")
    until(lambda: first not in pods_of(client, namespace, run_id))
    (second,) = until(lambda: pods_of(client, namespace, run_id))
    assert second != first


def triggerer(home: Path) -> psutil.Process:
    """The triggerer's process, not the child that runs the triggers."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words, parent = process.cmdline(), process.parent()
            ours = words[-1:] == ["triggerer"] and process.environ()["AIRFLOW_HOME"] == str(home)
            if ours and (parent is None or parent.cmdline() != words):
                return process
    raise AssertionError("there is no triggerer")


@pytest.mark.slow
def test_a_triggerer_that_is_replaced(
    airflow: Airflow, client: Any, namespace: str, module_gate: Gate
) -> None:
    # The last of these tests: afterwards the server has no triggerer.
    run_id = airflow.trigger("middle")
    until_watched(airflow, "middle", run_id, "nap")
    first = triggerer(airflow.home)
    command, environment = first.cmdline(), first.environ()
    first.terminate()
    until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
    assert len(pods_of(client, namespace, run_id)) == 1
    module_gate.open()
    second = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert airflow.wait("middle", run_id) == "success"
        assert "naps" in airflow.log_text("middle", run_id, "nap")
    finally:
        second.send_signal(signal.SIGINT)
        second.wait(30)
