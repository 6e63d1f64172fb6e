"""One `podline inspect` answers again and again, and is started anew when it died."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from podline_jupyter.command import Command, CommandError
from podline_jupyter.inspector import Inspector
from tests.support.jupyter import PODLINE
from tests.support.notebooks import code_cell, notebook_text


def draft(*cells: tuple[str, str]) -> Any:
    return json.loads(notebook_text(code_cell(source, *tags.split()) for tags, source in cells))


def test_questions_at_once_get_their_own_answers(tmp_path: Path) -> None:
    async def ask_all() -> list[dict[str, Any]]:
        inspector = Inspector(Command(tuple(PODLINE)))
        questions = [
            inspector.ask(tmp_path / f"n{number}.ipynb", draft((f"step:s{number}", "x = 1")))
            for number in range(5)
        ]
        try:
            return await asyncio.gather(*questions)
        finally:
            await inspector.stop()

    found = asyncio.run(ask_all())
    assert [answer["notebook"] for answer in found] == [f"n{number}" for number in range(5)]


def test_a_process_that_died_is_started_anew(tmp_path: Path) -> None:
    async def ask_twice() -> dict[str, Any]:
        inspector = Inspector(Command(tuple(PODLINE)))
        asked = tmp_path / "n.ipynb", draft(("step:a", "x = 1"))
        await inspector.ask(*asked)
        process = inspector._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        try:
            return await inspector.ask(*asked)
        finally:
            await inspector.stop()

    assert asyncio.run(ask_twice())["problems"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/no/such/podline"], "does not start: No such file or directory. fix: pip install"),
        ([sys.executable, "-c", "import sys; sys.exit('broken inside')"], "broken inside"),
        ([sys.executable, "-c", "print('no JSON')"], "does not answer"),
        (
            [sys.executable, "-c", "import sys; sys.exit(\"No such command 'inspect'\")"],
            "of a version before the panel. fix: upgrade podline",
        ),
    ],
)
def test_why_nothing_is_answered_is_told(tmp_path: Path, words: list[str], told: str) -> None:
    inspector = Inspector(Command(tuple(words)))
    with pytest.raises(CommandError, match=told):
        asyncio.run(inspector.ask(tmp_path / "n.ipynb", draft(("step:a", "x = 1"))))
