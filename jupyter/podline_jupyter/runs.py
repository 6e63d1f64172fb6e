"""Runs kept on the server: each a folder with what was started and what it said, line by line.

podline writes the lines of a run into its file by itself, so they are there whoever reads them, and
a page that is loaded again reads them from the first.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from podline_jupyter.command import Command, said

_KEPT = 20  # runs of a notebook
_EVERY = 0.1  # seconds between two looks at a file
_STOPPING = 15  # seconds that a run has to end
_PATIENCE = "120"  # seconds in which Airflow may find a notebook that was put there
_OVER = b'{"event": "over"'  # how the last line of a run begins

Where = Literal["local", "airflow"]
_STOPPED: dict[Where, str] = {
    "local": "it was stopped",
    "airflow": "it is not followed any more, and goes on in Airflow",
}


@dataclass(frozen=True)
class Run:
    """A run: its id, its notebook as the server names it, where its stages run, when it began."""

    id: str
    notebook: str
    where: Where
    parameters: dict[str, Any]
    began: float  # seconds since the epoch


@dataclass(frozen=True)
class Wish:
    """What is to be run.

    Attributes:
        notebook, file: the notebook, as the server names it and as a file.
        where: by local processes, or in Airflow.
        parameters: values by name.
        dag: the notebook's DAG.
        follow: a run of the DAG to follow, or ``latest``; empty: a new one.
    """

    notebook: str
    file: Path
    where: Where
    parameters: dict[str, Any]
    dag: str = ""
    follow: str = ""


class Runs:
    """The runs below a folder that only this user can enter.

    Args:
        command: podline.
        folder: where they are kept.
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self._command, self._folder = command, folder
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, notebook: str) -> list[Run]:
        """Return the runs of a notebook, the last one first."""
        found = [run for name in self._names() if (run := self.get(name))]
        return [run for run in found if run.notebook == notebook]

    def get(self, name: str) -> Run | None:
        """Return the run of an id; None: there is none."""
        try:
            return Run(**json.loads((self._folder / name / "run.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder), reverse=True)
        except FileNotFoundError:
            return []

    def executed(self, run: Run) -> Path:
        """The file of the executed notebook, once the run has ended."""
        return self._folder / run.id / "executed.ipynb"

    async def start(self, wish: Wish) -> Run:
        """Start a run.

        Raises:
            CommandError: podline does not start.
        """
        now = time.time()
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{secrets.token_hex(4)}"
        run = Run(name, wish.notebook, wish.where, wish.parameters, now)
        folder = self._folder / name
        folder.mkdir(parents=True, mode=0o700)
        self._folder.chmod(0o700)
        (folder / "run.json").write_text(json.dumps(asdict(run)))
        try:
            with (folder / "events").open("wb") as out, (folder / "beside").open("wb") as beside:
                process = await self._command.start(
                    *self._words(wish, run),
                    folder=wish.file.parent,
                    login=wish.where == "airflow",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=beside,
                )
        except Exception:
            shutil.rmtree(folder)
            raise
        self._processes[name] = process
        task = asyncio.create_task(self._close(run, process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._forget_old(wish.notebook)
        return run

    def _words(self, wish: Wish, run: Run) -> list[str]:
        told = ["--events", "-o", str(self.executed(run))]
        if wish.where == "airflow":
            how = ["--run", wish.follow] if wish.follow else ["--patience", _PATIENCE]
            return ["trigger", wish.dag, "--conf", json.dumps(wish.parameters), *how, *told]
        values = self._folder / run.id / "parameters.json"
        values.write_text(json.dumps(wish.parameters))
        return ["run", str(wish.file), "-f", str(values), *told]

    async def _close(self, run: Run, process: asyncio.subprocess.Process) -> None:
        """See that the last event of a run says how it ended."""
        code = await process.wait()
        events = self._folder / run.id / "events"
        whole, newline, _ = events.read_bytes().rpartition(b"\n")
        if not whole.rpartition(b"\n")[2].startswith(_OVER):
            os.truncate(events, len(whole + newline))  # a line that was broken off
            text = (self._folder / run.id / "beside").read_text(errors="replace")
            stopped = _STOPPED[run.where] if code in (130, -2, -9, -15) else ""
            reason = stopped or said(text)
            with events.open("a") as file:
                file.write(_over(reason or f"podline ended with {code}"))
        del self._processes[run.id]  # whoever reads knows by that that all is written

    async def events(self, run: Run) -> AsyncIterator[bytes]:
        """Yield the lines of a run from its first, until it is over."""
        path = self._folder / run.id / "events"
        with path.open("rb") as file:
            while True:
                # Looked at before the file: what is written before the end is read.
                goes_on = run.id in self._processes
                read = file.read()
                whole, newline, rest = read.rpartition(b"\n")
                file.seek(-len(rest), os.SEEK_CUR)
                if whole or newline:
                    yield whole + newline
                if whole.rpartition(b"\n")[2].startswith(_OVER):
                    return
                if not goes_on and not newline:
                    yield _over("the server that ran it was stopped").encode()
                    return
                if not newline:
                    await asyncio.sleep(_EVERY)

    async def stop(self, run: Run) -> None:
        """Have a run end as by Ctrl-C, and if it does not, at once."""
        process = self._processes.get(run.id)
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), _STOPPING)
            except TimeoutError:
                process.kill()

    async def stop_all(self) -> None:
        """Stop what goes on, and wait until its end is written."""
        runs = [run for name in [*self._processes] if (run := self.get(name))]
        await asyncio.gather(*map(self.stop, runs))
        await asyncio.gather(*self._tasks)

    def _forget_old(self, notebook: str) -> None:
        for run in self.of(notebook)[_KEPT:]:
            if run.id not in self._processes:
                shutil.rmtree(self._folder / run.id, ignore_errors=True)


def _over(failure: str) -> str:
    event = {"event": "over", "time": time.time(), "state": "failed", "failure": failure}
    return json.dumps(event) + "\n"
