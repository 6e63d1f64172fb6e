"""Records and measurements as a run of three stages leaves them."""

from dataclasses import replace
from typing import Any

from podline.latency.record import Phase, Record
from podline_studies.overhead.design import Combination
from podline_studies.overhead.measurement import Measurement, Task


def _seconds(phases: str) -> dict[str, float]:
    return {name: float(of) for name, of in (phase.split("=") for phase in phases.split())}


POD = _seconds(
    "prepare=0.05 submit=0.05 schedule=0.01 pull=0 start=0.2 boot=0.15 fetch=0.02 imports=0.3 "
    "load=0.03 code=2 dump=0.04 store=0.05 notice=0.01 finish=0.02"
)
CHILD = _seconds(
    "prepare=0.05 submit=0.05 boot=0.2 fetch=0.01 imports=0 load=0 code=3 dump=0.01 store=0.05 "
    "notice=0.01 finish=0.03"
)


def record(task: str, start: float, phases: dict[str, float], **changes: Any) -> Record:
    """A try.

    Args:
        task: the task's id.
        start: in seconds after the epoch's second 1000.
        phases: seconds by name.
        changes: of the record's other fields.
    """
    listed, at = [], 0.0
    for name, seconds in phases.items():
        of = Phase(name=name, start=at, seconds=seconds, source="stage", precision=0.001)
        listed.append(of)
        at += seconds
    given = Record(
        version=1,
        dag_id="n",
        run_id="r",
        task_id=task,
        try_number=1,
        kind="stage",
        backend="kubernetes",
        state="success",
        start=1000 + start,
        end=1000 + start + at,
        run_start=1000.0,
        phases=tuple(listed),
    )
    return Record.model_validate(dict(given) | changes)


def chain(**changes: Any) -> dict[str, Task]:
    """Two stages, one after the other, and one beside the second that ends before it."""
    first = record("first", 0.5, POD)
    later = {"upstream": ("first",)}
    beside = record("beside", 3.6, POD | {"code": 0.1}, **later)
    second = record("second", 3.5, POD, **later | changes)
    return {r.task_id: Task(r, None) for r in (first, beside, second)}


def blank(backend: str = "kubernetes", **changes: Any) -> Measurement:
    """What is known of a run before its records are read."""
    of = Combination(3, "n", backend, 1000, 10, 0)
    given = Measurement(of, "scheduler", 1, 1, busy=0.1, dag_id="n", run_id="r", state="success")
    return replace(given, **changes)
