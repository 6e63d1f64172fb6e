"""`podline latency`: where the time of a run went, as Airflow's API tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from podline.cli.console import local_time, make_console, make_table, print_table
from podline.phases import OUTSIDE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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
    url: Annotated[
        str,
        typer.Option(
            envvar="PODLINE_API_URL", help="Airflow's address; by default that of `make up`."
        ),
    ] = "",
    user: Annotated[
        str, typer.Option(envvar="PODLINE_API_USER", help="Who asks; PODLINE_API_PASSWORD is read.")
    ] = "admin",
) -> None:
    """Say where the time of a DAG's runs went, phase by phase.

    PODLINE_API_TOKEN is used where it is set, else a token is got with user and password; those of
    `make up` on this machine are found.
    """
    from podline.cli.api import Api

    if form not in ("table", "csv", "json"):
        raise typer.BadParameter(f"{form!r}: give table, csv or json", param_hint="--format")
    api = Api.open(url, user)
    if run == "latest":
        run = api.latest_run(dag)
    path = ("dags", dag, "runs", run) if run else ("dags", dag, "history")
    query = {"runs": runs, "limit": 5000} if run else {"runs": runs}
    if form == "csv":
        typer.echo(api.text(path, {**query, "format": "csv"}), nl=False)
    elif form == "json":
        typer.echo(api.text(path, query))
    else:
        answer = api.json(path, query)
        console = make_console()
        (_print_run if run else _print_history)(console, answer)


def _print_run(console: Console, run: dict[str, Any]) -> None:
    from rich.text import Text

    head = Text.assemble((f"{run['dag_id']} {run['run_id']}", "bold"), f"  {run['state']}")
    console.print(head, soft_wrap=True)
    if run["start"] is not None:
        took = "" if run["seconds"] is None else f", took {run['seconds']:.2f} s"
        console.print(f"started {local_time(run['start'])}{took}{_usually(run['usual_seconds'])}")
    console.print()
    print_table(console, _tries(run))
    if path := run["critical_path"]:
        steps = [f"{step['task_id']} {step['seconds']:.2f} s" for step in path]
        console.print()
        console.print(f"critical path: {' → '.join(steps)}", soft_wrap=True)
    for slow in run["slow"]:
        usual = slow["usual"]
        console.print(
            f"slower than usual: {slow['task_id']} {slow['phase']} {slow['seconds']:.2f} s; "
            f"the median of {usual['n']} is {usual['p50']:.2f} s",
            soft_wrap=True,
        )


def _usually(usual: dict[str, float] | None) -> str:
    if usual is None:
        return ""
    low, high = usual["p10"], usual["p90"]
    return f"; usually {usual['p50']:.2f} s [{low:.2f} – {high:.2f}], n = {usual['n']}"


def _tries(run: dict[str, Any]) -> Table:
    """A row a try: its phases, its sum, and what is not the user's own work."""
    tries, own = run["tries"], run["own"]
    phases = tries["phases"]
    table = make_table("seconds")
    for name in (*phases, "sum", "overhead"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, task in enumerate(tries["task_id"]):
        known = {name: column["seconds"][row] for name, column in phases.items()}
        inside = {n: s for n, s in known.items() if s is not None and n not in OUTSIDE}
        whole = sum(inside.values())
        overhead = whole - sum(inside.get(name, 0.0) for name in own)
        figures = ["–" if seconds is None else f"{seconds:.2f}" for seconds in known.values()]
        index, number = tries["map_index"][row], tries["try_number"][row]
        mapped, again = index >= 0, number > 1
        name = f"{task}{f'[{index}]' if mapped else ''}{f' try {number}' if again else ''}"
        ends = [f"{whole:.2f}", f"{overhead:.2f}"] if inside else ["–", "–"]
        table.add_row(name, *figures, *ends)
    return table


def _print_history(console: Console, found: dict[str, Any]) -> None:
    from rich.text import Text

    console.print(Text(found["dag_id"], "bold"))
    console.print(f"{found['runs']} runs{_usually(found['seconds'])}")
    if share := found["overhead_share"]:
        console.print(f"overhead: {share['p50']:.0%} of the tries' time, in the median")
    table = make_table("task", "phase", "median", "p10", "p90", "n")
    for column in table.columns[2:]:
        column.justify = "right"
    for task, phases in found["tasks"].items():
        for phase, usual in phases.items():
            figures = [f"{usual[name]:.3f}" for name in ("p50", "p10", "p90")]
            table.add_row(task, phase, *figures, str(usual["n"]))
    console.print()
    print_table(console, table)
