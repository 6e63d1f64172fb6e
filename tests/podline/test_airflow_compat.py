"""Each bend of Airflow: that stock Airflow still makes it necessary, and that it works."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow.sdk
import pytest
import setproctitle
import uvicorn
from airflow.providers.cncf.kubernetes.hooks import kubernetes as hooks
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.sdk import DAG, BaseOperator, Param, get_parsing_context
from airflow.sdk.definitions._internal import dag_parsing_context
from airflow.sdk.exceptions import ErrorType, TaskDeferralError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder, ErrorResponse, OKResponse
from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms
from airflow.utils.serve_logs import serve_logs
from kubernetes.client import Configuration
from kubernetes.client import models as k8s

from podline import airflow_compat
from podline.airflow_compat import Cluster, LostTriggerMixin, QuickInit

# --- operators ----------------------------------------------------------------------------------


class Stock(BaseOperator):
    """Notes which converters are looked for, since there are none of these."""

    looked: list[str]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_convert_"):
            vars(self).setdefault("looked", []).append(name)
        raise AttributeError(name)


class Quick(QuickInit, Stock):
    pass


def test_airflow_looks_for_a_converter_of_each_attribute() -> None:
    assert len(Stock(task_id="a").looked) > 50


def test_a_quick_init_looks_for_none_and_converts_all_the_same() -> None:
    quick: Any = Quick(task_id="a", retries="3", retry_delay=5)
    assert "looked" not in vars(quick)
    assert (quick.retries, quick.retry_delay) == (3, timedelta(seconds=5))
    quick.retries = "4"
    assert quick.retries == 4


class Told(LostTriggerMixin, BaseOperator):
    lost = killed = False

    def trigger_lost(self, context: Any) -> None:
        self.lost = True

    def on_kill(self) -> None:
        self.killed = True

    def resume(self, context: Any, event: str) -> str:
        return event


def test_a_lost_trigger_is_told_by_us_alone() -> None:
    told, context = Told(task_id="a"), Any
    assert told.resume_execution("resume", {"event": "e"}, context) == "e"
    assert not told.lost
    with pytest.raises(TaskDeferralError):
        told.resume_execution("__fail__", {"error": "Trigger failure"}, context)
    assert told.lost
    assert not told.killed  # nor is anything else called


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[Configuration]:
    """The client's configurations that were copied."""
    found: list[Configuration] = []
    copy = Configuration.__deepcopy__

    def note(self: Configuration, memo: Any) -> Configuration:
        found.append(self)
        return copy(self, memo)

    monkeypatch.setattr(Configuration, "__deepcopy__", note)
    return found


def a_pod_operator() -> tuple[Any, Any]:
    operator: Any = KubernetesPodOperator(
        task_id="a",
        image="i",
        name="n",
        namespace="ns",
        do_xcom_push=True,
        random_name_suffix=False,
    )
    sidecar = "get_xcom_sidecar_container_image get_xcom_sidecar_container_resources"
    hook: dict[str, Any] = {name: lambda: None for name in sidecar.split()}
    hook["get_xcom_sidecar_container_security_context"] = lambda: None
    operator.hook = SimpleNamespace(is_in_cluster=False, **hook)
    ti = SimpleNamespace(dag_id="d", task_id="a", map_index=-1, try_number=1)
    return operator, {"ti": ti, "run_id": "r", "dag": None}


def test_the_provider_has_a_second_container_for_xcom_and_copies_configurations(
    copied: list[Configuration],
) -> None:
    operator, context = a_pod_operator()
    assert len(operator.build_pod_request_obj(context).spec.containers) == 2
    assert len(copied) > 10


def test_a_pod_of_other_parameters_leaves_the_operator_as_it_is(
    copied: list[Configuration],
) -> None:
    operator, context = a_pod_operator()
    before = dict(vars(operator))
    pod = airflow_compat.make_pod(operator, context, {"image": "j", "labels": {"x": "y"}})
    (container,) = pod.spec.containers
    assert (container.image, pod.metadata.labels["x"], pod.metadata.name) == ("j", "y", "n")
    assert pod.metadata.labels["task_id"] == "a"
    assert vars(operator) == before
    assert copied == []
    Configuration().__deepcopy__({})
    assert len(copied) == 1  # as before


def test_params_are_copied_into_new_tasks_only() -> None:
    params = {"n": Param(1, type="integer")}
    with DAG("stock", schedule=None, params=params):
        stock = BaseOperator(task_id="a")
    assert "n" in stock.params
    with DAG("ours", schedule=None) as dag:
        task = BaseOperator(task_id="a")
    airflow_compat.set_params(dag, params)
    assert "n" not in task.params
    assert dag.params["n"] == 1


def test_params_that_are_wrong_are_refused_at_once() -> None:
    without = {"n": Param(type="integer")}
    with pytest.raises(ValueError, match="not allowed to define a Schedule"):
        airflow_compat.set_params(DAG("ours", schedule="@daily"), without)


# --- clusters -----------------------------------------------------------------------------------


def test_a_hook_asks_for_no_connection() -> None:
    assert hooks.KubernetesHook(conn_id=None).conn_id == "kubernetes_default"
    assert airflow_compat.cluster_hook(Cluster()).conn_id is None
    hook = airflow_compat.cluster_hook(Cluster("c", "f", False, "x"))
    assert (hook.conn_id, hook.config_file, hook.cluster_context) == ("c", "f", "x")
    assert hook.in_cluster is False


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which configuration the asynchronous client loads: a pod's own, or a file's."""
    found: list[str] = []

    async def load(config_file: str | None = None, **_: Any) -> None:
        found.append(config_file or "default")

    monkeypatch.setattr(hooks.async_config, "load_kube_config", load)
    monkeypatch.setattr(
        hooks.async_config, "load_incluster_config", lambda **_: found.append("account")
    )
    return found


async def connect(connection: Any) -> None:
    async with connection:
        pass


def test_the_stock_hook_takes_no_file_and_looks_for_no_account(loaded: list[str]) -> None:
    asyncio.run(connect(hooks.AsyncKubernetesHook(conn_id=None, config_file="mine").get_conn()))
    assert loaded == ["default"]


def test_ours_does(loaded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_compat, "_ACCOUNT", tmp_path)
    for cluster in (Cluster(), Cluster(config_file="mine"), Cluster(in_cluster=False)):
        asyncio.run(connect(airflow_compat.async_connection(cluster)))
    monkeypatch.setattr(airflow_compat, "_ACCOUNT", tmp_path / "none")
    asyncio.run(connect(airflow_compat.async_connection(Cluster())))
    assert loaded == ["account", "mine", "default", "default"]


# --- processes ----------------------------------------------------------------------------------


def test_plugins_are_loaded_in_processes_that_fork_tasks_and_in_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forking = ("scheduler", "celery worker")
    for command in (*forking, "celery flower", "triggerer", "api-server"):
        monkeypatch.setattr(sys, "argv", ["airflow", *command.split()])
        assert airflow_compat.forks_tasks() is (command in forking)


def test_whether_a_task_has_a_pod_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not airflow_compat.has_own_pod()
    template = k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")]))
    names = dict.fromkeys(("dag_id", "task_id", "pod_id", "kube_image", "namespace"), "a")
    pod = PodGenerator.construct_pod(
        **names,
        try_number=1,
        date=None,
        args=[],
        pod_override_object=None,
        base_worker_pod=template,
        scheduler_job_id="1",
    )
    for variable in pod.spec.containers[0].env:
        monkeypatch.setenv(variable.name, variable.value)
    assert airflow_compat.has_own_pod()


def test_whether_there_is_a_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    assert not airflow_compat.is_supervised()
    for kind, supervised in ((CommsDecoder, True), (InProcessSupervisorComms, False)):
        comms = object.__new__(kind)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        assert airflow_compat.is_supervised() is supervised


def test_whether_a_try_is_resumed() -> None:
    assert "_ti_context_from_server" in task_runner.RuntimeTaskInstance.__annotations__
    for told, resumed in ((None, False), ((None,), False), ((1,), True)):
        context = told and SimpleNamespace(start_date=told[0])
        ti = SimpleNamespace(_ti_context_from_server=context)
        assert airflow_compat.is_resumed(ti) is resumed


def test_airflow_leaves_in_the_environment_what_it_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with dag_parsing_context._airflow_parsing_context_manager(dag_id="d", task_id="t"):
        pass
    assert get_parsing_context() == ("d", "t")
    airflow_compat.forget_parsed_dag()
    assert get_parsing_context() == (None, None)


@pytest.mark.parametrize("word", ["supervis", "resumed", "trigger_dag", "forks", "comms"])
def test_airflow_offers_none_of_this_itself(word: str) -> None:
    """Once it does, what stands for it in `airflow_compat` can go."""
    offered = {*airflow.sdk.__all__, *dir(airflow.sdk.TaskInstance)}
    assert not [name for name in offered if not name.startswith("_") and word in name.lower()]


def test_a_run_is_triggered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [
        OKResponse(ok=True),
        ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS),
        ErrorResponse(error=ErrorType.PERMISSION_DENIED, detail={"why": "no"}),
    ]
    comms = SimpleNamespace(send=lambda message: answers.pop(0))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    told = [airflow_compat.trigger_run("d", "r", {"n": 1}) for _ in range(3)]
    assert told[:2] == ["", ""]
    assert "why" in told[2]


# --- Airflow on one machine ---------------------------------------------------------------------


def test_stock_airflow_serves_logs_to_all_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[str] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, host, **options: hosts.append(host))
    monkeypatch.setattr(setproctitle, "setproctitle", lambda title: None)
    serve_logs(1)
    airflow_compat.serve_logs_here(1)
    assert hosts == ["", "127.0.0.1"]
