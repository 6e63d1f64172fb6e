"""Runs one stage: fetch and verify, import, load, run the cells, dump, store, and say so.

A stage's cells must find all as if the cells above them had run in the same process. So the
order of steps matters:

1. the environment and `sys.path`, then imports and definitions: those may go by these;
2. other settings, since imports set them up; then objects; then generators, since loading a
   Keras model draws;
3. a snapshot of all that, the cells, and a second one, before anything is written: to write a
   model may draw as well.

    random.seed(1); model = keras.Sequential([...])    # stage 1
    model                                              # stage 2 loads it, and Keras draws a seed
    random.random()                                    # stage 3 must not notice

A stage checks the sha256 of all that it fetches against what the stages before noted of it. The
hash of its own result is in its last line of output, for whoever goes on from it.
"""

import contextlib
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from podline.contract import (
    PHASE_MARK,
    RESULT_MARK,
    Artifact,
    Carried,
    Failure,
    HeadNote,
    Heap,
    StageResult,
    StageTask,
)
from podline.exceptions import ArtifactError, CellFailed, PodlineError
from podline.files import full_disk, is_full
from podline.frameworks import versions
from podline.models import lineage
from podline.phases import StagePhase
from podline.runner import (
    child_processes,
    garbage,
    interpreter_state,
    race_check,
    termination_message,
    working_dir,
)
from podline.runner.asked_files import AskedFiles
from podline.runner.clock import Clock
from podline.runner.executed_notebook import executed_notebook
from podline.runner.head_start import HeadStart, import_names, is_import
from podline.runner.heap import Memory
from podline.runner.heap_dump import Pending, dump
from podline.runner.heap_merge import BY_THE_WAY
from podline.runner.heap_needs import Needs
from podline.runner.inputs import Inputs, parallel
from podline.runner.preamble import Preamble
from podline.runner.scratch import Scratch
from podline.secrecy import redacted
from podline.store import AlreadyExists, Store, StoreUnavailable, keys
from podline.store.keys import EXECUTED, RESULT
from podline.store.patience import Patience

_SAVE_AFTER = 5.0  # seconds that a cell takes, after which the notebook so far is stored
_MOMENT = 0.05  # seconds


class Terminated(BaseException):
    """SIGTERM came."""


class Runner:
    """One stage's try.

    Whatever ends it, a failing cell, SIGTERM or a defect, the result says so (`finish`); only
    where the store is away is there no place for a result.
    """

    def __init__(
        self,
        task: StageTask,
        store: Store,
        clock: Clock,
        patience: Patience,
        head: HeadStart | None = None,
        note: HeadNote | None = None,
    ) -> None:
        """Make the stage's folders, and begin to fetch what the stages before left.

        Args:
            task: what to do.
            store: where all that it reads and leaves is.
            clock: started when the process did.
            patience: the store's.
            head: what this process has done ahead, if it has.
            note: what is to be said of that, or of a process before it that this one replaced.
        """
        self.head, self.note = head, head.note if head else note
        self.task, self.plan, self.store, self.clock = task, task.plan, store, clock
        self.patience = patience
        self.source = "\n".join(cell.source for cell in self.plan.cells)
        self.folder = Scratch()
        self.work, self.scratch = self.folder.folder("work"), self.folder.folder("artifacts")
        self.log = os.dup(1)
        patience.say = self.say
        self.heap = Heap()
        self.bytes_out = self.saved = 0
        self.executed = ""
        self.metrics: dict[str, float] = {}
        self.lock = threading.Lock()
        self.finishing = False
        self.libraries: list[str] = []
        self.children: set[int] = set()  # processes that ran before the cells
        # On their way while IPython is imported, which takes a few tenths of a second.
        self.inputs = Inputs(task, store, self.work, self.scratch)
        from podline.runner.kernel import Kernel

        self.kernel = head.kernel if head else Kernel()
        self.asked = AskedFiles(self.work, self.kernel.line_at)

    def run(self) -> StageResult | None:
        """Run the stage; a failure is in the result. None: another thread has ended the stage.

        Raises:
            StoreError: the result cannot be stored.
        """
        self._end("boot")
        lineage.begin_stage(self.task.prefix, self.plan.notebook, self.plan.notebook_sha256)
        failure, heap = None, Heap()
        try:
            heap = self._run()
        except CellFailed as error:
            failure = Failure(error.message, error.cell, error.traceback, missing=self._missing())
        except StoreUnavailable:
            raise  # there is nowhere to say so
        except PodlineError as error:
            failure = Failure(str(error))
        except Terminated:
            failure = self.terminated()
        except Exception as error:  # a defect of ours must not be a silent end
            text = "".join(traceback.format_exception(error))
            why = (
                full_disk(self.folder.path)
                if is_full(error)
                else f"{type(error).__name__}: {error}"
            )
            failure = Failure(why, traceback=text)
        return self.finish(heap, failure)

    def _missing(self) -> tuple[str, ...]:
        """The paths that the cell missed which failed."""
        from podline.runner.missing_files import missing_paths  # most stages succeed

        error: BaseException | None = self.kernel.shell.error
        with contextlib.suppress(Exception):  # what is said of an error must not hide it
            return missing_paths(error, self.work) if error else ()
        return ()

    def terminated(self) -> Failure:
        """What to say of a stage that was told to stop."""
        running = self.kernel.current or (self.kernel.cells[-1] if self.kernel.cells else None)
        where = f" while cell {running.number} ran" if self.kernel.current and running else ""
        number = running.number if running else None
        return Failure(f"the stage was told to stop (SIGTERM){where}", number, stopped=True)

    def _run(self) -> Heap:
        needs, paths = self.inputs.fetch()
        self.heap = self.inputs.heap
        if self.head:
            self._go_on(self.head, needs)
        self._end("fetch")
        self._enter(paths)
        objects = Memory(self.plan, self.heap, self.kernel.namespace, str(self.work))
        self.asked.start(self.source)
        self._import(needs, objects.preamble)
        self.asked.active = False
        self.kernel.forget_outputs()
        self._end("imports")
        self.inputs.arrive()
        # The imports cells set up what later cells may have changed since.
        self._restore(paths, [n for n in self.heap.state if not interpreter_state.is_generator(n)])
        objects.load(needs, paths)
        self._restore(paths, [n for n in self.heap.state if interpreter_state.is_generator(n)])
        self.children = child_processes.running()
        before = working_dir.snapshot(self.work), self._state()
        modules = objects.module_prints(self.work)
        reading = race_check.Reading(self.work)
        if self.plan.beside:
            reading.start()
        self._end("load")
        self.asked.active = True
        try:
            self._run_cells(objects)
        finally:
            self._end("code")
            self.asked.active = False
            reading.active = False
        self._check_modules(modules, objects.module_prints(self.work))
        # First: writing a model may draw.
        after = working_dir.snapshot(self.work), self._state()
        states = interpreter_state.changes(before[1], after[1], self.source)
        written, deleted = working_dir.changes(before[0], after[0])
        working_dir.check_size(after[0], self.plan.files_limit)
        # An empty folder that has files now is there all the same.
        filled = {path for path in deleted if path.endswith("/") and (self.work / path).is_dir()}
        touched = {*written, *deleted} - filled
        notes = race_check.take(self.plan, before[1], after[1], [*touched], [*reading.paths])
        dumped = dump(objects, self.scratch)
        self.metrics = self._read_metrics()
        self._end("dump")
        if self.plan.beside:
            seen, altered = (tuple(sorted(ids)) for ids in (objects.seen(), objects.altered))
            notes = replace(notes, objects=seen, altered=altered)
            race_check.compare(self.task, self.store, notes)
        heap = self._store(dumped.pending, written, states)
        heap.objects.update(dumped.relabelled)
        for path in deleted:
            heap.files[path] = self._plain(("deleted", 0, ""), "deleted")
        return Heap(self.heap.names | dumped.bindings, heap.objects, heap.files, heap.state)

    def _go_on(self, head: HeadStart, needs: Needs) -> None:
        """Go on from what was done ahead, or begin anew."""
        if why := head.why_void(needs.preamble, filter(self._uses, self.heap.state), self.work):
            self.say(f"libraries are imported anew, not ahead: {why}")
            self.clean()
            head.begin_anew(self.task, self.clock.now(), why)
        head.environment.clear()  # it has the store's keys

    # -- imports and state

    def _enter(self, paths: dict[str, Path]) -> None:
        os.chdir(self.work)
        # As in Jupyter, modules beside the notebook can be imported.
        sys.path.insert(0, str(self.work))
        self._restore(paths, [name for name in self.heap.state if name in interpreter_state.FIRST])

    def _import(self, needs: Needs, preamble: Preamble) -> None:
        preamble.run(needs.preamble, self._run_statement)
        libraries = {library for o in needs.objects for library in self.heap.objects[o].libraries}
        libraries |= set(map(interpreter_state.module_of, filter(self._uses, self.heap.state)))
        self.libraries = sorted(libraries)
        for library in self.libraries:
            import_names(library)

    def _run_statement(self, statement: Carried) -> None:
        with garbage.resting() if is_import(statement) else contextlib.nullcontext():
            self.kernel.run_quietly(statement.cell, statement.line, statement.source)

    def _uses(self, name: str) -> bool:
        return interpreter_state.is_used(name, [cell.source for cell in self.plan.cells])

    def _restore(self, paths: dict[str, Path], names: Iterable[str]) -> None:
        for name in filter(self._uses, names):
            # The hash that the control plane holds vouched for the bytes.
            data = paths[self.heap.state[name].key].read_bytes()
            self.kernel.inside(interpreter_state.restore, name, data, self.work)

    def _state(self) -> interpreter_state.Snapshot:
        return self.kernel.inside(interpreter_state.snapshot, self.work)

    # -- cells

    def _check_modules(self, before: dict[str, str], after: dict[str, str]) -> None:
        """Refuse a change in a module: a later stage imports it afresh."""
        for name, value in after.items():
            if before.get(name, value) != value:
                raise ArtifactError(
                    f"the stage {self.plan.stage!r} changes {name}, a variable of a module, and "
                    "later stages import that module afresh. fix: keep the variable in the "
                    "notebook, and pass it to the module's functions; move a cached function "
                    "into a cell tagged functions"
                )

    def _run_cells(self, objects: Memory) -> None:
        for cell in self.plan.cells:
            with self.clock.cell(cell.number):
                executed = self.kernel.run(cell.number, cell.source, cell.count, cell.may_raise)
            objects.check_guards(cell.number)
            if executed.seconds > _SAVE_AFTER:
                self._save_so_far()
        objects.check_let_go()
        if not self.plan.last:
            self._check_ended()

    def _check_ended(self) -> None:
        """Refuse what goes on in the background: later cells would not see it go on."""
        if self._unfinished():
            time.sleep(_MOMENT)  # a worker that is done needs one to say so
        if running := self._unfinished():
            raise ArtifactError(
                f"the stage {self.plan.stage!r} ends while its {running[0]} is running, and the "
                "next stage is another process, where it would not go on. fix: wait for it in a "
                "cell of this stage, or end it there"
            )

    def _unfinished(self) -> list[str]:
        """What cells began and is still at work."""
        left = child_processes.left(self.kernel.namespace, self.kernel.scripts(), self.children)
        return self.kernel.unfinished() + [f"process {command!r}" for command in left]

    def _save_so_far(self) -> None:
        """Store the notebook as far as it came, unless the store is away: the cells go on."""
        try:
            self.save(f"executed-{self.saved}.ipynb", store=self.store.hasty)
        except StoreUnavailable as error:
            self.say(f"the notebook as far as it came is not stored: {error}")
        self.saved += 1

    def save(self, name: str, failure: str = "", store: Store | None = None) -> None:
        """Store the executed notebook as it is now.

        Args:
            name: its name in the try's folder.
            failure: why the stage failed.
            store: by default the stage's, which is waited for.
        """
        data = executed_notebook(self.plan, self.kernel.cells, failure)
        key = f"{self.task.prefix}/{name}"
        (store or self.store).put_same(key, data)
        with self.lock:
            self.executed = key
            self.bytes_out += len(data)

    def _read_metrics(self) -> dict[str, float]:
        metrics = {}
        for name in self.plan.metrics:
            value: Any = self.kernel.namespace.get(name)
            items: Any = value.items() if isinstance(value, dict) else [(name, value)]
            for key, item in items:
                if hasattr(item, "item") and getattr(item, "size", 1) == 1:
                    item = item.item()
                if isinstance(item, int | float):
                    metrics[str(key)] = float(item)
        return metrics

    # -- store

    def _store(self, pending: list[Pending], written: list[str], states: dict[str, bytes]) -> Heap:
        """Store what the stage made, and beside it the executed notebook.

        Args:
            pending: the written objects.
            written: paths below the working directory that are new or changed.
            states: what else changed, as bytes by its kind.

        Returns:
            The heap as the next stage gets it, but for names and deleted files.
        """
        heap = Heap({}, dict(self.heap.objects), dict(self.heap.files), dict(self.heap.state))
        made = [path for item in pending for path in (item.path, *item.pictures)]
        uploads = {f"artifacts/{path.name}": path for path in made}
        kinds = {name: working_dir.kind_of(self.work / name) for name in written}
        uploads |= {f"files/{n}": self.work / n for n, kind in kinds.items() if kind == "file"}
        for number, (name, data) in enumerate(states.items()):
            path = uploads[_state_file(name)] = self.scratch / f"state-{number}.pickle"
            path.write_bytes(data)
        jobs = [partial(self._upload, *upload) for upload in uploads.items()]
        results = parallel([*jobs, partial(self.save, EXECUTED)])
        stored = dict(zip(uploads, results, strict=False))
        for item in pending:
            artifact = item.artifact(*stored[f"artifacts/{item.path.name}"])
            heap.objects.update(dict.fromkeys(item.objects, artifact))
        for name, kind in kinds.items():
            about = working_dir.describe(self.work / name, self.work)
            content = stored.get(f"files/{name}", (about or kind, 0, ""))
            heap.files[name] = self._plain(content, kind, about)
        for name in states:
            meant = "" if interpreter_state.deliberate(name, self.source) else BY_THE_WAY
            heap.state[name] = self._plain(stored[_state_file(name)], "state", meant)
        return heap

    def _upload(self, name: str, path: Path) -> tuple[str, int, str]:
        key = "/".join([self.task.prefix, *(keys.quoted(part) for part in name.split("/"))])
        size = path.stat().st_size
        digest = self.store.put_same(key, path)
        with self.lock:
            self.bytes_out += size
        return key, size, digest

    def _plain(self, stored: tuple[str, int, str], kind: str, type_: str = "") -> Artifact:
        key, size, digest = stored
        plan = self.plan
        return Artifact(key, kind, size, digest, plan.stage, plan.last_cell, type_)

    # -- the end

    def finish(self, heap: Heap, failure: Failure | None) -> StageResult | None:
        """Store the executed notebook and the result; print the last line.

        Happens once: None where another thread is at it.
        """
        with self.lock:
            if self.finishing:
                return None
            self.finishing = True
        if failure is not None:
            message, trace = redacted(failure.message), redacted(failure.traceback)
            missing = tuple(map(redacted, failure.missing))
            failure = replace(failure, message=message, traceback=trace, missing=missing)
        if not self.executed.endswith(f"/{EXECUTED}"):
            with contextlib.suppress(AlreadyExists):  # SIGTERM came while `_store` was at it
                self.save(EXECUTED, failure.message if failure else "")
            self.executed = f"{self.task.prefix}/{EXECUTED}"
        self.clock.end("store")
        result = StageResult(
            stage=self.plan.stage,
            nonce=self.task.nonce,
            plan_sha256=self.plan.digest,
            notebook_sha256=self.plan.notebook_sha256,
            files=self.plan.files,
            succeeded=failure is None,
            heap=heap,
            phases=tuple(self.clock.phases),
            cells=tuple(self.clock.cells),
            metrics=self.metrics,
            bytes_in=self.inputs.bytes,
            bytes_out=self.bytes_out,
            executed_notebook=self.executed,
            peak_memory=_peak_memory(),
            started=self.clock.started,
            failure=failure,
            versions=versions(_REPORTED),
            data=lineage.data(),
            published=tuple(lineage.published),
            missing={redacted(path): where for path, where in self.asked.missing.items()},
            libraries=tuple(self.libraries),
            ahead=self.note,
        )
        data = result.to_json().encode()
        digest = self.store.put_same(f"{self.task.prefix}/{RESULT}", data)
        line = f"{RESULT_MARK} {self.task.nonce} {digest} {self.clock.wall():.6f}"
        self.tell(line)
        return result

    def _end(self, phase: StagePhase) -> None:
        """End a phase, and say so to who follows the stage."""
        self.clock.end(phase)
        with contextlib.suppress(OSError):  # nobody does
            self.say(f"{PHASE_MARK} {self.task.nonce} {phase} {self.clock.wall():.6f}")

    def tell(self, line: str) -> None:
        """Say a stage's last line, in the log and to the cluster."""
        termination_message.leave(line)
        self.say(line)

    def say(self, line: str) -> None:
        """Write a line of our own to the log, whatever the notebook made of its streams."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        # A cell may have left a line unfinished.
        os.write(self.log, f"\n{line}\n".encode())

    def clean(self) -> None:
        """Remove the stage's folder, and let go of the log."""
        os.close(self.log)
        os.chdir("/")
        self.folder.remove()


def _state_file(name: str) -> str:
    return f"state/{name.replace('/', '%')}.pickle"


_REPORTED = ("numpy", "pandas", "sklearn", "tensorflow", "keras", "pyarrow", "IPython")


def _peak_memory() -> int:
    """The most that this process held, in bytes.

    getrusage knows no less than what the parent held when it started this process.
    """
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
