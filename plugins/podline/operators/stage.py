"""Airflow's operators for a notebook: one for a stage, one for the whole notebook in one kernel."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from podline import settings
from podline.airflow_compat import (
    Cluster,
    LostTriggerMixin,
    QuickInit,
    cluster_hook,
    make_pod,
)
from podline.assets import PUBLISHED, announce
from podline.compiler.pipeline import Pipeline, Stage
from podline.compiler.tags import StageSettings
from podline.contract import ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import StageError
from podline.latency.observations import Observed
from podline.operators import task_spec
from podline.operators.backend import Backend, check_backend
from podline.operators.task_spec import Shipment
from podline.store import keys
from podline.store.keys import RESULT

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.sdk import Context
    from kubernetes.client import V1Pod

    from podline.operators.kubernetes.backend import PodBackend
    from podline.store import Store

BACKEND_PARAM = "backend"


class NotebookOperator(QuickInit, LostTriggerMixin, KubernetesPodOperator):
    """Runs the whole notebook in one kernel: the baseline that a pipeline is measured against.

    On the backend ``kubernetes`` that kernel is in a pod. What that pod is comes from settings,
    this operator's parameters, which are those of KubernetesPodOperator, and tags, each over the
    one before (`podline.operators.kubernetes.manifest`).

    Args:
        pipeline: the compiled notebook.
        stage: for `StageOperator`, one of its stages; tags for retries and timeouts become the
            task's own.
        deferrable: whether the task leaves its worker while its pod runs; None: the setting says.
    """

    ui_color = "#e8f0fe"
    template_fields = ()
    stage: Stage | None
    store: "Store"

    # The only __init__ of both operators: Airflow copies all parameters once for each.
    def __init__(self, *, pipeline: Pipeline, stage: Stage | None = None, **kwargs: Any) -> None:
        if stage is not None:
            kwargs = {**_task_settings(stage), **kwargs}
        # What is left to do when the try's end is recorded is no part of its time.
        for end in ("on_success_callback", "on_failure_callback", "on_retry_callback"):
            mine = [_close, _keep_pages] if "success" in end else [_keep_pages]
            kwargs[end] = [*_listed(kwargs.get(end)), *mine]
        ours = {"logger_name": "podline", "kubernetes_conn_id": None, "do_xcom_push": True}
        ours["deferrable"] = None  # the setting says, when the task runs
        kwargs["outlets"] = [*_listed(kwargs.get("outlets")), PUBLISHED]
        super().__init__(**ours | kwargs)
        self.pipeline = pipeline
        self.stage = stage
        self.backend: Backend | None = None
        self.prefix = ""
        self.observed = Observed()

    def execute(self, context: "Context") -> dict[str, Any]:
        """Run the notebook, or the stage, on the backend that the run or the setting names.

        Returns:
            The reference of the result in the store, with its hash, metrics and phases.

        Raises:
            StageError: a cell failed, a value cannot be stored, or the process or pod died.
            TaskDeferred: the pod is made; `resume` does the rest.
        """
        from podline.store import open_store

        self.observed = seen = Observed(marks={"execute": time.time()})
        name = context["params"].get(BACKEND_PARAM) or settings.backend()
        self.backend = backend = self._open_backend(name, context)
        self.store = store = open_store()
        backend.prepare(store.connection)
        task = self._make_task(context)
        seen.backend, seen.prefix = name, task.prefix
        self._say_not_applied(name, backend)
        self.log.info("%s: runs on the backend %r", task.plan.stage, name)
        if name == "kubernetes":
            task = self._prepare_pod(task, store, context)
        self.prefix = task.prefix
        result = self._run(backend, task, store)
        return self._reference(result, context)

    def resume(
        self, context: "Context", event: dict[str, Any], noted: dict[str, Any]
    ) -> dict[str, Any]:
        """Go on where the trigger of a deferred try ended; see `execute`.

        Args:
            context: Airflow's.
            event: of `podline.operators.kubernetes.triggers.StageTrigger`.
            noted: what was observed before, of `Observed.noted`.
        """
        from podline.operators import deferring
        from podline.store import open_store

        self.observed = seen = Observed(**noted)
        seen.marks |= {**event["marks"], "resumed": time.time()}
        seen.status, seen.pod = event["status"], event["facts"]
        self.prefix = event["prefix"]
        self.store = open_store()
        self.backend = backend = self._open_pods(context)
        backend.pod = {"metadata": {"name": event["pod"], "namespace": event["namespace"]}}
        try:
            digest = deferring.finish(backend, event, lambda line: self.log.info("%s", line))
            where, _ = keys.TryKey.parse(f"{self.prefix}/{RESULT}")
            result = self._read_result(backend, self.store, where, digest)
        except BaseException:
            backend.fail()
            raise
        return self._reference((digest, result), context)

    def trigger_lost(self, context: "Context") -> None:
        """Delete the pod of a deferral that failed: nobody follows it."""
        from podline.operators import deferring

        self.observed = Observed(marks={"resumed": time.time()}, deferred=True)
        deferring.delete_pods(self, self._open_pods(context), context)

    def _reference(self, ended: tuple[str, StageResult], context: "Context") -> dict[str, Any]:
        digest, result = ended
        where, _ = keys.TryKey.parse(f"{self.prefix}/{RESULT}")
        adopted = where.try_number != context["ti"].try_number
        self.log.info("%s", task_spec.summary(result))
        if result.published:
            announce(result.published, self.store, context)
        return {
            "stage": result.stage,
            "key": f"{self.prefix}/{RESULT}",
            "sha256": digest,
            "version": result.notebook_sha256,
            "files": result.files,
            "metrics": result.metrics,
            "published": [asdict(version) for version in result.published],
            "phases": {phase.name: phase.seconds for phase in result.phases},
            "executed_notebook": result.executed_notebook,
            "adopted_from_try": where.try_number if adopted else None,
        }

    def _prepare_pod(self, task: StageTask, store: "Store", context: "Context") -> StageTask:
        """Take over the pod of the try before, if that lost its worker; defer, if that is wanted.

        Returns:
            What the pod does, or is to do.
        """
        from podline.operators.kubernetes.backend import PodBackend

        backend, ti = self.backend, context["ti"]
        assert isinstance(backend, PodBackend)
        adopted = None
        if ti.try_number > 1:
            adopted = backend.adopt(task, ti.try_number, ti.max_tries or 0)
        if adopted:
            number = keys.TryKey.parse(f"{adopted.prefix}/{RESULT}")[0].try_number
            self.log.info("adopted from try %s: its worker was lost", number)
            self.observed.marks["adopted"], self.observed.adopted_from = time.time(), number
        deferrable = settings.deferrable() if self.deferrable is None else self.deferrable
        if deferrable:
            from podline.operators import deferring

            deferring.defer(self, backend, adopted or task, store.connection, context)
        return adopted or task

    def _run(self, backend: Backend, task: StageTask, store: "Store") -> tuple[str, StageResult]:
        try:
            digest = backend.run(task, store.connection, lambda line: self.log.info("%s", line))
            return digest, self._read_result(backend, store, task, digest)
        except BaseException:
            backend.fail()
            raise

    @cached_property
    def hook(self) -> "KubernetesHook":
        """The cluster's connection."""
        conn_id = self.kubernetes_conn_id or settings.kubernetes_conn_id()
        return cluster_hook(
            Cluster(conn_id, self.config_file, self.in_cluster, self.cluster_context)
        )

    def _read_result(
        self, backend: Backend, store: "Store", task: StageTask | keys.TryKey, digest: str
    ) -> StageResult:
        self.observed.result = result = task_spec.read_result(store, task, digest)
        if result.failure:
            why = backend.why_stopped() if result.failure.stopped else ""
            raise StageError(": ".join(filter(None, [why, _told(result)])))
        return result

    def _open_backend(self, name: str, context: "Context") -> Backend:
        check_backend(name)
        if name == "process":
            from podline.operators.process_backend import ProcessBackend

            return ProcessBackend(self.observed.marks)
        return self._open_pods(context)

    def _open_pods(self, context: "Context") -> "PodBackend":
        from podline.operators.kubernetes.backend import PodBackend

        make_pod = partial(self._make_pod, context)
        return PodBackend(self.client, make_pod, self.log.warning, self.observed)

    def _make_pod(
        self, context: "Context", task: StageTask, variables: dict[str, str], secret: str
    ) -> "V1Pod":
        """Make the pod of a try; see `podline.operators.kubernetes.manifest` for what is in it."""
        from podline.operators.kubernetes import manifest

        tags = self.stage.settings if self.stage else StageSettings()
        given = manifest.defaults(self.pipeline)
        given = {name: getattr(self, name) or value for name, value in given.items()}
        given |= manifest.from_tags(tags, given["container_resources"])
        for name, value in manifest.identity(task, tags, context["ti"]).items():
            mine = getattr(self, name)
            both = isinstance(value, dict) and isinstance(mine, dict)
            given[name] = {**mine, **value} if both else value
        given["env_vars"] = [*self.env_vars, *manifest.environment(tags, variables, secret)]
        given["full_pod_spec"] = self.full_pod_spec or manifest.base_pod()
        return make_pod(self, context, given)

    def _say_not_applied(self, name: str, backend: Backend) -> None:
        """Nothing: a whole notebook has no settings of a stage."""

    def on_kill(self) -> None:
        """End the child or the pod when the task is."""
        if self.backend is not None:
            self.backend.stop()

    def _make_task(self, context: "Context") -> StageTask:
        """What this try is to do: the plan for the run's parameters, and the inputs."""
        params = context["params"]
        given = {p.name: params[p.name] for p in self.pipeline.parameters if p.name in params}
        parameters = task_spec.check_parameters(self.pipeline, given)
        inputs = self._inputs(context)
        where = keys.TryKey.of(context["ti"])
        shipment = self._shipment(self.store, keys.run_of(where.prefix), inputs)
        plan = self._plan(parameters, shipment)
        refs = [ResultRef(i["stage"], i["key"], i["sha256"]) for i in inputs]
        return task_spec.make_task(plan, refs, where)

    def _inputs(self, context: "Context") -> list[Mapping[str, Any]]:
        return []

    def _shipment(self, store: "Store", run: str, inputs: list[Mapping[str, Any]]) -> Shipment:
        """The version that the run began with; its first stage ships it."""
        if not inputs:
            return task_spec.ship(self.pipeline, store, run)
        shipment = Shipment(dict(inputs[0]["files"]), inputs[0]["version"])
        task_spec.check_version(self.pipeline, shipment, inputs)
        return shipment

    def _plan(self, parameters: dict[str, Any], shipment: Shipment) -> StagePlan:
        return task_spec.plan_baseline(self.pipeline, parameters, shipment)


class StageOperator(NotebookOperator):
    """Runs one stage of a notebook. Its task's id is the stage's name.

    If it fails: the log's last lines name the cell and quote the line; the executed notebook, as
    far as it came, is kept beside the result (`podline notebook DAG RUN STAGE`).
    """

    ui_color = "#e6f4ea"
    stage: Stage

    def _inputs(self, context: "Context") -> list[Mapping[str, Any]]:
        inputs = []
        for parent in sorted(self.stage.parents.keys() & self.stage.ancestors):
            value = context["ti"].xcom_pull(task_ids=parent)
            if not isinstance(value, Mapping):
                raise StageError(
                    f"the stage {parent!r} left no result in this run, and {self.stage.name!r} "
                    f"needs it. fix: clear {parent!r}, so that it runs again"
                )
            inputs.append(value)
        return inputs

    def _plan(self, parameters: dict[str, Any], shipment: Shipment) -> StagePlan:
        return task_spec.plan_stage(self.pipeline, self.stage, parameters, shipment)

    def _say_not_applied(self, name: str, backend: Backend) -> None:
        told = [field for field in backend.not_applied if getattr(self.stage.settings, field)]
        if told:
            self.log.warning(
                "the backend %r does not apply the tags for: %s", name, ", ".join(told)
            )


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _close(context: "Context") -> None:
    """See to the end of the process or pod of a try that succeeded."""
    if (backend := getattr(context["task"], "backend", None)) is not None:
        backend.close()


def _keep_pages(context: "Context") -> None:
    """Make pages of the run's executed notebooks, when no other stage is to follow."""
    from podline.operators.process_backend import environment
    from podline.runner.html_export import make_pages_later

    task: Any = context["task"]
    last = not task.downstream_task_ids or context["ti"].state != "success"
    if task.prefix and last and settings.html():
        make_pages_later(keys.run_of(task.prefix), environment(task.store.connection))


def _task_settings(stage: Stage) -> dict[str, Any]:
    """What the stage's tags say about Airflow's own handling of the task."""
    found: dict[str, Any] = {}
    if stage.settings.timeout is not None:
        found["execution_timeout"] = timedelta(seconds=stage.settings.timeout)
    if retry := stage.settings.retry:
        found["retries"] = retry.times
        if retry.interval is not None:
            found["retry_delay"] = timedelta(seconds=retry.interval)
        if retry.factor is not None:
            found["retry_exponential_backoff"] = retry.factor
        if retry.max_interval is not None:
            found["max_retry_delay"] = timedelta(seconds=retry.max_interval)
    return found


def _told(result: StageResult) -> str:
    """The failure as the log shows it, the traceback first: a log is read from its end."""
    assert result.failure is not None
    parts = [result.failure.traceback, result.failure.message]
    return "\n".join(part for part in parts if part)
