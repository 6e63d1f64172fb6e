"""Runs a whole notebook without Airflow: its stages one after the other, as local processes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from podline.contract import ResultRef, StagePlan, StageResult
from podline.exceptions import StageError
from podline.models import tracking
from podline.notebooks.pipeline import Pipeline, Stage
from podline.operators import launching
from podline.operators.backends import ending
from podline.operators.launching import Shipment
from podline.operators.process import ProcessBackend
from podline.stages import RESULT
from podline.store import Store, keys
from podline.store.keys import TryKey


@dataclass
class LocalRun:
    """A run of a notebook by local processes.

    Attributes:
        results: the results so far, by stage.
        seconds: how long each stage took, from its start until its result was read.
    """

    pipeline: Pipeline
    store: Store
    parameters: dict[str, Any]
    run_id: str = field(default_factory=lambda: f"local__{datetime.now(UTC).isoformat()}")
    results: dict[str, StageResult] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._refs: dict[str, ResultRef] = {}

    def run(
        self,
        log: Callable[[str, str], object],
        change: Callable[[StagePlan], StagePlan] = lambda plan: plan,
    ) -> None:
        """Run all stages; `log` gets the stage and a line of its output.

        Raises:
            StageError: a stage failed; the others are not run.
        """
        shipment = self._ship()
        for stage in in_order(self.pipeline):
            plan = launching.plan_stage(self.pipeline, stage, self.parameters, shipment)
            inputs = [self._refs[p] for p in stage.parents if p in stage.ancestors]
            self._run(stage.name, change(plan), inputs, log)

    def run_baseline(self, log: Callable[[str, str], object]) -> None:
        """Run the whole notebook in one kernel.

        Raises:
            StageError: it failed.
        """
        shipment = self._ship()
        plan = launching.plan_baseline(self.pipeline, self.parameters, shipment)
        self._run(plan.stage, plan, [], log)

    def _ship(self) -> Shipment:
        run = keys.run_prefix(self.pipeline.name, self.run_id)
        return launching.ship(self.pipeline, self.store, run)

    def _run(
        self, name: str, plan: StagePlan, inputs: list[ResultRef], log: Callable[[str, str], object]
    ) -> None:
        nonce = keys.new_nonce()
        where = TryKey(self.pipeline.name, self.run_id, name, -1, 1, nonce)
        task = launching.make_task(plan, inputs, where)
        backend, start = ProcessBackend(), time.monotonic()
        with ending(backend):
            digest = backend.run(task, self.store.connection, lambda line: log(name, line))
            result = launching.read_result(self.store, task, digest)
            self.seconds[name] = time.monotonic() - start
        self.results[name] = result
        self._refs[name] = ResultRef(name, f"{task.prefix}/{RESULT}", digest)
        tracking.log_published(result.published, self.store)
        if result.failure:
            raise StageError(result.failure.message)


def in_order(pipeline: Pipeline) -> Iterator[Stage]:
    """Yield the stages so that each comes after those that it waits for."""
    done: set[str] = set()
    waiting = list(pipeline.stages)
    while waiting:
        stage = next(s for s in waiting if s.parents.keys() <= done)
        waiting.remove(stage)
        done.add(stage.name)
        yield stage
