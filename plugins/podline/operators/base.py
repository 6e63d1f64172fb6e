"""What the operators of a stage and of a whole notebook share: a try, from task to result."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from podline import settings
from podline.airflow_compat import (
    Cluster,
    LostTriggerMixin,
    QuickInit,
    cluster_hook,
    has_own_pod,
)
from podline.assets import PUBLISHED, announce
from podline.compiler.parameters import BACKEND_PARAM
from podline.compiler.pipeline import Pipeline, Stage
from podline.compiler.tags import StageSettings
from podline.contract import ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import PodlineError, StageError
from podline.latency.observations import Moments, Observed
from podline.operators import run_version, successors, task_spec
from podline.operators.backend import Log, StageBackend, TryContext, open_backend
from podline.operators.task_spec import Input, Shipment, Values
from podline.secrecy import redacted
from podline.store import keys
from podline.store.keys import RESULT, TryKey
from podline.store.patience import Patience

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    from airflow.sdk import Context

    from podline.store import Store, StoreConnection


_P = ParamSpec("_P")
_T = TypeVar("_T")


class PublishedName(TypedDict):
    """A published version, as a stage returns it."""

    name: str
    number: int


class Reference(Input):
    """What a stage returns to Airflow: the reference of its result, and what is to be shown."""

    metrics: dict[str, float]
    published: list[PublishedName]
    phases: dict[str, float]
    executed_notebook: str
    adopted_from_try: int | None


def tried_once(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have Airflow not retry what another try can only come to as well."""

    @wraps(method)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(*args, **kwargs)
        except PodlineError as error:
            if not error.final:
                raise
            from airflow.sdk.exceptions import AirflowFailException

            raise AirflowFailException(str(error)) from None

    return run


class BackendOperator(QuickInit, LostTriggerMixin, KubernetesPodOperator):
    """Runs cells of a notebook on the backend that the run or the setting names.

    On the backend ``kubernetes`` they run in a pod. What that pod is comes from settings, this
    operator's parameters, which are those of KubernetesPodOperator, and tags, each over the one
    before (`podline.operators.kubernetes.manifest`).

    Args:
        pipeline: the compiled notebook.
        stage: one of its stages; None: all of it.
        deferrable: whether the task leaves its worker while its pod runs; None: the setting says.
        team: whose the notebook is: its stages have that team's key to the store; empty: Airflow's.
    """

    template_fields = ()
    stage: Stage | None
    store: "Store"
    patience: Patience | None = None
    was_edited = False  # since the run began
    _plan_of: Callable[[Stage], StagePlan]  # of this run, of any of its stages

    # The only __init__ of our operators: Airflow copies all parameters once for each.
    def __init__(
        self, *, pipeline: Pipeline, stage: Stage | None = None, team: str = "", **kwargs: Any
    ) -> None:
        if stage is not None:
            kwargs = {**_airflow_settings(stage.settings), **kwargs}
        # What is left to do when the try's end is recorded is no part of its time.
        for end, mine in _AT_THE_END.items():
            kwargs[end] = [*_listed(kwargs.get(end)), *mine]
        ours = {"logger_name": "podline", "kubernetes_conn_id": None, "do_xcom_push": True}
        ours["deferrable"] = None  # the setting says, when the task runs
        kwargs["outlets"] = [*_listed(kwargs.get("outlets")), PUBLISHED]
        super().__init__(**ours | kwargs)
        self.pipeline = pipeline
        self.stage = stage
        self.team = team
        self.backend: StageBackend | None = None
        self.prefix = ""
        self.observed = Observed()

    # --- what is run

    def _inputs(self, context: "Context") -> list[Input]:
        """The references of the results that are needed."""
        return []

    def _plan(self, parameters: Values, shipment: Shipment) -> StagePlan:
        raise NotImplementedError

    def _make_task(self, context: "Context") -> StageTask:
        """What this try is to do: the plan for the run's parameters, and the inputs."""
        where = TryKey.of(context["ti"])
        inputs, shipment = self._go_by_the_run(context, keys.run_of(where.prefix))
        params = context["params"]
        given = {p.name: params[p.name] for p in self.pipeline.parameters if p.name in params}
        if self.was_edited:  # the DAG's defaults are those of the notebook as it is now
            given = run_version.values_of(self.pipeline, context["dag_run"].conf or {})
        parameters = task_spec.check_parameters(self.pipeline, given)
        plan = self._plan(parameters, shipment)
        self._plan_of = partial(
            task_spec.plan_stage, self.pipeline, parameters=parameters, shipment=shipment
        )
        refs = tuple(ResultRef(i["stage"], i["key"], i["sha256"]) for i in inputs)
        return StageTask(plan, refs, where.prefix, where.nonce)

    def _go_by_the_run(self, context: "Context", run: str) -> tuple[list[Input], Shipment]:
        """Take the notebook in the version of the run; returns the stage's inputs, and that."""
        now, store, inputs = self.pipeline, self.store, self._inputs(context)
        if inputs:
            shipment = run_version.of_inputs(inputs, now.name)
        else:
            shipment = run_version.begin(now, store, run, context)
        self.pipeline = run_version.pipeline_of(now, shipment, store, run)
        self.was_edited = self.pipeline is not now
        if self.was_edited:
            self.log.warning(
                "the notebook %s was saved since this run began: the run goes on with the version "
                "that it began with; trigger a new run for the one that there is now",
                now.document.path.name,
            )
            inputs = self._inputs(context)
            if inputs:
                run_version.of_inputs(inputs, now.name)
        return inputs, shipment

    # --- where

    @property
    def cluster(self) -> Cluster:
        """How the pods' cluster is reached."""
        conn_id = self.kubernetes_conn_id or settings.kubernetes_conn_id()
        return Cluster(conn_id, self.config_file, self.in_cluster, self.cluster_context)

    @cached_property
    def hook(self) -> "KubernetesHook":
        """The cluster's connection."""
        return cluster_hook(self.cluster)

    def _try_context(self, context: "Context") -> TryContext:
        tags = self.stage.settings if self.stage else StageSettings()
        return TryContext(self, self.cluster, self.pipeline, tags, context, self.observed)

    def _open_backend(self, name: str, context: "Context") -> StageBackend:
        return open_backend(name, self._try_context(context))

    def _open_store(self) -> "Store":
        """The store, which is waited for."""
        from podline.store.client import open_store, wait_for_stores

        self.patience = Patience(settings.store_patience(), partial(self.log.warning, "%s"))
        wait_for_stores(self.patience)
        return open_store()

    @property
    def _connection(self) -> "StoreConnection":
        """The store as a stage is told of it."""
        return replace(self.store.connection, team=self.team)

    # --- a try

    @tried_once
    def execute(self, context: "Context") -> Reference:
        """Run the cells on the backend that the run or the setting names.

        Returns:
            The reference of the result in the store, with its hash, metrics and phases.

        Raises:
            StageError: a cell failed, a value cannot be stored, or the process or pod died.
            TaskDeferred: the pod is made; `resume` does the rest.
        """
        self.observed = seen = Observed(Moments(execute=time.time()))
        name = _backend_name(context)
        self.backend = backend = self._open_backend(name, context)
        self.store = self._open_store()
        backend.prepare(self._connection)
        task = self._make_task(context)
        if self.was_edited:  # what a pod is goes by the notebook, too
            self.backend = backend = self._open_backend(name, context)
        seen.backend, seen.prefix = name, task.prefix
        self._say_not_applied(name, backend.not_applied)
        self.log.info("%s: runs on the backend %r", task.plan.stage, name)
        if context["ti"].try_number > 1:
            task = self._adopt(backend, task, context)
        if self.stage is not None and not self.was_edited:
            mine = self._try_context(context)
            backend.expect(partial(successors.next_stages, mine, self._plan_of))
        self.prefix = task.prefix
        if backend.can_leave and self._is_deferrable():
            self._leave(backend, task, context)
        return self._end(context, partial(backend.run, task, self._connection))

    @tried_once
    def resume(self, context: "Context", event: Any, noted: str, prefix: str) -> Reference:
        """Go on where the trigger of a deferred try ended; see `execute`.

        Args:
            context: Airflow's.
            event: the trigger's.
            noted: what was observed before: `Observed` as JSON.
            prefix: the folder in the store of the try that made the pod.
        """
        self.observed = seen = Observed.from_json(noted)
        seen.moments.resumed = time.time()
        self.prefix, self.store = prefix, self._open_store()
        self.backend = backend = self._open_backend(seen.backend, context)
        return self._end(context, partial(backend.finish, event))

    def trigger_lost(self, context: "Context") -> None:
        """End what nobody follows after a deferral that failed."""
        self.observed = Observed(Moments(resumed=time.time()), deferred=True)
        backend = self._open_backend(_backend_name(context), context)
        backend.abandon(TryKey.of(context["ti"]))

    def on_kill(self) -> None:
        """End the child or the pod when the task is, and any waiting for the store."""
        if self.patience is not None:
            self.patience.end()
        if self.backend is not None:
            self.backend.stop()

    # --- parts of a try

    def _say_not_applied(self, name: str, fields: tuple[str, ...]) -> None:
        given = self.stage.settings if self.stage else None
        if told := [field for field in fields if getattr(given, field, None)]:
            tags = ", ".join(told)
            self.log.warning("the backend %r does not apply the tags for: %s", name, tags)

    def _adopt(self, backend: StageBackend, task: StageTask, context: "Context") -> StageTask:
        """Take over what the try before left, if that lost its worker; returns what is done."""
        ti = context["ti"]
        adopted = backend.adopt(task, ti.try_number, ti.max_tries or 0)
        if adopted is None:
            return task
        number = TryKey.at(adopted.prefix).try_number
        self.log.info("adopted from try %s: its worker was lost", number)
        self.observed.moments.adopted, self.observed.adopted_from = time.time(), number
        return adopted

    def _leave(self, backend: StageBackend, task: StageTask, context: "Context") -> None:
        """Leave the worker until the stage has ended."""
        start, timeout = context["ti"].start_date, self.execution_timeout
        until = (start + timeout).timestamp() if start is not None and timeout is not None else None
        trigger, limit = backend.leave(task, self._connection, until)
        self.observed.deferred = True
        given = {"noted": self.observed.to_json(), "prefix": task.prefix}
        self.defer(trigger=trigger, method_name="resume", kwargs=given, timeout=limit)

    def _is_deferrable(self) -> bool:
        return settings.deferrable() if self.deferrable is None else bool(self.deferrable)

    def _end(self, context: "Context", run: Callable[[Log], str]) -> Reference:
        """Have the stage run to its end; `run` takes its output, and returns its result's hash."""
        assert self.backend is not None
        where = TryKey.at(self.prefix)
        try:
            digest = run(partial(self.log.info, "%s"))
            result = task_spec.read_result(self.store, where, digest)
            result = task_spec.explained(result, self.pipeline)
            self.observed.result = result
            if result.failure:
                why = self.backend.why_stopped() if result.failure.stopped else ""
                raise StageError(": ".join(filter(None, [why, task_spec.told(result.failure)])))
        except BaseException:
            self.backend.fail()
            raise
        return self._reference(where, digest, result, context)

    def _reference(
        self, where: TryKey, digest: str, result: StageResult, context: "Context"
    ) -> Reference:
        self.log.info("%s", task_spec.summary(result))
        if result.published:
            announce(result.published, self.store, context, self.team)
        adopted = where.try_number != context["ti"].try_number
        return {
            **task_spec.input_of(result, f"{self.prefix}/{RESULT}", digest),
            "metrics": {redacted(name): value for name, value in result.metrics.items()},
            "published": [{"name": one.name, "number": one.number} for one in result.published],
            "phases": {phase.name: phase.seconds for phase in result.phases},
            "executed_notebook": result.executed_notebook,
            "adopted_from_try": where.try_number if adopted else None,
        }


def _airflow_settings(tags: StageSettings) -> dict[str, Any]:
    """The parameters of an operator that a stage's tags give: how Airflow handles the task."""
    retry = tags.retry
    given = {
        "execution_timeout": _delta(tags.timeout),
        "retries": retry and retry.times,
        "retry_delay": _delta(retry and retry.interval),
        "retry_exponential_backoff": retry and retry.factor,
        "max_retry_delay": _delta(retry and retry.max_interval),
        "pool": tags.pool,
        "priority_weight": tags.priority_weight,
        "max_active_tis_per_dag": tags.max_active_tis_per_dag,
    }
    return {name: value for name, value in given.items() if value is not None}


def _delta(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _backend_name(context: "Context") -> str:
    return context["params"].get(BACKEND_PARAM) or settings.backend()


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _close(context: "Context") -> None:
    """See to the end of the process or pod of a try that succeeded."""
    if (backend := getattr(context["task"], "backend", None)) is not None:
        backend.close()


def _tidy(context: "Context") -> None:
    """Remove what lost tries have left, now that nobody waits for this one."""
    task: Any = context["task"]
    backend, store = getattr(task, "backend", None), getattr(task, "store", None)
    if backend is not None and store is not None:
        backend.tidy(store.hasty)


def _keep_pages(context: "Context") -> None:
    """Make pages of the run's executed notebooks, when no other stage is to follow."""
    from podline.operators.process import environment
    from podline.runner.html_export import make_pages_apart, make_pages_later

    task: Any = context["task"]
    last = not task.downstream_task_ids or context["ti"].state != "success"
    if task.prefix and last and settings.html():
        make = make_pages_apart if has_own_pod() else make_pages_later
        make(keys.run_of(task.prefix), environment(task.store.connection))


_AT_THE_END = {
    "on_success_callback": [_close, _keep_pages, _tidy],
    "on_failure_callback": [_keep_pages, _tidy],
    "on_retry_callback": [_keep_pages],
}
