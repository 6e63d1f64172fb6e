"""`podline run`: a notebook's stages as local processes, and what happens told meanwhile."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from podline import settings
from podline.cli import run_report
from podline.cli.console import make_console
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
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Run the whole notebook as one process.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Leave out what the cells print.")
    ] = False,
    cells: Cells = False,
) -> None:
    """Run a notebook's stages here, and say where the time went.

    Each stage is a local process; Airflow is not needed. The store is the one that the
    environment's connection names, or else the embedded one.
    """
    pipeline = compiled(notebook)
    values = read_parameters(pipeline, parameter or [])
    console = make_console()
    with opened(lambda line: _remark(console, line)) as store:
        run = LocalRun(pipeline, store, values)
        if baseline:
            run.run_id = f"baseline__{datetime.now(UTC).isoformat()}"
        _print_head(console, run)
        progress = _Progress(console, run, quiet)
        failure = progress.follow(baseline)
        _print_end(console, run, cells)
        if settings.html():  # pages too, now that nothing is timed any more
            folder = keys.run_prefix(run.pipeline.name, run.run_id)
            make_pages_apart(folder, environment(store.connection))
        if failure:
            raise _explained(console, run, progress.stage, failure)


def _print_head(console: Console, run: LocalRun) -> None:
    """Say which run this is, with which values, and which tags do nothing here."""
    values = "".join(f", {name}={value!r}" for name, value in run.parameters.items())
    _remark(console, f"run   {run.run_id} of {run.pipeline.name}{values}")
    ignored = [
        f"{setting} of {stage.name}"
        for stage in outline(run.pipeline).stages
        for setting in stage.not_applied
    ]
    if ignored:
        _remark(console, f"not applied by local processes: {', '.join(ignored)}")


def _remark(console: Console, text: str) -> None:
    console.print(Text(text, "dim"), soft_wrap=True)


class _Progress:
    """Tells what a run does while it does it."""

    def __init__(self, console: Console, run: LocalRun, quiet: bool) -> None:
        self.console, self.run, self.quiet = console, run, quiet
        self.width = min(20, max(len(stage.name) for stage in run.pipeline.stages))
        self.stage = ""  # the one that runs
        self.since = time.monotonic()

    def follow(self, baseline: bool) -> StageError | None:
        """Run the stages, or the notebook as one process; returns why it did not succeed."""
        failure = None
        try:
            if baseline:
                self.begin("notebook")
                self.run.run_baseline(self.line)
            else:
                self.run.run(self.line, self.start)
        except StageError as error:
            failure = error
        self.end()
        return failure

    def start(self, plan: StagePlan) -> StagePlan:
        """Begin a stage; its plan stays as it is."""
        self.begin(plan.stage)
        return plan

    def begin(self, stage: str) -> None:
        """End the stage before, and note that this one starts."""
        self.end()
        self.stage, self.since = stage, time.monotonic()
        self._print(Text("starts", "dim"))

    def line(self, stage: str, text: str) -> None:
        """Print a line of a stage's output."""
        if not self.quiet:
            self._print(Text.from_ansi(text))

    def end(self) -> None:
        """Say how the stage ended, if one ran."""
        if not self.stage:
            return
        result = self.run.results.get(self.stage)
        seconds = self.run.seconds.get(self.stage, time.monotonic() - self.since)
        succeeded = result is not None and result.succeeded
        how = ("done in", "green") if succeeded else ("failed after", "red")
        self._print(Text(f"{how[0]} {seconds:.2f} s", how[1]))

    def _print(self, text: Text) -> None:
        head = f"{self.stage:{self.width}} │ "
        self.console.print(Text.assemble((head, "dim"), text), soft_wrap=True)


def _print_end(console: Console, run: LocalRun, cells: bool) -> None:
    """Print the breakdown, the metrics and where the executed notebooks are."""
    rows = [row_of(result, run.seconds.get(name), name) for name, result in run.results.items()]
    run_report.print_breakdown(console, rows, cells)
    run_report.print_metrics(console, run_history.metrics_of(run.results.values()))
    for found in run_history.runs(run.store, run.pipeline.name, run.run_id):
        stages = dict.fromkeys([*run.results, *(attempt.stage for attempt in found.last_tries)])
        run_report.print_executed(console, found, stages)


def _explained(console: Console, run: LocalRun, stage: str, error: StageError) -> StageError:
    """Print why a stage failed; returns the error that says so in a line."""
    result = run.results.get(stage)
    if result is None or result.failure is None:
        return error  # its process left no result
    failure = result.failure
    if failure.traceback:
        console.print()
        console.print(Text(failure.traceback.strip("\n"), "dim"), soft_wrap=True)
    head, newline, rest = failure.message.partition("\n")
    console.print()
    console.print(Text.assemble((head, "bold"), newline, rest), soft_wrap=True)
    return StageError(f"the stage {stage!r} of {run.pipeline.name} failed: {head}")
