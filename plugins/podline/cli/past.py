"""Tells what ran: the DAGs, the runs of one, and where the time of a run went."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from podline.cli import report
from podline.cli.console import counted, local_time, make_console, make_table, print_table
from podline.cli.stage_times import row_of, start_of, wall_seconds
from podline.contract import StageResult
from podline.store import Store, run_history
from podline.store.run_history import Run

Results = Mapping[str, StageResult | None]


def print_dags(store: Store) -> None:
    """Print the DAGs that ran, the one that wrote last first."""
    console = make_console()
    by_dag: dict[str, list[Run]] = {}
    for run in run_history.runs(store):
        by_dag.setdefault(run.dag_id, []).append(run)
    if not by_dag:
        console.print(f"Nothing ran yet in the store {store.connection}.", soft_wrap=True)
        return
    table = make_table("dag", "runs", "last wrote", "latest run")
    table.columns[1].justify = "right"
    for column in table.columns:
        column.no_wrap = True
    for dag_id, runs in by_dag.items():
        table.add_row(dag_id, str(len(runs)), local_time(runs[0].newest), runs[0].run_id)
    print_table(console, table)


def print_runs(store: Store, dag_id: str, limit: int) -> None:
    """Print a DAG's runs, the one that wrote last first, and at most so many."""
    console = make_console()
    known = run_history.runs(store, dag_id)
    table = make_table("run", "started", "seconds", "stages", "state")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    table.columns[2].justify = table.columns[3].justify = "right"
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


def print_run(store: Store, dag_id: str, name: str, cells: bool) -> None:
    """Print the breakdown of a run, its metrics and its executed notebooks.

    Raises:
        HistoryError: there is no such run.
    """
    console = make_console()
    run = run_history.find_run(store, dag_id, name)
    results = run_history.results(store, run.last_tries)
    read = {stage: result for stage, result in results.items() if result}
    read = dict(sorted(read.items(), key=lambda item: item[1].started))
    console.print()
    console.print(Text.assemble((f"{dag_id} {run.run_id}", "bold"), "  ", _state(results)))
    if read:
        console.print(_times(list(read.values())))
    report.print_breakdown(console, [row_of(r, stage=stage) for stage, r in read.items()], cells)
    _print_remarks(console, run, results)
    report.print_metrics(console, run_history.metrics_of(read.values()))
    report.print_executed(console, run, read | results)


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
