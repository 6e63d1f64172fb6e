"""The command podline: where it is, and one call of it."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_SECONDS = 120  # that a call may take
_SHOWN = 2000  # characters of what a call says on standard error
LONGEST = 2**26  # bytes of a line; a notebook without outputs has fewer


class CommandError(Exception):
    """podline cannot be run, or refuses; says why, and what to do."""


@dataclass(frozen=True)
class Command:
    """The command, its first words; `login` are the variables of who asks Airflow."""

    words: tuple[str, ...]
    login: Mapping[str, str] = field(default_factory=dict)

    async def start(
        self,
        *arguments: str,
        folder: Path | None = None,
        login: bool = False,
        **streams: int | IO[Any],
    ) -> asyncio.subprocess.Process:
        """Start podline.

        Args:
            arguments: of the command.
            folder: where it runs; None: where the server does.
            login: whether it may ask Airflow.
            streams: as of `asyncio.create_subprocess_exec`.

        Raises:
            CommandError: there is no such program.
        """
        environment = {**os.environ, "NO_COLOR": "1", **(self.login if login else {})}
        try:
            return await asyncio.create_subprocess_exec(
                *self.words,
                *arguments,
                cwd=folder,
                env=environment,
                limit=LONGEST,
                start_new_session=True,  # Ctrl-C at the server's terminal is the server's to tell
                **streams,  # type: ignore[arg-type]
            )
        except OSError as error:
            raise CommandError(
                f"the command {' '.join(self.words)!r} does not start: {error.strerror}. fix: "
                "pip install podline beside JupyterLab, or name its command by "
                "c.PodlineApp.command = ['/path/to/podline'] in jupyter_server_config.py"
            ) from None

    async def call(self, *arguments: str, login: bool = False) -> tuple[int, str, str]:
        """Run podline to its end; returns its exit code, output and what it said beside.

        Raises:
            CommandError: it does not start, or does not end.
        """
        pipe = asyncio.subprocess.PIPE
        process = await self.start(*arguments, login=login, stdout=pipe, stderr=pipe)
        try:
            output, beside = await asyncio.wait_for(process.communicate(), _SECONDS)
        except TimeoutError:
            process.kill()
            raise CommandError(
                f"podline {arguments[0]} did not end within {_SECONDS} s. fix: try it in a terminal"
            ) from None
        return process.returncode or 0, output.decode(), said(beside.decode(errors="replace"))


def said(text: str) -> str:
    """What podline says went wrong: its own line, or the end of what there is."""
    lines = text.strip().splitlines()
    own = [line.partition("podline: error: ")[2] for line in lines if "podline: error: " in line]
    return own[-1] if own else "\n".join(lines)[-_SHOWN:]
