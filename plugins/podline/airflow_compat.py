"""Every place where Airflow, or its Kubernetes provider, is bent: what it does not offer otherwise.

Checked with Airflow 3.3.2 and the provider 10.25. Each has a test that fails when Airflow no
longer needs it. Nothing of Airflow is imported before it is used: a DAG's file loads this module.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from airflow.sdk import DAG, Context, Param
    from kubernetes.client import V1Pod

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
# The commands of Airflow whose process forks those of tasks.
_FORKING = (("scheduler",), ("celery", "worker"))


# --- operators ----------------------------------------------------------------------------------


class QuickInit:
    """An operator whose __init__ sets its attributes without a search for their converters.

    Airflow looks for a method ``_convert_NAME`` with each of the 150 attributes that are set once:
    a third of the time that a DAG's file takes to make its operators.
    """

    _converted: ClassVar[frozenset[str]]
    _BaseOperator__instantiated: bool

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        names = [name for name in dir(cls) if name.startswith("_convert_")]
        cls._converted = frozenset(name.removeprefix("_convert_") for name in names)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._BaseOperator__instantiated or name in self._converted:
            super().__setattr__(name, value)
        else:
            object.__setattr__(self, name, value)


class LostTriggerMixin:
    """An operator that is told when a deferral failed: Airflow only raises, and calls nothing."""

    def trigger_lost(self, context: "Context") -> None:
        """See to what the trigger should have seen to.

        Raises:
            NotImplementedError: the operator does not say how.
        """
        raise NotImplementedError

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context"
    ) -> Any:
        """Airflow's way back from a deferral.

        Args:
            next_method: the method that goes on.
            next_kwargs: what the deferral gave it, with the trigger's event.
            context: Airflow's.

        Raises:
            TaskDeferralError: the trigger failed, or its time was over.
        """
        from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)  # type: ignore[misc]
        except (TaskDeferralError, TaskDeferralTimeout):
            self.trigger_lost(context)
            raise


def make_pod(
    operator: "KubernetesPodOperator", context: "Context", parameters: Mapping[str, Any]
) -> "V1Pod":
    """The pod that the provider makes of an operator's parameters, with others over them.

    The provider takes them from the operator's attributes alone: here, from those of a copy, which
    pushes no XCom, since that would need a second container.

    Args:
        operator: whose pod it is.
        context: Airflow's.
        parameters: of KubernetesPodOperator, which hold instead of the operator's own.
    """
    changed = object.__new__(type(operator))
    vars(changed).update(vars(operator), **parameters, do_xcom_push=False)
    with _shared_configuration():
        return changed.build_pod_request_obj(context)


@contextmanager
def _shared_configuration() -> Iterator[None]:
    """Have the client's models share one configuration, not copy it with each of their copies.

    The provider copies them often enough for 500 of those, each of which sets the levels of
    loggers: 6 ms and more.
    """
    from kubernetes.client import Configuration

    copy = Configuration.__deepcopy__
    Configuration.__deepcopy__ = lambda self, memo: self
    try:
        yield
    finally:
        Configuration.__deepcopy__ = copy


def set_params(dag: "DAG", params: Mapping[str, "Param"]) -> None:
    """Give a DAG its params, and validate it: Airflow would do so later, and blame the whole file.

    Airflow copies a DAG's params into each new task: this is for one that has its tasks.
    """
    from airflow.sdk.definitions.param import ParamsDict

    dag.params = ParamsDict(dict(params))
    dag.validate()  # type: ignore[no-untyped-call]


# --- clusters -----------------------------------------------------------------------------------


class Cluster(NamedTuple):
    """How a cluster is reached: the parameters of KubernetesPodOperator for that."""

    conn_id: str | None = None
    config_file: str | None = None
    in_cluster: bool | None = None
    context: str | None = None


def cluster_hook(cluster: Cluster) -> "KubernetesHook":
    """The provider's hook; where no connection is named, it asks Airflow for none.

    It would ask for ``kubernetes_default``, which is a request to the API server in each task.
    """
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    return KubernetesHook(
        conn_id=cluster.conn_id,
        kubernetes_conn_id=None,
        in_cluster=cluster.in_cluster,
        config_file=cluster.config_file,
        cluster_context=cluster.context,
    )


def async_connection(cluster: Cluster) -> Any:
    """An API client of the provider's other hook, as an asynchronous context manager.

    That hook does not take a file's name, and does not look for a pod's own account by itself.
    """
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

    conn_id, config_file, in_cluster, context = cluster
    if in_cluster is None and conn_id is None and config_file is None:
        in_cluster = _ACCOUNT.exists()
    return AsyncKubernetesHook(
        conn_id=conn_id,
        in_cluster=in_cluster,
        cluster_context=context,
        connection_extras={"kube_config_path": config_file} if config_file else None,
    ).get_conn()


# --- processes ----------------------------------------------------------------------------------


def forks_tasks() -> bool:
    """Whether this process forks those of tasks; Airflow loads plugins in all of its own alike."""
    return any(tuple(sys.argv[1 : 1 + len(words)]) == words for words in _FORKING)


def has_own_pod() -> bool:
    """Whether this task's process has a pod of its own, in which nothing outlives it."""
    return os.environ.get("AIRFLOW_IS_K8S_EXECUTOR_POD") == "True"


def is_supervised() -> bool:
    """Whether this task's process has a supervisor: it has none under ``dags test``."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    return isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), CommsDecoder)


def is_resumed(ti: Any) -> bool:
    """Whether a try goes on after a deferral: then the server has told when it began.

    Args:
        ti: Airflow's RuntimeTaskInstance.
    """
    told = ti._ti_context_from_server
    return told is not None and told.start_date is not None


def forget_parsed_dag() -> None:
    """Take out of the environment which DAG Airflow parsed last for a task: it is left there.

    As long as it is, DAG files make no other, and ``dags test`` finds none of its own.
    """
    for name in ("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "_AIRFLOW_PARSING_CONTEXT_TASK_ID"):
        os.environ.pop(name, None)


def trigger_run(dag_id: str, run_id: str, conf: Mapping[str, Any]) -> str:
    """Trigger a run from inside a task, once; one that exists is left as it is.

    Airflow's own way is an operator, and a task that is no operator cannot use it.

    Args:
        dag_id: of what.
        run_id: the run's.
        conf: the run's parameters.

    Returns:
        Why Airflow refuses; empty: it does not.
    """
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf)))
    if isinstance(answer, ErrorResponse) and answer.error != ErrorType.DAGRUN_ALREADY_EXISTS:
        return f"{answer.error.value} {answer.detail}"
    return ""


# --- Airflow on one machine ---------------------------------------------------------------------

# Runs a command of Airflow's, which follows.
RUN_HERE = (sys.executable, "-c", "from podline.airflow_compat import run_here; run_here()")


def run_here() -> None:
    """Run the command of Airflow's in `sys.argv` so that only this machine reaches what it serves.

    Airflow's servers of logs listen at all addresses, and there is no setting for that.
    """
    from airflow.__main__ import main
    from airflow.utils import serve_logs

    serve_logs.serve_logs = serve_logs_here
    if sys.argv[1:] == ["standalone"]:
        _run_parts_here()
    main()  # type: ignore[no-untyped-call]


def serve_logs_here(port: int | None = None) -> None:
    """Serve Airflow's logs on this machine's own address, at a port or that of the setting."""
    import uvicorn
    from airflow.utils.serve_logs.core import serve_logs

    run = uvicorn.run
    uvicorn.run = lambda app, **options: run(app, **options | {"host": "127.0.0.1"})
    serve_logs(port)  # type: ignore[no-untyped-call]


def hostname_here() -> str:
    """The name by which Airflow's parts find one another's logs: `[core] hostname_callable`."""
    return "localhost"


def _run_parts_here() -> None:
    """Have the parts of ``airflow standalone`` run so too: it calls any `airflow` on the PATH."""
    from airflow.cli.commands import standalone_command

    class Part(standalone_command.SubCommand):
        def run(self) -> None:
            command = [*RUN_HERE, *self.command]
            self.process = subprocess.Popen(
                command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            assert self.process.stdout
            for line in self.process.stdout:
                self.parent.output_queue.append((self.name, line))

    standalone_command.SubCommand = Part  # type: ignore[misc]
