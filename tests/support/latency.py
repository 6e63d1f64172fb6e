"""What must hold for the record of any try."""

import time
from typing import Any
from urllib.parse import quote

from podline.contract import CellTime, Heap, StageResult
from podline.contract import Phase as StagePhase
from podline.latency.record import Record
from podline.phases import OUTSIDE
from tests.support.airflow_server import Airflow

SECONDS = {"prepare": 0.1, "code": 0.8, "finish": 0.1}

SUM = 0.010  # seconds that phases may differ from the duration


def one_try(
    airflow: Airflow, dag_id: str, run_id: str, task_id: str, number: int = 1
) -> dict[str, Any]:
    """What podline's API says of a try; its record comes a moment after its end.

    Args:
        airflow: is asked.
        dag_id, run_id, task_id, number: the try.
    """
    run = quote(run_id, safe="")
    path = f"/podline/api/v1/dags/{dag_id}/runs/{run}/tasks/{task_id}?try_number={number}"
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = airflow.call("GET", path)
        if "left no record" not in found["partial"] or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def lengths(found: dict[str, Any]) -> dict[str, float]:
    """The phases of a whole try: contiguous, not negative, and in sum as long as Airflow says.

    Its cells are where its code is, but for those that an adopted pod ran before the try.
    """
    assert not found["partial"], found["partial"]
    at = 0.0
    for phase in found["phases"]:
        assert phase["seconds"] >= 0, phase
        assert phase["source"], phase
        if phase["name"] not in OUTSIDE:
            assert abs(phase["start"] - at) < 1e-5, phase
            at = phase["start"] + phase["seconds"]
    assert abs(at - (found["end"] - found["start"])) < SUM
    if found["adopted_from"] is None:
        _assert_in_code(found)
    return {phase["name"]: phase["seconds"] for phase in found["phases"]}


def _assert_in_code(found: dict[str, Any]) -> None:
    for cell in found["cells"]:
        code = next(phase for phase in found["phases"] if phase["name"] == "code")
        assert code["start"] - SUM < cell["start"], cell
        assert cell["start"] + cell["seconds"] < code["start"] + code["seconds"] + SUM, cell


def phase(name: str, seconds: float, start: float = 0.0) -> dict[str, Any]:
    """A phase as JSON; times in seconds."""
    about = {"source": "worker", "precision": 0.001}
    return {"name": name, "start": start, "seconds": seconds, **about}


def record(task: str, start: float = 0.0, **changes: Any) -> Record:
    """A record of a stage of one second, `start` seconds after its run began."""
    phases, at = [], 0.0
    for name, length in changes.pop("phases", SECONDS).items():
        phases.append(phase(name, length, at))
        at += length
    which = {"dag_id": "d", "run_id": "r", "task_id": task, "try_number": 1}
    times = {"start": 1000 + start, "end": 1000 + start + at, "run_start": 999.5}
    about = {"version": 1, "kind": "stage", "state": "success", "phases": phases}
    return Record.model_validate({**which, **times, **about, **changes})


def stage_result(
    phases: tuple[StagePhase, ...], cells: tuple[CellTime, ...] = (), **changes: Any
) -> StageResult:
    """The result of a stage that measured this; all else is empty."""
    texts = dict.fromkeys(("nonce", "plan_sha256", "notebook_sha256", "executed_notebook"), "")
    numbers = dict.fromkeys(("bytes_in", "bytes_out", "peak_memory", "started"), 0)
    given: dict[str, Any] = {"stage": "s", **texts, **numbers, "files": {}, "metrics": {}}
    given |= {"phases": phases, "cells": cells, "heap": Heap(), "succeeded": True}
    return StageResult(**given | changes)
