"""What a run has to say at its end: its time by stage and phase, metrics, executed notebooks."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from podline.cli.console import make_table, print_table
from podline.cli.stage_times import Row, phase_names, total_of
from podline.operators.task_spec import shown
from podline.store.run_history import Run

if TYPE_CHECKING:
    from podline.operators.local_run import LocalRun

Cells = Annotated[bool, typer.Option("--cells", help="Say the seconds of each cell as well.")]


def print_breakdown(console: Console, rows: Sequence[Row], cells: bool) -> None:
    """Print seconds by stage and phase, with their sums where there are several stages.

    Args:
        console: where to.
        rows: of the stages.
        cells: whether to add the seconds of each cell.
    """
    if not rows:
        return
    phases = phase_names(rows)
    figures = (*phases, "total", "overhead")
    table = make_table("seconds", *figures, whole=("seconds", *figures), right=figures)
    if cells:
        table.add_column("cells")
    for row in rows:
        table.add_row(*_figures(row, phases), _cells(row) if cells else None)
    if len(rows) > 1:
        table.add_section()
        table.add_row(*(Text(text, "bold") for text in _figures(total_of(rows), phases)))
    console.print()
    print_table(console, table)


def _figures(row: Row, phases: Sequence[str]) -> list[str]:
    seconds = [row.phases.get(phase) for phase in phases]
    return [
        row.stage,
        *("–" if value is None else _seconds(value) for value in seconds),
        _seconds(row.total),
        f"{_seconds(row.overhead)} {row.share:4.0%}",
    ]


def _seconds(value: float) -> str:
    return f"{value + 0.0:.2f}" if abs(value) >= 0.005 else "0.00"


def _cells(row: Row) -> str:
    return ", ".join(f"{cell.number}: {_seconds(cell.seconds)}" for cell in row.cells)


def print_metrics(console: Console, metrics: Mapping[str, float]) -> None:
    """Print the pipeline's metrics."""
    if not metrics:
        return
    table = make_table("metric", "value", right=["value"])
    for name, value in metrics.items():
        table.add_row(name, shown(value))
    console.print()
    print_table(console, table)


def print_json(run: "LocalRun", failure: Exception | None) -> None:
    """Print how a run went as one JSON object.

    Args:
        run: the run, which has ended.
        failure: why it failed; None: it did not.
    """
    stages = [
        {
            "stage": name,
            "succeeded": result.succeeded,
            "seconds": run.seconds[name],
            "phases": {phase.name: phase.seconds for phase in result.phases},
            "metrics": result.metrics,
            "executed_notebook": result.executed_notebook,
            "published": [f"{one.name} {one.number}" for one in result.published],
        }
        for name, result in run.results.items()
    ]
    about = {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": "failed" if failure else "success",
        "failure": str(failure) if failure else None,
        "parameters": run.parameters,
        "stages": stages,
    }
    typer.echo(json.dumps(about, indent=2, ensure_ascii=False, default=str))


def print_executed(console: Console, run: Run, stages: Iterable[str]) -> None:
    """Print the keys of executed notebooks, and the command that fetches one.

    Args:
        console: where to.
        run: whose notebooks.
        stages: of it.
    """
    found = {stage: key for stage in stages if (key := run.try_of(stage).executed)}
    if not found:
        return
    console.print()
    console.print(Text("executed notebooks", "dim"))
    for key in found.values():
        console.print(f"  {key}", soft_wrap=True)
    command = shlex.join(["podline", "notebook", run.dag_id, run.run_id, [*found][-1]])
    console.print(Text.assemble(("fetch one with  ", "dim"), command), soft_wrap=True)
