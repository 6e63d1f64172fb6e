"""Runs a notebook here, and tells what happens: each stage's output, its end, then the report."""

import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from podline import settings
from podline.cli import report, stores
from podline.cli.console import make_console
from podline.cli.stage_times import rows_of
from podline.compiler.outline import outline
from podline.compiler.pipeline import Pipeline
from podline.contract import StagePlan
from podline.exceptions import StageError
from podline.operators.local_run import LocalRun
from podline.operators.process_backend import environment
from podline.runner.html_export import make_pages_apart
from podline.store import keys, run_history


def run(
    pipeline: Pipeline, values: dict[str, Any], baseline: bool, quiet: bool, cells: bool
) -> None:
    """Run a notebook by local processes.

    Args:
        pipeline: the notebook.
        values: of its parameters.
        baseline: whether as one process.
        quiet: whether to leave out what the cells print.
        cells: whether to tell the seconds of each cell.

    Raises:
        StageError: a stage failed; why was printed.
    """
    console = make_console()
    with stores.opened(lambda line: _remark(console, line)) as store:
        local = LocalRun(pipeline, store, values)
        if baseline:
            local.run_id = f"baseline__{datetime.now(UTC).isoformat()}"
        _print_head(console, local)
        progress = _Progress(console, local, quiet)
        failure: StageError | None = None
        try:
            if baseline:
                progress.begin("notebook")
                local.run_baseline(progress.line)
            else:
                local.run(progress.line, progress.start)
        except StageError as error:
            failure = error
        progress.end()
        _print_end(console, local, cells)
        _keep_pages(local)
        if failure:
            raise _told(console, local, progress.stage, failure)


def _print_head(console: Console, local: LocalRun) -> None:
    """Say which run this is, with which values, and which tags do nothing here."""
    values = "".join(f", {name}={value!r}" for name, value in local.parameters.items())
    _remark(console, f"run   {local.run_id} of {local.pipeline.name}{values}")
    ignored = [
        f"{setting} of {stage.name}"
        for stage in outline(local.pipeline).stages
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

    def start(self, plan: StagePlan) -> StagePlan:
        """End the stage before, and begin this one."""
        self.end()
        self.begin(plan.stage)
        return plan

    def begin(self, stage: str) -> None:
        """Note that a stage starts."""
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
    rows = rows_of(run.results, run.seconds)
    report.print_breakdown(console, rows, cells)
    report.print_metrics(console, run_history.metrics_of(run.results.values()))
    for found in run_history.runs(run.store, run.pipeline.name, run.run_id):
        stages = dict.fromkeys([*run.results, *(attempt.stage for attempt in found.last_tries)])
        report.print_executed(console, found, stages)


def _keep_pages(run: LocalRun) -> None:
    """Keep the executed notebooks as pages too, when nothing is timed any more."""
    if settings.html():
        folder = keys.run_prefix(run.pipeline.name, run.run_id)
        make_pages_apart(folder, environment(run.store.connection))


def _told(console: Console, run: LocalRun, stage: str, error: StageError) -> StageError:
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
