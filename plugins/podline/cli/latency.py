"""`podline latency`: where the time of a run went, as Airflow's API tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podline.cli.console import local_time, make_console, make_table, print_table
from podline.cli.values import AirflowUrl, AirflowUser
from podline.phases import OUTSIDE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from podline.latency.answers import History, RunAnswer
    from podline.latency.run_summary import Percentiles, Slow


def command(
    dag: Annotated[str, typer.Argument(help="A DAG, such as household_power.")],
    run: Annotated[
        str, typer.Argument(help="A run's id, or latest; by default the DAG's history.")
    ] = "",
    form: Annotated[
        str, typer.Option("--format", help="table, csv (a row a phase) or json.")
    ] = "table",
    runs: Annotated[
        int, typer.Option("-n", "--runs", min=1, max=200, help="How many runs are compared.")
    ] = 20,
    url: AirflowUrl = "",
    user: AirflowUser = "admin",
) -> None:
    """Say where the time of a DAG's runs went, phase by phase.

    PODLINE_API_TOKEN is used where it is set, else a token is got with user and password; those of
    `make up` on this machine are found.
    """
    from podline.airflow_api import Api
    from podline.latency.answers import History, RunAnswer

    if form not in ("table", "csv", "json"):
        raise typer.BadParameter(f"{form!r}: give table, csv or json", param_hint="--format")
    api = Api.open(url, user)
    if run == "latest":
        run = api.latest_run(dag)
    path = ("dags", dag, "runs", run) if run else ("dags", dag, "history")
    query: dict[str, str | int] = {"runs": runs, "limit": 5000} if run else {"runs": runs}
    if form != "table":
        text = api.text(path, {**query, "format": form})
        typer.echo(text, nl=form == "json")
    elif run:
        _print_run(make_console(), api.answer(RunAnswer, path, query))
    else:
        _print_history(make_console(), api.answer(History, path, query))


def _print_run(console: Console, run: RunAnswer) -> None:
    from rich.text import Text

    head = Text.assemble((f"{run.dag_id} {run.run_id}", "bold"), f"  {run.state}")
    console.print(head, soft_wrap=True)
    if run.start is not None:
        took = "" if run.seconds is None else f", took {run.seconds:.2f} s"
        console.print(f"started {local_time(run.start)}{took}{_usually(run.usual_seconds)}")
    console.print()
    print_table(console, _tries(run))
    if run.critical_path:
        steps = [f"{step.task_id} {step.seconds:.2f} s" for step in run.critical_path]
        console.print()
        console.print(f"critical path: {' → '.join(steps)}", soft_wrap=True)
    waited = zip(run.tries.task_id, run.tries.ahead, strict=True)
    for task, pod in waited:
        if pod is not None:
            anew = f"; its libraries were imported anew: {pod.void}" if pod.void else ""
            console.print(
                f"made ahead: {task}, {pod.claimed - pod.made:.2f} s before it was due"
                f"{'' if pod.idle is None else f', ready for {pod.idle:.2f} s of them'}{anew}",
                soft_wrap=True,
            )
    for slow in run.slow:
        console.print(
            f"slower than usual: {slow.task_id} {slow.phase} {slow.seconds:.2f} s; the median of "
            f"the {slow.usual.n} before is {slow.usual.p50:.2f} s; {_since(slow)}",
            soft_wrap=True,
        )


def _since(slow: Slow) -> str:
    if slow.runs == 1:
        return "not in any run before"
    return f"for {slow.runs} runs, since {slow.since_run_id}"


def _usually(usual: Percentiles | None) -> str:
    if usual is None:
        return ""
    return f"; usually {usual.p50:.2f} s [{usual.p10:.2f} – {usual.p90:.2f}], n = {usual.n}"


def _tries(run: RunAnswer) -> Table:
    """A row a try: its phases, its sum, and what is not the user's own work."""
    tries = run.tries
    figures = (*tries.phases, "sum", "overhead")
    table = make_table("seconds", *figures, whole=figures, right=figures)
    for row, task in enumerate(tries.task_id):
        known = {name: column.seconds[row] for name, column in tries.phases.items()}
        inside = {n: s for n, s in known.items() if s is not None and n not in OUTSIDE}
        whole = sum(inside.values())
        overhead = whole - sum(inside.get(name, 0.0) for name in run.own)
        shown = ["–" if seconds is None else f"{seconds:.2f}" for seconds in known.values()]
        index, number = tries.map_index[row], tries.try_number[row]
        mapped, again = index >= 0, (number or 0) > 1
        name = f"{task}{f'[{index}]' if mapped else ''}{f' try {number}' if again else ''}"
        ends = [f"{whole:.2f}", f"{overhead:.2f}"] if inside else ["–", "–"]
        table.add_row(name, *shown, *ends)
    return table


def _print_history(console: Console, found: History) -> None:
    from rich.text import Text

    console.print(Text(found.dag_id, "bold"))
    console.print(f"{found.runs} runs{_usually(found.seconds)}")
    if share := found.overhead_share:
        console.print(f"overhead: {share.p50:.0%} of the tries' time, in the median")
    figures = ("median", "p10", "p90", "n")
    table = make_table("task", "phase", *figures, right=figures)
    for task, phase, usual in found.phases:
        seconds = [f"{value:.3f}" for value in (usual.p50, usual.p10, usual.p90)]
        table.add_row(task, phase, *seconds, str(usual.n))
    console.print()
    print_table(console, table)
