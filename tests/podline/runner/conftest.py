"""Plans of a few cells, and ways to run them: in this process, and as real stages."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from podline.contract import Carried, CellSource, Heap, ResultRef, StagePlan, StageResult, StageTask
from podline.exceptions import PodlineError
from podline.operators.process import ProcessBackend
from podline.operators.task_spec import read_result
from podline.runner.heap import Memory
from podline.runner.heap_dump import dump
from podline.runner.heap_needs import needs_of
from podline.runner.pickling import Namespace
from podline.store import Store
from podline.store.keys import RESULT


def make_plan(*cells: str, name: str = "stage", **changes: Any) -> StagePlan:
    """A plan of cells; `reads` and `hands_on` as texts, names separated by spaces."""
    for field_ in ("reads", "hands_on", "metrics", "later_modules"):
        if isinstance(changes.get(field_), str):
            changes[field_] = tuple(changes[field_].split())
    sources = tuple(CellSource(number, source) for number, source in enumerate(cells, start=1))
    # Of all between the cells and the limit: from `reads` to `files`.
    nothing: Any = ((), (), {}, (), (), (), {}, {})
    plan = StagePlan("example", "0" * 64, name, 0, {}, sources, *nothing, files_limit=10**9)
    return replace(plan, **changes)


def carry(source: str, binds: str, reads: str = "", value: bool = False, cell: int = 0) -> Carried:
    """A carried statement that is needed where one of its names is."""
    names = tuple(binds.split())
    return Carried(cell, 1, source, names, tuple(reads.split()), names, value)


# --- in this process ----------------------------------------------------------------------------


@dataclass
class Left:
    """What a stage left: the heap, its namespace, and the files by their artifacts' keys."""

    heap: Heap
    namespace: Namespace
    files: dict[str, Path]
    kinds: dict[str, str]
    memory: Memory


@dataclass
class Chain:
    """Runs stages one after the other, as the runner does, with folders as the store."""

    folder: Path
    carried: tuple[Carried, ...] = ()
    heap: Heap = field(default_factory=Heap)
    files: dict[str, Path] = field(default_factory=dict)
    order: int = 0

    def stage(self, source: str, reads: str = "", hands_on: str = "", **changes: Any) -> Left:
        """Run a stage that goes on from the one before."""
        self.order += 1
        changes |= {"order": self.order, "carried": self.carried}
        plan = make_plan(name=f"s{self.order}", reads=reads, hands_on=hands_on, **changes)
        plan = replace(plan, cells=(CellSource(self.order, source),))
        namespace: Namespace = {"__name__": "__main__"}
        work = self.folder / f"work{self.order}"
        scratch = self.folder / f"scratch{self.order}"
        work.mkdir()
        scratch.mkdir()
        namespace["HERE"] = str(work)
        needs = needs_of(plan, self.heap)
        objects = Memory(plan, self.heap, namespace, str(work))
        objects.preamble.run(needs.preamble, lambda c: exec(c.source, namespace))
        fetched = [artifact.key for artifact in needs.artifacts(self.heap)]
        objects.load(needs, {key: self.files[key] for key in fetched})
        exec(source, namespace)
        objects.check_guards(self.order)
        objects.check_let_go()
        dumped = dump(objects, scratch)
        added, kinds = {}, {}
        for item in dumped.pending:
            key = f"s{self.order}/{item.path.name}"
            self.files[key] = item.path
            artifact = item.artifact(key, item.path.stat().st_size, "")
            added.update(dict.fromkeys(item.objects, artifact))
            kinds[item.name] = artifact.kind
        self.heap = replace(
            self.heap,
            names=self.heap.names | dumped.bindings,
            objects=self.heap.objects | added | dumped.relabelled,
        )
        return Left(self.heap, namespace, self.files, kinds, objects)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


# --- as real stages -----------------------------------------------------------------------------


@dataclass
class Ran:
    """A stage that was run as a process: its output, its result or else the error."""

    task: StageTask
    lines: list[str]
    digest: str = ""
    result: StageResult | None = None
    error: str = ""
    final: bool = False

    @property
    def ok(self) -> StageResult:
        """The result of a stage that must have succeeded."""
        assert self.result is not None, (self.error, self.lines)
        assert self.result.failure is None, (self.result.failure, self.lines)
        return self.result

    @property
    def failure(self) -> str:
        """The message of a stage that must have failed and said why."""
        assert self.result is not None, (self.error, self.lines)
        assert self.result.failure is not None
        assert not self.result.succeeded
        return self.result.failure.message

    @property
    def ref(self) -> ResultRef:
        return ResultRef(self.task.plan.stage, f"{self.task.prefix}/{RESULT}", self.digest)


@dataclass
class Stages:
    """Runs stages as processes of this machine, with a real store."""

    store: Store

    def task(self, plan: StagePlan, after: Sequence[Ran] = ()) -> StageTask:
        ancestors: dict[str, tuple[str, ...]] = {}
        for ran in after:
            above = ran.task.plan.ancestors
            ancestors |= above | {ran.task.plan.stage: tuple(above)}
        plan = replace(plan, ancestors=ancestors, order=len(ancestors))
        nonce = secrets.token_hex(8)
        prefix = f"runs/example/r/{plan.stage}/-1/1-{nonce}"
        return StageTask(plan, tuple(ran.ref for ran in after), prefix, nonce)

    def run(self, *cells: str, after: Sequence[Ran] = (), **changes: Any) -> Ran:
        return self.run_task(self.task(make_plan(*cells, **changes), after))

    def run_task(
        self,
        task: StageTask,
        backend: ProcessBackend | None = None,
        on_line: Callable[[str], object] = lambda line: None,
    ) -> Ran:
        backend = backend or ProcessBackend()
        ran = Ran(task, [])

        def log(line: str) -> None:
            ran.lines.append(line)
            on_line(line)

        try:
            ran.digest = backend.run(task, self.store.connection, log)
            ran.result = read_result(self.store, task, ran.digest)
        except PodlineError as error:
            ran.error, ran.final = str(error), error.final
        finally:
            backend.close()
        return ran


@pytest.fixture
def stages(store: Store) -> Stages:
    return Stages(store)
