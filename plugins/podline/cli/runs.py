"""`podline runs`: what ran, as the store tells it, by Airflow or here."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from podline.cli import run_report
from podline.cli.console import local_time, make_console, make_table, print_table
from podline.cli.run_report import Cells
from podline.cli.stage_times import row_of, start_of, wall_seconds
from podline.cli.store import opened
from podline.cli.values import counted
from podline.contract import StageResult
from podline.store import Store, run_history
from podline.store.run_history import Run

Results = Mapping[str, StageResult | None]


def command(
    dag: Annotated[
        str | None, typer.Argument(help="A DAG, such as household_power; by default all.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Argument(help="A run's id, a part of it such as 2026-03-01, or latest."),
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Only the latest run: the same as RUN latest.")
    ] = False,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, help="How many runs to list, such as -n 50.")
    ] = 20,
    cells: Cells = False,
) -> None:
    """List what ran, and say where the time of a run went.

    Without a DAG: the DAGs. With one: its runs, and the latest in full. With a run: that one.
    A run is ok when all of its stages that left anything in the store succeeded.
    """
    console = make_console()
    with opened() as store:
        if dag is None:
            _print_dags(console, store)
            return
        if run is None and not latest:
            _print_runs(console, store, dag, limit)
        _print_run(console, store, run_history.find_run(store, dag, run or "latest"), cells)


def _print_dags(console: Console, store: Store) -> None:
    """Print the DAGs that ran, the one that wrote last first."""
    by_dag: dict[str, list[Run]] = {}
    for run in run_history.runs(store):
        by_dag.setdefault(run.dag_id, []).append(run)
    if not by_dag:
        console.print(f"Nothing ran yet in the store {store.connection}.", soft_wrap=True)
        return
    columns = ("dag", "runs", "last wrote", "latest run")
    table = make_table(*columns, whole=columns, right=["runs"])
    for dag_id, runs in by_dag.items():
        table.add_row(dag_id, str(len(runs)), local_time(runs[0].newest), runs[0].run_id)
    print_table(console, table)


def _print_runs(console: Console, store: Store, dag_id: str, limit: int) -> None:
    """Print a DAG's runs, the one that wrote last first, and at most so many."""
    known = run_history.runs(store, dag_id)
    columns = ("run", "started", "seconds", "stages", "state")
    table = make_table(*columns, whole=columns[:2], right=columns[2:4])
    for run in known[:limit]:
        results = run_history.results(store, run.last_tries)
        read = [result for result in results.values() if result]
        started = local_time(start_of(read)) if read else ""
        seconds = f"{wall_seconds(read):.2f}" if read else ""
        table.add_row(run.run_id, started, seconds, str(len(results)), _state(results))
    if known:
        print_table(console, table)
    if len(known) > limit:
        console.print(Text(f"… and {counted(len(known) - limit, 'older run')}", "dim"))


def _print_run(console: Console, store: Store, run: Run, cells: bool) -> None:
    """Print the breakdown of a run, its metrics and its executed notebooks."""
    results = run_history.results(store, run.last_tries)
    read = {stage: result for stage, result in results.items() if result}
    read = dict(sorted(read.items(), key=lambda item: item[1].started))
    console.print()
    console.print(Text.assemble((f"{run.dag_id} {run.run_id}", "bold"), "  ", _state(results)))
    if read:
        console.print(_times(list(read.values())))
    rows = [row_of(result, stage=stage) for stage, result in read.items()]
    run_report.print_breakdown(console, rows, cells)
    _print_remarks(console, run, results)
    run_report.print_metrics(console, run_history.metrics_of(read.values()))
    run_report.print_executed(console, run, read | results)


def _state(results: Results) -> Text:
    """What the last tries of a run's stages say of it."""
    failed = [stage for stage, result in results.items() if result and not result.succeeded]
    if failed:
        return Text(f"failed: {', '.join(failed)}", "red")
    missing = [stage for stage, result in results.items() if result is None]
    if missing:
        return Text(f"no result: {', '.join(missing)}", "yellow")
    return Text("ok", "green")


def _times(results: Sequence[StageResult]) -> str:
    within = sum(row_of(result).total for result in results)
    return (
        f"started {local_time(start_of(results))}, took {wall_seconds(results):.2f} s; "
        f"its stages together {within:.2f} s"
    )


def _print_remarks(console: Console, run: Run, results: Results) -> None:
    """Print failures and earlier tries."""
    for stage, result in results.items():
        if result is None:
            remark = "left no result: it runs still, or its process was killed"
        elif result.failure:
            remark = f"failed: {result.failure.message}"
        else:
            continue
        console.print()
        console.print(Text.assemble((stage, "bold"), f" {remark}"), soft_wrap=True)
    for attempt in run.earlier_tries:
        number, when = attempt.where.try_number, local_time(attempt.newest)
        line = f"an earlier try of {attempt.stage}, number {number}, ended {when}"
        console.print(Text(line, "dim"))
