"""Local processes that are begun before their stage is due, under Airflow.

The task that begins one ends before the next one starts: a keeper holds the process meanwhile
(`runner/process_keeper`), behind a socket in a folder that only this account can enter. Where the
next task runs on another machine there is no such socket, and it begins its own process.
"""

import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from podline.contract import Preparation, StagePlan
from podline.operators import run_version
from podline.operators.successors import LONGEST_WAIT, NextStage
from podline.runner.process_keeper import Kept
from podline.store import StoreConnection
from podline.store.keys import TryKey

_HANDED_OVER = 1.0  # seconds in which a keeper answers; else a process is begun afresh
_END = b"-"  # what no process is


class KeptProcess:
    """A process whose parent is its keeper, with what a backend asks of `subprocess.Popen`.

    Args:
        keeper: the connection to it.
        pid: the process's.
        made: when it was begun (epoch).
        pipes: descriptors of its standard input and output.
    """

    def __init__(self, keeper: socket.socket, pid: int, made: float, pipes: Sequence[int]) -> None:
        self.pid, self.made = pid, made
        self.stdin: IO[bytes] | None = os.fdopen(pipes[0], "wb")
        self.stdout: IO[bytes] | None = os.fdopen(pipes[1], "rb", buffering=0)
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._follow, args=(keeper,), daemon=True).start()

    def _follow(self, keeper: socket.socket) -> None:
        said = b""
        with keeper, suppress(OSError):
            said = keeper.recv(16)
        # Who loses its keeper is ended, as who loses its parent.
        self.returncode = int(said) if said else -signal.SIGTERM
        self._ended.set()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns its exit code, or the signal's number, less than 0.

        Raises:
            TimeoutExpired: it goes on.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("podline.runner", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        """Send it SIGTERM, if it goes on."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL, if it goes on."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class AheadProcesses:
    """The processes of one run on this machine, as a try of one of its stages sees them.

    Args:
        context: Airflow's, of the try.
        connection: of the store.
        variables: the environment of a stage's process.
    """

    def __init__(
        self, context: Any, connection: StoreConnection, variables: Mapping[str, str]
    ) -> None:
        self._context, self._variables = context, variables
        self._connection = connection
        self._folder = private_folder()
        self._following: list[Path] = []
        self._over = False
        self._lock = threading.Lock()

    def claim(self, plan: StagePlan) -> KeptProcess | None:
        """The process that was begun ahead for this try; None: there is none of use.

        Args:
            plan: what it must have been begun with.
        """
        if self._folder is None:
            return None
        return claim(self._path(self._context), self._digest(plan))

    def begin(self, stages: Sequence[NextStage]) -> None:
        """Begin the processes of stages that follow, where none waits."""
        from podline.latency import stage_profile
        from podline.store import open_store

        if self._folder is None:
            return
        store, dag_id = open_store(self._connection), self._context["ti"].dag_id
        for stage in stages:
            known = stage_profile.libraries_of(store, dag_id, stage.plan.stage)
            prepared = Preparation(stage.plan, known)
            with self._lock:
                if self._over:
                    return
                path = self._path(stage.wanted.context)
                self._following.append(path)
                keep(path, self._digest(stage.plan), prepared, self._variables)

    def end(self) -> None:
        """End those that wait for the stages that follow, whoever began them."""
        with self._lock:
            self._over = True
            for path in self._following:
                end(path)

    def _path(self, context: Any) -> Path:
        """The socket of a stage: one in its run, whoever begins its process."""
        assert self._folder is not None
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        where = TryKey(ti.dag_id, ti.run_id, ti.task_id, index, 0, "-").prefix
        store = [self._connection.endpoint_url, self._connection.bucket]
        text = json.dumps([*store, where, run_version.beginning(context)])
        return self._folder / hashlib.sha256(text.encode()).hexdigest()[:32]

    def _digest(self, plan: StagePlan) -> str:
        """Of what a process is and will do, whether it was begun ahead or not."""
        what = [plan.digest, dict(self._variables), os.getcwd(), sys.executable]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def private_folder() -> Path | None:
    """Where this account's sockets are; None: it cannot be, or others can enter it, or made it."""
    folder = Path(tempfile.gettempdir(), f"podline-{os.geteuid()}")
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        about = folder.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
    return folder if mine and not about.st_mode & 0o077 else None


def keep(path: Path, digest: str, prepared: Preparation, variables: Mapping[str, str]) -> None:
    """Begin a process, and its keeper, unless one waits at that socket.

    Args:
        path: the socket.
        digest: of what the process is.
        prepared: what it gets before its task.
        variables: its environment.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(path))
        except OSError:  # it waits already
            return
        listener.listen()
        number = listener.fileno()
        keeper = subprocess.Popen(
            [sys.executable, "-m", "podline.runner.process_keeper", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(variables),
            pass_fds=[number],
            start_new_session=True,  # it outlives the task
        )
    kept = Kept(str(path), digest, prepared.to_json(), time.time(), LONGEST_WAIT)
    assert keeper.stdin
    with suppress(BrokenPipeError):
        keeper.stdin.write(kept.to_json().encode())
        keeper.stdin.close()
    keeper.returncode = 0  # nobody waits for it


def claim(path: Path, digest: str) -> KeptProcess | None:
    """Ask the keeper at a socket for its process; None: there is none, or it is another one.

    Args:
        path: the socket.
        digest: of what the process must be.
    """
    keeper = socket.socket(socket.AF_UNIX)
    try:
        keeper.settimeout(_HANDED_OVER)
        keeper.connect(str(path))
        keeper.sendall(digest.encode())
        said, pipes, _, _ = socket.recv_fds(keeper, 256, 2)
    except OSError:
        said, pipes = b"", []
    if len(pipes) < 2:
        keeper.close()
        path.unlink(missing_ok=True)  # its keeper may be dead
        return None
    keeper.settimeout(None)
    for pipe in pipes:
        os.set_inheritable(pipe, False)
    pid, made = json.loads(said)
    return KeptProcess(keeper, pid, made, pipes)


def end(path: Path) -> None:
    """Have the keeper at a socket, if there is one, end its process."""
    with socket.socket(socket.AF_UNIX) as keeper, suppress(OSError):
        keeper.settimeout(_HANDED_OVER)
        keeper.connect(str(path))
        keeper.sendall(_END)
