"""What a notebook becomes: asked of one `podline inspect`, which stays and answers soon."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import IO, Any

from podline_jupyter.command import Command, CommandError, said

_SECONDS = 30  # that an answer may take


class Inspector:
    """Asks one thing after the other; a process that died is started anew at the next question."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._beside: IO[bytes] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, path: Path, notebook: Any) -> dict[str, Any]:
        """Return the outline of a notebook, and its problems.

        Args:
            path: its file.
            notebook: its content, as it is in the editor.

        Raises:
            CommandError: podline does not start, does not answer or answers otherwise.
        """
        line = json.dumps({"path": str(path), "notebook": notebook}) + "\n"
        async with self._turn:
            try:
                answer = await asyncio.wait_for(self._exchange(line.encode()), _SECONDS)
            except CommandError:
                await self.stop()
                raise
            except (TimeoutError, OSError, ValueError) as error:
                await self.stop()
                raise CommandError(
                    f"podline inspect does not answer: {type(error).__name__} {error}. fix: change "
                    "the notebook, or reload the page; it is started anew"
                ) from None
            except asyncio.CancelledError:
                await self.stop()  # its answer would be taken for that to the next question
                raise
        if "error" in answer:
            raise CommandError(str(answer["error"]))
        return answer

    async def _exchange(self, line: bytes) -> dict[str, Any]:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        try:
            await process.stdin.drain()
            answer = await process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        if not answer.endswith(b"\n"):
            raise CommandError(await self._why_dead(process))
        found: dict[str, Any] = json.loads(answer)
        return found

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            if self._beside is not None:
                self._beside.close()
            self._beside = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as the process does
            pipe = asyncio.subprocess.PIPE
            self._process = await self._command.start(
                "inspect", stdin=pipe, stdout=pipe, stderr=self._beside
            )
        return self._process

    async def _why_dead(self, process: asyncio.subprocess.Process) -> str:
        code = await process.wait()
        text = ""
        if self._beside is not None:
            self._beside.seek(0)
            text = said(self._beside.read().decode(errors="replace"))
        if "No such command" in text:
            return "the command podline is of a version before the panel. fix: upgrade podline"
        return f"podline inspect ended with {code}: {text}"

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._beside is not None:
            self._beside.close()
            self._beside = None
