"""Runs are kept on the server: followed from the first line, stopped, and not lost without a word."""

import asyncio
import json
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from podline.store import StoreConnection
from podline_jupyter.command import Command
from podline_jupyter.runs import Run, Runs, Wish
from tests.support.jupyter import PODLINE
from tests.support.notebooks import write_cells

Work = Callable[[Runs, Wish], Coroutine[Any, Any, Any]]


@pytest.fixture
def perform(
    tmp_path: Path, store_server: StoreConnection, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Does something with the runs of a notebook; nothing goes on afterwards."""
    for name, value in store_server.to_env().items():
        monkeypatch.setenv(name, value)

    def call(work: Work, *cells: tuple[str, str], **parameters: Any) -> Any:
        path = write_cells(tmp_path / "told.ipynb", *cells)

        async def within() -> Any:
            runs = Runs(Command(tuple(PODLINE)), tmp_path / "kept" / "runs")
            try:
                return await work(runs, Wish("told.ipynb", path, "local", parameters))
            finally:
                await runs.stop_all()

        return asyncio.run(within())

    return call


async def events_of(runs: Runs, run: Run) -> list[dict[str, Any]]:
    text = b"".join([lines async for lines in runs.events(run)])
    return [json.loads(line) for line in text.splitlines()]


CELLS = (("parameters", "rows = 3"), ("step:load", "print('rows:', rows)"))


def test_a_run_is_followed_by_many_from_its_first_line(
    perform: Callable[..., Any], tmp_path: Path
) -> None:
    async def work(runs: Runs, wish: Wish) -> Any:
        run = await runs.start(wish)
        two = await asyncio.gather(events_of(runs, run), events_of(runs, run))
        assert runs.of("told.ipynb") == [run]
        assert runs.of("other.ipynb") == []
        assert runs.executed(run).exists()
        return [*two, await events_of(runs, run)]

    one, other, afterwards = perform(work, *CELLS, rows=5)
    assert one == other == afterwards
    assert (one[0]["event"], one[-1]["event"], one[-1]["state"]) == ("run", "over", "success")
    assert {"event": "line", "stage": "load", "text": "rows: 5"} in one
    assert stat.S_IMODE((tmp_path / "kept" / "runs").stat().st_mode) == 0o700


def test_a_run_that_is_stopped_says_so(perform: Callable[..., Any]) -> None:
    async def work(runs: Runs, wish: Wish) -> Any:
        run = await runs.start(wish)
        lines = runs.events(run)
        async for some in lines:
            if b"begun" in some:
                await runs.stop(run)
        return (await events_of(runs, run))[-1]

    last = perform(work, ("step:wait", "print('begun')\nimport time\ntime.sleep(600)"))
    assert (last["event"], last["state"], last["failure"]) == ("over", "failed", "it was stopped")


def test_what_podline_refuses_is_the_runs_end(perform: Callable[..., Any]) -> None:
    async def work(runs: Runs, wish: Wish) -> Any:
        return await events_of(runs, await runs.start(wish))

    (last,) = perform(work, *CELLS, rows="many")
    assert last["event"] == "over"
    assert "rows" in last["failure"]


def test_a_run_of_a_server_that_is_gone_has_an_end(tmp_path: Path) -> None:
    folder = tmp_path / "20260101T000000-00000000"
    folder.mkdir()
    run = Run(folder.name, "told.ipynb", "local", {}, 0.0)
    (folder / "events").write_text('{"event": "run"}\n{"event": "li')
    runs = Runs(Command(tuple(PODLINE)), tmp_path)
    found = asyncio.run(events_of(runs, run))
    assert [event["event"] for event in found] == ["run", "over"]
    assert found[-1]["failure"] == "the server that ran it was stopped"


def test_old_runs_are_forgotten(perform: Callable[..., Any]) -> None:
    async def work(runs: Runs, wish: Wish) -> Any:
        for number in range(25):
            folder = runs._folder / f"20250101T0000{number:02}-00000000"
            folder.mkdir(parents=True)
            old = {"id": folder.name, "notebook": "told.ipynb", "where": "local"}
            (folder / "run.json").write_text(json.dumps({**old, "parameters": {}, "began": 0}))
        run = await runs.start(wish)
        await events_of(runs, run)
        return run, runs.of("told.ipynb")

    run, kept = perform(work, *CELLS)
    assert len(kept) == 20
    assert kept[0] == run
