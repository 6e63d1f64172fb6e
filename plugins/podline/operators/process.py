"""The backend `process`: a stage as a child process on this machine."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from podline.compiler.tags import OF_PODS
from podline.contract import (
    AHEAD_VARIABLE,
    FINAL_EXIT,
    ON_INPUT,
    PARENT_VARIABLE,
    Preparation,
    StagePlan,
    StageTask,
)
from podline.exceptions import PodlineError, StageError
from podline.files import CODE, searched_first
from podline.latency.observations import Moments, Observed, PodAhead
from podline.operators import successors
from podline.operators.backend import Log, StageBackend, TryContext, stage_variables
from podline.operators.log_lines import Transcript, readable_lines
from podline.operators.process_ahead import AheadProcesses, KeptProcess
from podline.operators.successors import NextStage
from podline.store import StoreConnection

Child = subprocess.Popen[bytes] | KeptProcess

_STOP_GRACE = 5.0  # seconds from SIGTERM to SIGKILL
_LAST_WORDS = 1.0  # seconds in which the output of a dead process must have come


def open_backend(wanted: TryContext) -> "ProcessBackend":
    """The backend for one try."""
    return ProcessBackend(wanted.seen, wanted)


class ProcessBackend(StageBackend):
    """Runs a try of a stage as a child process.

    Args:
        seen: takes the times of what happens.
        wanted: the try under Airflow; None: there is no Airflow.
    """

    not_applied = OF_PODS

    def __init__(self, seen: Observed | None = None, wanted: TryContext | None = None) -> None:
        self.process: Child | None = None
        self._lock, self._interrupted = threading.Lock(), False
        self.seen = seen = seen or Observed()
        self.moments, self.ended = seen.moments, seen.ended
        self._wanted = wanted
        self._ahead: AheadProcesses | None = None
        self._following: Callable[[], Sequence[NextStage]] = tuple

    def expect(self, following: Callable[[], Sequence[NextStage]]) -> None:
        self._following = following

    def begin_ahead(self, prepared: Preparation, connection: StoreConnection) -> None:
        """Start the process of a stage that is not due yet: it imports its libraries, and waits.

        Args:
            prepared: what it gets before its task.
            connection: of the store.
        """
        with contextlib.suppress(StageError):  # it was stopped
            process = self._begin(prepared.plan.stage, connection, {AHEAD_VARIABLE: ON_INPUT})
            _write(process, prepared.to_json() + "\n")

    def run(self, task: StageTask, connection: StoreConnection, log: Log) -> str:
        """Run a stage in a process, one that was begun ahead if there is one.

        See `StageBackend.run`.

        Args:
            task: what it is to do.
            connection: of the store, for the process's environment.
            log: takes its output, line by line.

        Raises:
            StageError: the process ended without a result.
        """
        kills = _memory_kills()
        self.moments.created = time.time()
        process = self._given(task, connection)
        self._begin_following(connection)
        transcript = Transcript(task.plan.stage, task.nonce, log, self.ended)
        try:
            for line in readable_lines(_chunks(process, self.moments)):
                if stored := transcript.hear(line):
                    self.moments.stored = stored.at
                    return stored.digest
        finally:
            self.moments.heard = time.time()
        why = _death(task, process, kills, transcript.last)
        raise StageError(why, final=process.returncode == FINAL_EXIT)

    def _begin(
        self, stage: str, connection: StoreConnection, more: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        """Start a process.

        Args:
            stage: whose.
            connection: of the store, for its environment.
            more: of its environment.

        Raises:
            StageError: the stage was stopped before.
        """
        parent = {PARENT_VARIABLE: str(os.getpid())}
        with self._lock:
            if self._interrupted:
                raise StageError(f"the stage {stage!r} was not begun: it was stopped")
            self.moments.gone = None
            self.process = subprocess.Popen(
                [sys.executable, "-m", "podline.runner"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**environment(connection), **parent, **more},
                start_new_session=True,  # a signal to the terminal is ours to pass on
            )
            return self.process

    def _given(self, task: StageTask, connection: StoreConnection) -> Child:
        """A process that has the task: one that waited for it, or else a fresh one."""
        waited = self.process or self._claimed(task.plan, connection)
        process = waited or self._begin(task.plan.stage, connection)
        if not _write(process, task.to_json()) and waited:
            self.close()
            self.seen.ahead = None
            process = self._begin(task.plan.stage, connection)
            _write(process, task.to_json())
        _close(process.stdin)
        return process

    def _claimed(self, plan: StagePlan, connection: StoreConnection) -> KeptProcess | None:
        """The process that an earlier task of the run has begun for this one."""
        if self._wanted is None:
            return None
        operator: Any = self._wanted.operator
        if operator.stage is None or not successors.steps_ahead(operator, self._wanted.context):
            return None
        if self._wanted.context["ti"].map_index in (None, -1):
            self.seen.parameters = plan.parameters  # so that its profile is noted
        if not (kept := self._processes(connection).claim(plan)):
            return None
        self.seen.ahead = PodAhead(kept.made, time.time(), {})
        with self._lock:
            self.process = kept
            if self._interrupted:
                kept.terminate()
        return kept

    def _processes(self, connection: StoreConnection) -> AheadProcesses:
        """Those of the run on this machine."""
        assert self._wanted
        if self._ahead is None:
            variables = environment(connection)
            self._ahead = AheadProcesses(self._wanted.context, connection, variables)
        return self._ahead

    def _begin_following(self, connection: StoreConnection) -> None:
        """Begin with the stages that follow, beside this one."""
        try:
            stages = self._following()
        except PodlineError as error:  # of theirs to tell
            assert self._wanted
            self._wanted.operator.log.info("no process is begun ahead: %s", error)
            return
        if stages:
            begin = self._processes(connection).begin
            threading.Thread(target=begin, args=(stages,), daemon=True).start()

    def interrupt(self) -> None:
        """Have `run`, in another thread, come to its end: SIGTERM, and SIGKILL after a while."""
        with self._lock:
            self._interrupted = True
            if self.process is not None:
                self.process.terminate()
                killer = threading.Timer(_STOP_GRACE, self.process.kill)
                killer.daemon = True
                killer.start()

    def stop(self) -> None:
        """End the stage, by SIGTERM or else SIGKILL, and what waits for those that follow it."""
        if self.process is not None:
            self.process.terminate()
            self.close()
        if self._ahead is not None:
            self._ahead.end()

    def close(self) -> None:
        """Wait for the end of a process that has nothing left to do, or see to it."""
        if self.process is None:
            return
        try:
            self.process.wait(_STOP_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.moments.gone = self.moments.gone or time.time()
        _end_group(self.process)
        for stream in (self.process.stdin, self.process.stdout):
            _close(stream)


def _write(process: Child, text: str) -> bool:
    """Write to a process; False: it has ended, which its output explains."""
    assert process.stdin
    try:
        process.stdin.write(text.encode())
        process.stdin.flush()
    except BrokenPipeError:
        return False
    return True


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(BrokenPipeError):  # of what was not written to the end
            stream.close()


def environment(connection: StoreConnection) -> dict[str, str]:
    """The environment of a stage's process: ours, without what is Airflow's own."""
    # The task's own channel to Airflow is none of the notebook's business.
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "_AIRFLOW"))}
    settings = {k: v for k, v in os.environ.items() if k.startswith("AIRFLOW__PODLINE__")}
    return {
        **ours,
        **settings,
        **connection.to_env(),
        **stage_variables(connection.conn_id),
        "PYTHONPATH": searched_first(CODE, "PYTHONPATH"),
        # TensorFlow's notes about the processor would fill the log of each stage.
        "TF_CPP_MIN_LOG_LEVEL": ours.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }


def _chunks(process: Child, moments: Moments) -> Iterator[bytes]:
    """Yield the process's output until its end, or its own: children may hold the pipe open."""
    assert process.stdout
    stream = process.stdout.fileno()
    ended, note = os.pipe()

    def wait() -> None:
        process.wait()
        moments.gone = time.time()
        os.close(note)

    threading.Thread(target=wait, daemon=True).start()
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(stream, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            timeout = None
            while ready := {key.fd for key, _ in selector.select(timeout)}:
                if ended in ready:
                    selector.unregister(ended)
                    _end_group(process)
                    timeout = _LAST_WORDS
                if stream in ready:
                    chunk = os.read(stream, 65536)
                    if not chunk:
                        return
                    yield chunk
        finally:
            os.close(ended)


def _end_group(process: Child) -> None:
    """End the processes that a stage, which has ended, left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _memory_kills() -> int:
    """How often the kernel killed a process of this control group for want of memory."""
    with contextlib.suppress(OSError, LookupError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return _count_in(Path("/sys/fs/cgroup", line[3:].lstrip("/"), "memory.events"))
    return _machine_kills()


def _machine_kills() -> int:
    """The same of the whole machine."""
    with contextlib.suppress(OSError, LookupError):
        return _count_in(Path("/proc/vmstat"))
    return 0


def _count_in(path: Path) -> int:
    """Read the kernel's count of processes that it killed for want of memory."""
    counts = dict(line.split() for line in path.read_text().splitlines())
    return int(counts["oom_kill"])


def _death(task: StageTask, process: Child, kills: int, last: str) -> str:
    """Say how a process ended that left no result; `last` is the last line that it wrote."""
    code = process.wait()
    stage = f"the stage {task.plan.stage!r}"
    if code >= 0:
        return f"{stage} ended with exit code {code} and left no result; its last line: {last}"
    name = signal.Signals(-code).name
    if -code != signal.SIGKILL:
        return f"{stage} was killed by the signal {name}"
    if _memory_kills() > kills:
        return (
            f"{stage} was killed by the kernel because memory ran out ({name}). fix: take fewer "
            "rows, free what is not needed, or give the machine more memory"
        )
    return f"{stage} was killed by the signal {name}; memory was not the reason"
