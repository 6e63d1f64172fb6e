"""Records and measurements as a run of three stages leaves them."""

from typing import Any

from podline.latency.record import Record
from podline_studies.overhead.design import Combination
from podline_studies.overhead.measurement import Measurement, Task

POD = {
    "prepare": 0.05, "submit": 0.05, "schedule": 0.01, "pull": 0.0, "start": 0.2, "boot": 0.15,
    "fetch": 0.02, "imports": 0.3, "load": 0.03, "code": 2.0, "dump": 0.04, "store": 0.05,
    "notice": 0.01, "finish": 0.02,
}  # fmt: skip
CHILD = {
    "prepare": 0.05, "submit": 0.05, "boot": 0.2, "fetch": 0.01, "imports": 0.0, "load": 0.0,
    "code": 3.0, "dump": 0.01, "store": 0.05, "notice": 0.01, "finish": 0.03,
}  # fmt: skip


def record(task: str, start: float, phases: dict[str, float], **changes: Any) -> Record:
    """A try that began so many seconds after the epoch's second 1000."""
    listed, at = [], 0.0
    for name, seconds in phases.items():
        listed.append({"name": name, "start": at, "seconds": seconds, "source": "stage",
                       "precision": 0.001})  # fmt: skip
        at += seconds
    given = {
        "version": 1, "dag_id": "n", "run_id": "r", "task_id": task, "try_number": 1,
        "kind": "stage", "backend": "kubernetes", "state": "success", "start": 1000 + start,
        "end": 1000 + start + at, "run_start": 1000.0, "phases": listed,
    }  # fmt: skip
    return Record.model_validate(given | changes)


def chain(**changes: Any) -> dict[str, Task]:
    """Two stages, one after the other, and one beside the second that ends before it."""
    first = record("first", 0.5, POD)
    later = {"upstream": ("first",)}
    beside = record("beside", 3.6, POD | {"code": 0.1}, **later)
    second = record("second", 3.5, POD, **later | changes)
    return {r.task_id: Task(r, None) for r in (first, beside, second)}


def blank(backend: str = "kubernetes", **changes: Any) -> Measurement:
    """What is known of a run before its records are read."""
    given: dict[str, Any] = {
        "combination": Combination(3, "n", backend, 1000, 10, 0), "way": "scheduler", "sitting": 1,
        "attempt": 1, "busy": 0.1, "dag_id": "n", "run_id": "r", "state": "success", "failure": "",
        "started": None, "wall": None, "parts": {}, "counts": {}, "stages": (), "tries": 0,
    }  # fmt: skip
    return Measurement(**given | changes)
