"""Runs a whole notebook without Airflow: its stages as local processes, side by side as they may.

As under Airflow a stage starts when those that it waits for have ended, is tried again as its
``retry:`` says, and is stopped when its ``timeout:`` is over.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter

from podline import settings
from podline.compiler.dag_id import dag_id
from podline.compiler.pipeline import Pipeline
from podline.compiler.tags import StageSettings
from podline.contract import Preparation, ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import StageError
from podline.latency import stage_profile
from podline.latency.stage_profile import Sample
from podline.models import mlflow_tracking
from podline.operators import task_spec
from podline.operators.backend import ending
from podline.operators.process import ProcessBackend
from podline.operators.task_spec import Shipment, Values
from podline.settings import Backend
from podline.store import Store, StoreError, keys
from podline.store.keys import RESULT, TryKey

Log = Callable[[str, str], object]  # takes a stage's name and a line of its output
Ended = Callable[[str, float, bool], object]  # takes a stage's name, seconds, whether it succeeded


@dataclass
class LocalRun:
    """A run of a notebook by local processes.

    Attributes:
        results: the results so far, by stage.
        seconds: how long the last try of each stage took, until its result was read.
        ended: is told of each try that has ended, in the thread that followed it.
    """

    pipeline: Pipeline
    store: Store
    parameters: Values
    run_id: str = field(default_factory=lambda: f"local__{datetime.now(UTC).isoformat()}")
    results: dict[str, StageResult] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    ended: Ended = lambda *_: None
    _refs: dict[str, ResultRef] = field(default_factory=dict, init=False)
    _running: dict[str, ProcessBackend] = field(default_factory=dict, init=False)
    _ahead: dict[str, ProcessBackend] = field(default_factory=dict, init=False)
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    @property
    def dag_id(self) -> str:
        """What its runs in the store are called: as the DAG of who the store's key is for."""
        prefix = keys.team_prefix(self.store.connection.team)
        return dag_id(self.pipeline.document.path, prefix)

    def run(self, log: Log, change: Callable[[StagePlan], StagePlan] = lambda plan: plan) -> None:
        """Run all stages, as many at once as there are processors.

        Args:
            log: takes their output, in the threads that follow them.
            change: gives the plan that is run instead of a stage's own, when it begins.

        Raises:
            StageError: a stage failed; those that ran beside it were run to their end.
        """
        shipment = self._ship()
        waiting = TopologicalSorter({s.name: s.parents for s in self.pipeline.stages})
        waiting.prepare()
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(os.cpu_count()) as pool, self._stopping(), self._sorting():
            while waiting.is_active():
                for name in sorted(waiting.get_ready(), key=lambda n: self.pipeline.stage(n).order):
                    running[pool.submit(self._stage, name, shipment, change, log)] = name
                self._begin_ahead({*list(self.results), *running.values()}, shipment)
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    if ended.exception():
                        wait(running)
                    ended.result()
                    waiting.done(running.pop(ended))

    def run_baseline(self, log: Log) -> None:
        """Run the whole notebook in one kernel.

        Raises:
            StageError: it failed.
        """
        plan = task_spec.plan_baseline(self.pipeline, self.parameters, self._ship())
        self._try(plan, [], log, 1, None)

    def _ship(self) -> Shipment:
        run = keys.run_prefix(self.dag_id, self.run_id)
        return task_spec.ship(self.pipeline, self.store, run, self.parameters.values())

    def _begin_ahead(self, begun: set[str], shipment: Shipment) -> None:
        """Start the processes of the stages that are due next, as far as the setting says.

        The kernel ends a child with the thread that started it: this is the run's own.
        """
        for stage in self.pipeline.in_order():
            due = stage.name not in begun | self._ahead.keys() and stage.parents.keys() <= begun
            tag = stage.settings.ahead
            if due and len(self._ahead) < (settings.ahead() if tag is None else tag):
                backend = self._ahead[stage.name] = ProcessBackend()
                plan = task_spec.plan_stage(self.pipeline, stage, self.parameters, shipment)
                known = stage_profile.libraries_of(self.store, self.dag_id, stage.name)
                self._known[stage.name] = known
                backend.begin_ahead(Preparation(plan, known), self.store.connection)

    @contextmanager
    def _sorting(self) -> Iterator[None]:
        """Have the results in the order in which the stages could run one after the other."""
        try:
            yield
        finally:
            order = [stage.name for stage in self.pipeline.in_order()]
            self.results = dict(sorted(self.results.items(), key=lambda r: order.index(r[0])))
            for backend in self._ahead.values():
                backend.stop()

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Have what runs end soon where this thread is told to stop."""
        try:
            yield
        except StageError:
            raise
        except BaseException:
            self._stopped.set()
            for backend in [*self._running.values(), *self._ahead.values()]:
                backend.interrupt()
            raise

    def _stage(
        self, name: str, shipment: Shipment, change: Callable[[StagePlan], StagePlan], log: Log
    ) -> None:
        """Run a stage, again as often as its tags say."""
        stage = self.pipeline.stage(name)
        inputs = [self._refs[p] for p in stage.parents if p in stage.ancestors]
        plan = change(task_spec.plan_stage(self.pipeline, stage, self.parameters, shipment))
        waits = [*_waits(stage.settings, self.pipeline.settings.retries)]
        for number, seconds in enumerate(waits, 1):
            try:
                return self._try(plan, inputs, log, number, stage.settings.timeout)
            except StageError as error:
                log(name, f"try {number} of {len(waits) + 1} failed: {error}")
                log(name, f"it is tried again in {seconds:g} s")
                if self._stopped.wait(seconds):
                    raise
        return self._try(plan, inputs, log, len(waits) + 1, stage.settings.timeout)

    def _try(
        self, plan: StagePlan, inputs: list[ResultRef], log: Log, number: int, limit: float | None
    ) -> None:
        backend = self._ahead.pop(plan.stage, None) or ProcessBackend()
        self._running[plan.stage] = backend
        try:
            if self._stopped.is_set():
                raise StageError(f"the stage {plan.stage!r} was not begun: the run was stopped")
            with self._timed(plan.stage), _limited(backend, plan.stage, limit):
                self._follow(backend, plan, inputs, log, number)
        finally:
            del self._running[plan.stage]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start, succeeded = time.monotonic(), False
        self.seconds.pop(stage, None)
        try:
            yield
            succeeded = True
        finally:
            seconds = self.seconds.setdefault(stage, time.monotonic() - start)
            self.ended(stage, seconds, succeeded)

    def _follow(
        self,
        backend: ProcessBackend,
        plan: StagePlan,
        inputs: list[ResultRef],
        log: Log,
        number: int,
    ) -> None:
        name, start = plan.stage, time.monotonic()
        where = TryKey(self.dag_id, self.run_id, name, -1, number, keys.new_nonce())
        task = StageTask(plan, tuple(inputs), where.prefix, where.nonce)
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
        if self._known.get(name, result.libraries) != result.libraries:
            self._note(where, plan, result)

    def _note(self, where: TryKey, plan: StagePlan, result: StageResult) -> None:
        """Note what a stage's inputs asked for, for who begins it ahead in the next run."""
        seconds = self.seconds[plan.stage]
        sample = Sample(plan.parameters, seconds, 0.0, result.libraries, Backend.PROCESS.value)
        with suppress(StoreError):  # it is a hint
            stage_profile.note(self.store.hasty, where, sample)


def _waits(tags: StageSettings, default: int) -> Iterator[float]:
    """The seconds before each further try; at once where no tag says how long."""
    times = tags.retry.times if tags.retry else default
    for number in range(times):
        if tags.retry is None:
            yield 0.0
            continue
        seconds = (tags.retry.interval or 0.0) * (tags.retry.factor or 1.0) ** number
        yield min(seconds, tags.retry.max_interval or seconds)


@contextmanager
def _limited(backend: ProcessBackend, stage: str, seconds: float | None) -> Iterator[None]:
    """Stop a stage whose time is over, and say so."""
    if seconds is None:
        yield
        return
    over = threading.Event()

    def end() -> None:
        over.set()
        backend.interrupt()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    except StageError as error:
        if over.is_set():
            raise StageError(
                f"the stage {stage!r} was stopped: its timeout of {seconds:g} s was over. fix: "
                "give it more with the tag timeout:, or less to do"
            ) from error
        raise
    finally:
        timer.cancel()
