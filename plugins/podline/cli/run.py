"""`podline run`: a notebook's stages as local processes, and what happens told meanwhile."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.text import Text

from podline import settings
from podline.cli import run_events, run_report
from podline.cli.console import make_console
from podline.cli.executed import executed_whole, write
from podline.cli.lint import Notebook, compiled
from podline.cli.run_report import Cells
from podline.cli.stage_times import row_of
from podline.cli.store import opened
from podline.cli.values import read_parameters
from podline.compiler.outline import outline
from podline.contract import StagePlan
from podline.exceptions import StageError
from podline.operators.local_run import LocalRun
from podline.operators.process import environment
from podline.runner.html_export import make_pages_apart
from podline.store import keys, run_history


def command(
    notebook: Notebook,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--parameter",
            metavar="NAME=VALUE",
            help="A parameter's value, such as -p rows=20000; may be given several times.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f",
            "--parameters-file",
            help="Parameters' values as a YAML or JSON object; -p goes over it.",
        ),
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Run the whole notebook as one process.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Leave out what the cells print.")
    ] = False,
    cells: Cells = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="File to write the whole executed notebook to, failed or not."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print how it went as JSON; all else goes to standard error."),
    ] = False,
    events: Annotated[
        bool,
        typer.Option(
            "--events", help="Print what happens, as it happens, as a JSON object a line."
        ),
    ] = False,
) -> None:
    """Run a notebook's stages here, and say where the time went.

    Each stage is a local process, side by side with others where it may be; Airflow is not needed.
    The store is the one that the environment's connection names, or else the embedded one.
    """
    pipeline = compiled(notebook)
    values = read_parameters(pipeline, parameter or [], file)
    console = make_console(err=as_json or events)
    with opened(lambda line: _remark(console, line)) as store:
        run = LocalRun(pipeline, store, values)
        if baseline:
            run.run_id = f"baseline__{datetime.now(UTC).isoformat()}"
        _print_head(console, run)
        told: _Told = run_events.LocalEvents(run) if events else _Progress(console, run, quiet)
        failure = _follow(run, told, baseline)
        _print_end(console, run, cells)
        if output is not None:
            write(output, executed_whole(pipeline.document, store, run.results))
        if as_json:
            run_report.print_json(run, failure)
        if settings.html():  # pages too, now that nothing is timed any more
            folder = keys.run_prefix(run.dag_id, run.run_id)
            make_pages_apart(folder, environment(store.connection))
        explained = _explained(console, run, failure) if failure else None
        if events:
            run_events.over(str(explained) if explained else None)
        if explained:
            raise explained


def _print_head(console: Console, run: LocalRun) -> None:
    """Say which run this is, with which values, and which tags do nothing here."""
    values = "".join(f", {name}={value!r}" for name, value in run.parameters.items())
    _remark(console, f"run   {run.run_id} of {run.dag_id}{values}")
    ignored = [
        f"{setting} of {stage.name}"
        for stage in outline(run.pipeline).stages
        for setting in stage.not_applied
    ]
    if ignored:
        _remark(console, f"not applied by local processes: {', '.join(ignored)}")


def _remark(console: Console, text: str) -> None:
    console.print(Text(text, "dim"), soft_wrap=True)


class _Told(Protocol):
    """Who is told what happens, in the threads that follow the stages."""

    def begin(self, baseline: bool) -> None: ...

    def start(self, plan: StagePlan) -> StagePlan: ...

    def line(self, stage: str, text: str) -> None: ...

    def ended(self, stage: str, seconds: float, succeeded: bool) -> None: ...


def _follow(run: LocalRun, told: _Told, baseline: bool) -> StageError | None:
    """Run the stages, or the notebook as one process; returns why it did not succeed."""
    run.ended = told.ended
    try:
        told.begin(baseline)
        if baseline:
            run.run_baseline(told.line)
        else:
            run.run(told.line, told.start)
    except StageError as error:
        return error
    return None


class _Progress:
    """Tells what a run does while it does it, from the threads that follow its stages."""

    def __init__(self, console: Console, run: LocalRun, quiet: bool) -> None:
        self.console, self.quiet = console, quiet
        self.width = min(20, max(len(stage.name) for stage in run.pipeline.stages))

    def begin(self, baseline: bool) -> None:
        """Say that the notebook begins as one process; its stages say so themselves."""
        if baseline:
            self._print("notebook", Text("starts", "dim"))

    def start(self, plan: StagePlan) -> StagePlan:
        """Say that a stage begins; its plan stays as it is."""
        self._print(plan.stage, Text("starts", "dim"))
        return plan

    def line(self, stage: str, text: str) -> None:
        """Print a line of a stage's output."""
        if not self.quiet:
            self._print(stage, Text.from_ansi(text))

    def ended(self, stage: str, seconds: float, succeeded: bool) -> None:
        """Say how a stage ended."""
        how = ("done in", "green") if succeeded else ("failed after", "red")
        self._print(stage, Text(f"{how[0]} {seconds:.2f} s", how[1]))

    def _print(self, stage: str, text: Text) -> None:
        head = f"{stage:{self.width}} │ "
        self.console.print(Text.assemble((head, "dim"), text), soft_wrap=True)


def _print_end(console: Console, run: LocalRun, cells: bool) -> None:
    """Print the breakdown, the metrics and where the executed notebooks are."""
    rows = [row_of(result, run.seconds.get(name), name) for name, result in run.results.items()]
    run_report.print_breakdown(console, rows, cells)
    run_report.print_metrics(console, run_history.metrics_of(run.results.values()))
    for found in run_history.runs(run.store, run.dag_id, run.run_id):
        stages = dict.fromkeys([*run.results, *(attempt.stage for attempt in found.last_tries)])
        run_report.print_executed(console, found, stages)


def _explained(console: Console, run: LocalRun, error: StageError) -> StageError:
    """Print why a stage failed; returns the error that says so in a line."""
    failures = [(name, r.failure) for name, r in run.results.items() if r.failure is not None]
    if not failures or failures[0][1].message != str(error):
        return error  # its process left no result, or was stopped
    stage, failure = failures[0]
    if failure.traceback:
        console.print()
        console.print(Text(failure.traceback.strip("\n"), "dim"), soft_wrap=True)
    head, newline, rest = failure.message.partition("\n")
    console.print()
    console.print(Text.assemble((head, "bold"), newline, rest), soft_wrap=True)
    return StageError(f"the stage {stage!r} of {run.pipeline.name} failed: {head}")
