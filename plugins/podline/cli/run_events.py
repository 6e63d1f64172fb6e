"""What happens in a run, told to a program: one JSON object a line, as it happens.

Each has an `event` and, but for `line`, a `time` in seconds since the epoch::

    wait   text                                         what the run's beginning waits for
    run    dag_id, run_id, stages (names; of a run here in an order in which they can run),
           parameters, url (of its page in Airflow; empty: it is not there)
    start  stage
    line   stage, text                                  a line of the stage's output
    phase  stage, phase, since                          what the stage is at, under Airflow
    end    stage, seconds, succeeded, phases (seconds by name), cells (seconds by number), failure
    over   state (success or failed), failure           the last one
"""

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from podline.cli.stage_times import row_of

if TYPE_CHECKING:
    from podline.contract import StagePlan
    from podline.operators.local_run import LocalRun

_one_at_a_time = threading.Lock()


def tell(event: str, **about: Any) -> None:
    """Print an event; threads may do so at once."""
    line = json.dumps({"event": event, **about}, ensure_ascii=False, default=str)
    with _one_at_a_time:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def begin(
    dag_id: str,
    run_id: str,
    stages: Sequence[str],
    parameters: Mapping[str, Any],
    url: str = "",
) -> None:
    """Tell which run it is; `url` is that of its page in Airflow."""
    about = {"dag_id": dag_id, "run_id": run_id, "stages": [*stages], "parameters": parameters}
    tell("run", time=time.time(), **about, url=url)


def over(failure: str | None) -> None:
    """Tell that the run is over, and why it failed; None: it did not."""
    tell("over", time=time.time(), state="failed" if failure else "success", failure=failure)


class LocalEvents:
    """Tells of a run by local processes, from the threads that follow its stages."""

    def __init__(self, run: "LocalRun") -> None:
        self.run = run

    def begin(self, baseline: bool) -> None:
        """Tell which run it is."""
        stages = [stage.name for stage in self.run.pipeline.in_order()]
        stages = ["notebook"] if baseline else stages
        begin(self.run.dag_id, self.run.run_id, stages, self.run.parameters)

    def start(self, plan: "StagePlan") -> "StagePlan":
        """Tell that a stage begins; its plan stays as it is."""
        tell("start", time=time.time(), stage=plan.stage)
        return plan

    def line(self, stage: str, text: str) -> None:
        """Tell a line of a stage's output."""
        tell("line", stage=stage, text=text)

    def ended(self, stage: str, seconds: float, succeeded: bool) -> None:
        """Tell how a try of a stage ended, and where its time went, if it left a result."""
        about: dict[str, Any] = {"phases": {}, "cells": {}, "failure": None}
        if result := self.run.results.get(stage):
            row = row_of(result, seconds)
            about["phases"] = row.phases
            about["cells"] = {cell.number: cell.seconds for cell in row.cells}
            about["failure"] = asdict(result.failure) if result.failure else None
        ended = {"seconds": seconds, "succeeded": succeeded}
        tell("end", time=time.time(), stage=stage, **ended, **about)
