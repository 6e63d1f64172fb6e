"""`podline trigger`: a run of a DAG in Airflow, started and followed from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podline.cli import executed, run_events
from podline.cli.values import AirflowUrl, AirflowUser, read_conf
from podline.exceptions import PodlineError, StageError

if TYPE_CHECKING:
    from podline.airflow_api import Api
    from podline.latency.answers import RunAnswer, Tries

_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
_EVERY = 1.0  # seconds between two looks at a run
_LATE = 5  # looks at a run that has ended, whose last records may be on their way
_NOTE = "started by podline trigger"


def command(
    dag: Annotated[str, typer.Argument(help="A DAG, such as household_power.")],
    conf: Annotated[
        str, typer.Option(help="The run's parameters, such as '{\"rows\": 20000}'.")
    ] = "{}",
    run: Annotated[
        str, typer.Option("--run", help="Follow this run, or latest, and start none.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until Airflow knows the DAG.")
    ] = 0,
    events: Annotated[
        bool,
        typer.Option("--events", help="Follow it, and print what happens as a JSON object a line."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="With --events: file to write the executed notebook to."
        ),
    ] = None,
    url: AirflowUrl = "",
    user: AirflowUser = "admin",
) -> None:
    """Start a run of a DAG in Airflow, and say its id.

    PODLINE_API_TOKEN is used where it is set, as by `podline latency`.
    """
    from podline.airflow_api import Api

    values = read_conf(conf)
    api = Api.open(url, user)
    if not run:
        _await_dag(api, dag, patience, events)
        run = api.start_run(dag, values, _NOTE)
    elif run == "latest":
        run = api.latest_run(dag)
    if events:
        _Follower(api, dag, run, output).follow()
    else:
        typer.echo(run)


def _await_dag(api: Api, dag: str, patience: float, events: bool) -> None:
    """Wait until Airflow knows a DAG, which it reads some time after its file is there."""
    end, told = time.monotonic() + patience, not events
    while (paused := api.is_paused(dag)) is None and time.monotonic() < end:
        if not told:
            run_events.tell("wait", time=time.time(), text="Airflow has yet to read the notebook.")
            told = True
        time.sleep(_EVERY)
    if paused is None:
        raise PodlineError(
            f"Airflow at {api.url} has no DAG {dag!r}. fix: put the notebook there "
            "(`podline deploy`), and wait until Airflow has read it: some minutes, as it is set"
        )
    if paused:
        raise PodlineError(
            f"the DAG {dag!r} is paused, so its runs would wait. fix: unpause it in Airflow"
        )


class _Follower:
    """Tells what happens in a run, by looking at it again and again."""

    def __init__(self, api: Api, dag: str, run: str, output: Path | None) -> None:
        self.api, self.dag, self.run, self.output = api, dag, run, output
        self.path = ("dags", dag, "runs", run)  # below podline's API
        self.begun: set[tuple[str, int]] = set()
        self.ended: set[tuple[str, int]] = set()
        self.phases: dict[str, str] = {}

    def follow(self) -> None:
        """Tell until the run has ended.

        Raises:
            StageError: it failed.
        """
        from podline.latency.answers import RunAnswer

        first, late = True, _LATE
        while True:
            found = self.api.answer(RunAnswer, self.path, {"runs": 1, "limit": 5000})
            if first:
                names = [*dict.fromkeys(found.tries.task_id)]
                url = self.api.page_of_run(self.dag, self.run)
                run_events.begin(self.dag, self.run, names, found.conf or {}, url)
                first = False
            over = found.state in ("success", "failed")
            late -= over
            for row in range(len(found.tries.task_id)):
                self._tell(found.tries, row, late <= 0)
            if over and (late <= 0 or not any(found.tries.partial)):
                return self._over(found)
            time.sleep(_EVERY)

    def _tell(self, tries: Tries, row: int, last: bool) -> None:
        """Tell what is new of a try: its end with its record, which comes a moment later.

        Args:
            tries: of the run.
            row: the try's.
            last: there is no later look.
        """
        stage, number = tries.task_id[row], tries.try_number[row] or 0
        key = (stage, number)
        if tries.start[row] is not None and key not in self.begun:
            self.begun.add(key)
            run_events.tell("start", time=tries.start[row], stage=stage)
        phase = tries.phase_now[row]
        if phase and self.phases.get(stage) != phase:
            self.phases[stage] = phase
            run_events.tell(
                "phase",
                time=time.time(),
                stage=stage,
                phase=phase,
                since=tries.phase_now_since[row],
            )
        ended = tries.state[row] in _ENDED and (last or not tries.partial[row])
        if ended and key not in self.ended:
            self._end(tries, row)
            self.ended.add(key)

    def _end(self, tries: Tries, row: int) -> None:
        columns = {name: column.seconds[row] for name, column in tries.phases.items()}
        phases = {name: seconds for name, seconds in columns.items() if seconds is not None}
        start, end = tries.start[row], tries.end[row]
        failure = tries.failure[row]
        run_events.tell(
            "end",
            time=end or time.time(),
            stage=tries.task_id[row],
            seconds=end - start if start is not None and end is not None else 0.0,
            succeeded=tries.state[row] == "success",
            phases=phases,
            cells=self._cells(tries, row),
            failure={"message": failure, "cell": None, "traceback": ""} if failure else None,
        )

    def _cells(self, tries: Tries, row: int) -> dict[int, float]:
        """The seconds of a try's cells, by number; none where they are not told."""
        from podline.airflow_api import ApiError
        from podline.latency.answers import TryAnswer

        query: dict[str, str | int] = {"map_index": tries.map_index[row], "runs": 1}
        if number := tries.try_number[row]:
            query["try_number"] = number
        with suppress(ApiError):
            found = self.api.answer(TryAnswer, (*self.path, "tasks", tries.task_id[row]), query)
            return {cell.number: cell.seconds for cell in found.cells}
        return {}

    def _notebooks(self, tries: Tries) -> Iterator[str]:
        """The executed notebooks of the tasks' last tries, as far as they may be seen."""
        from podline.airflow_api import ApiError

        for task in dict.fromkeys(tries.task_id):
            with suppress(ApiError):
                path = (*self.path, "tasks", task, "notebook")
                yield self.api.text(path, {"form": "ipynb"})

    def _over(self, found: RunAnswer) -> None:
        if self.output is not None and (notebooks := [*self._notebooks(found.tries)]):
            executed.write(self.output, executed.merged(notebooks))
        names = zip(found.tries.task_id, found.tries.failure, strict=True)
        failures = [f"{name}: {failure}" for name, failure in names if failure]
        failed = found.state == "failed"
        reason = "; ".join(failures) or "see its tasks in Airflow" if failed else None
        run_events.over(reason)
        if failed:
            raise StageError(f"the run {self.run} of {self.dag} failed: {reason}")
