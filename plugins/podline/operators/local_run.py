"""Runs a whole notebook without Airflow: its stages one after the other, as local processes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podline.compiler.pipeline import Pipeline
from podline.contract import ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import StageError
from podline.models import mlflow_tracking
from podline.operators import task_spec
from podline.operators.backend import ending
from podline.operators.process import ProcessBackend
from podline.operators.task_spec import Shipment, Values
from podline.store import Store, keys
from podline.store.keys import RESULT, TryKey

Log = Callable[[str, str], object]  # takes a stage's name and a line of its output


@dataclass
class LocalRun:
    """A run of a notebook by local processes.

    Attributes:
        results: the results so far, by stage.
        seconds: how long each stage took, from its start until its result was read.
    """

    pipeline: Pipeline
    store: Store
    parameters: Values
    run_id: str = field(default_factory=lambda: f"local__{datetime.now(UTC).isoformat()}")
    results: dict[str, StageResult] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    _refs: dict[str, ResultRef] = field(default_factory=dict, init=False)

    def run(self, log: Log, change: Callable[[StagePlan], StagePlan] = lambda plan: plan) -> None:
        """Run all stages.

        Args:
            log: takes their output.
            change: gives the plan that is run instead of a stage's own.

        Raises:
            StageError: a stage failed; the others are not run.
        """
        shipment = self._ship()
        for stage in self.pipeline.in_order():
            plan = task_spec.plan_stage(self.pipeline, stage, self.parameters, shipment)
            inputs = [self._refs[p] for p in stage.parents if p in stage.ancestors]
            self._run(stage.name, change(plan), inputs, log)

    def run_baseline(self, log: Log) -> None:
        """Run the whole notebook in one kernel.

        Raises:
            StageError: it failed.
        """
        shipment = self._ship()
        plan = task_spec.plan_baseline(self.pipeline, self.parameters, shipment)
        self._run(plan.stage, plan, [], log)

    def _ship(self) -> Shipment:
        run = keys.run_prefix(self.pipeline.name, self.run_id)
        return task_spec.ship(self.pipeline, self.store, run, self.parameters.values())

    def _run(self, name: str, plan: StagePlan, inputs: list[ResultRef], log: Log) -> None:
        where = TryKey(self.pipeline.name, self.run_id, name, -1, 1, keys.new_nonce())
        task = StageTask(plan, tuple(inputs), where.prefix, where.nonce)
        backend, start = ProcessBackend(), time.monotonic()
        with ending(backend):
            digest = backend.run(task, self.store.connection, lambda line: log(name, line))
            found = task_spec.read_result(self.store, task, digest)
            result = task_spec.explained(found, self.pipeline)
            self.seconds[name] = time.monotonic() - start
        self.results[name] = result
        self._refs[name] = ResultRef(name, f"{task.prefix}/{RESULT}", digest)
        mlflow_tracking.log_published(result.published, self.store)
        if result.failure:
            raise StageError(result.failure.message)
