"""`podline runs` tells from the store what ran, wherever it ran."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from podline.compiler.compiler import compile_notebook
from podline.contract import StageResult
from podline.operators.local_run import LocalRun
from podline.phases import STAGE_PHASES
from podline.store import Store
from podline.store.keys import RESULT, TryKey

from .conftest import Podline, Refused

DAG = "kale_notebook"


@pytest.fixture
def ran(store: Store, notebooks: Path) -> LocalRun:
    """A notebook that ran once."""
    run = LocalRun(compile_notebook(notebooks / f"{DAG}.ipynb"), store, {}, run_id="local__first")
    run.run(lambda stage, line: None)
    return run


def put(store: Store, where: TryKey, result: StageResult) -> None:
    store.put(where.key(RESULT), result.to_json().encode())


def listed(output: str) -> list[list[str]]:
    """The rows of a table, as words."""
    return [line.split() for line in output.splitlines() if not set(line) <= set("─ ")]


def test_nothing_ran(podline: Podline, store: Store) -> None:
    result = podline("runs")
    assert result.exit_code == 0
    assert result.stdout == f"Nothing ran yet in the store {store.connection}.\n"


def test_dags_with_their_runs(podline: Podline, store: Store, ran: LocalRun) -> None:
    for run_id in ("manual__1", "manual__2"):
        put(store, TryKey("other", run_id, "a", -1, 1, "n"), ran.results["load"])
    store.put("runs/strange/object", b"not ours")
    head, *rows = listed(podline("runs").stdout)
    assert head[:2] == ["dag", "runs"]
    assert {row[0]: row[1] for row in rows} == {DAG: "1", "other": "2"}


def test_a_dag_has_its_runs_and_the_latest_in_full(podline: Podline, ran: LocalRun) -> None:
    output = podline("runs", DAG).stdout
    assert re.search(r"^local__first .* 3  ok", output, re.M)
    assert f"{DAG} local__first  ok" in output
    head = next(line for line in output.splitlines() if line.startswith("seconds"))
    assert head.split() == ["seconds", *STAGE_PHASES, "total", "overhead"]
    for stage, result in ran.results.items():
        row = next(line.split() for line in output.splitlines() if line.startswith(f"{stage} "))
        assert row[1] == f"{result.seconds('boot'):.2f}"
        assert row[5] == f"{result.seconds('code'):.2f}"
        assert f"  {result.executed_notebook}\n" in output


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize(
    "arguments", [("local__first",), ("first",), ("latest",), ("--latest",)], ids=str
)
def test_a_run_by_name(podline: Podline, arguments: tuple[str, ...]) -> None:
    output = podline("runs", DAG, *arguments).stdout
    assert output.startswith(f"\n{DAG} local__first  ok\n")
    assert "started" in output


def test_names_that_do_not_tell_a_run(refused: Refused, store: Store, ran: LocalRun) -> None:
    put(store, TryKey(DAG, "local__second", "load", -1, 1, "n"), ran.results["load"])
    for arguments, message in (
        ((DAG, "local"), "has several runs with 'local' in the id, such as local__"),
        ((DAG, "third"), "has no run with 'third' in the id"),
        (("nope",), "the store has no run of 'nope'"),
    ):
        assert message in refused("runs", *arguments)


def test_the_last_try_counts_and_earlier_ones_are_told(
    podline: Podline, store: Store, ran: LocalRun
) -> None:
    load = ran.results["load"]
    failed = replace(load, succeeded=False, stage="load")
    put(store, TryKey("retried", "manual__1", "load", -1, 1, "a"), failed)
    put(store, TryKey("retried", "manual__1", "load", -1, 2, "b"), load)
    put(store, TryKey("retried", "manual__1", "part", 0, 1, "c"), load)
    put(store, TryKey("retried", "manual__1", "part", 1, 1, "d"), load)
    output = podline("runs", "retried").stdout
    assert re.search(r"^manual__1 .* 3  ok", output, re.M)
    assert "an earlier try of load, number 1, ended " in output
    stages = [line.split()[0] for line in output.splitlines() if re.match(r"(load|part)", line)]
    assert sorted(stages) == ["load", "part[0]", "part[1]"]


def test_failures_and_missing_results_are_told(podline: Podline, store: Store) -> None:
    where = TryKey("broken", "manual__1", "load", -1, 1, "a")
    store.put(where.key("executed-0.ipynb"), b"{}")
    store.put(where.key("executed-10.ipynb"), b"{}")
    store.put(where.key("executed-9.ipynb"), b"{}")
    store.put(TryKey("broken", "manual__1", "old", -1, 1, "b").key(RESULT), b'{"stage": "old"}')
    output = podline("runs", "broken", "latest").stdout
    assert "broken manual__1  no result: load, old" in output
    assert "load left no result: it runs still, or its process was killed" in output
    assert f"  {where.key('executed-10.ipynb')}\n" in output


def test_a_failed_run(podline: Podline, store: Store, notebooks: Path) -> None:
    path = notebooks / "generator_needed_later.ipynb"
    assert podline("run", path).exit_code == 1
    output = podline("runs", path.stem).stdout
    assert re.search(r"^local__\S+ .*  failed: \w+", output, re.M)
    assert re.search(r"^\w+ failed: .*generator", output, re.M)


def test_numbers_and_ids_stay_whole_on_a_narrow_terminal(
    podline: Podline, ran: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = podline("runs", DAG).stdout
    monkeypatch.setenv("COLUMNS", "40")
    narrow = podline("runs", DAG).stdout
    assert "…" not in narrow
    rows = [line for line in wide.splitlines() if line.startswith(("local__", "load", "total"))]
    assert rows
    assert [row.split() for row in rows] == [
        line.split()
        for line in narrow.splitlines()
        if line.startswith(("local__", "load", "total"))
    ]


def test_the_list_can_be_cut(podline: Podline, store: Store, ran: LocalRun) -> None:
    for number in range(3):
        where = TryKey(DAG, f"manual__{number}", "load", -1, 1, "n")
        put(store, where, ran.results["load"])
    output = podline("runs", DAG, "-n", "2").stdout
    assert "… and 2 older runs" in output
    assert "older" not in podline("runs", DAG).stdout
