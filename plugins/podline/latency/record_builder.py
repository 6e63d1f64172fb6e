"""Makes the record of a try from Airflow's task instance and what was seen of it."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from podline.airflow_compat import is_resumed, is_supervised
from podline.latency import timeline
from podline.latency.observations import Observed
from podline.latency.record import VERSION, Record
from podline.runner.clock import process_age
from podline.store.keys import TryKey

_LONGEST = 2000  # characters of a failure
_IDS = ("dag_id", "run_id", "task_id", "map_index", "try_number")
_ORPHAN = "its worker died: this is what its pod knows of it"
_DEAD = "its worker died: this is what its pod and the next try know of it"


def record_of(ti: Any, began: float, error: BaseException | str | None) -> Record:
    """Return the record of a try that has ended.

    Args:
        ti: Airflow's RuntimeTaskInstance.
        began: when the task's own work began (epoch).
        error: why it failed.
    """
    start, end = _start(ti), _end(ti)
    about = {**_identity(ti), "start": round(start, 6), "end": round(end, 6)}
    about |= {
        "state": ti.state.value,
        "failure": str(error or "")[:_LONGEST],
    }
    seen: Observed | None = getattr(ti.task, "observed", None)
    about["kind"] = _kind(ti.task)
    if seen is not None:
        return Record.model_validate(about | _of_stage(start, end, seen))
    times, facts = _stock_pod(ti.task)
    phases = timeline.task_phases(start, end, began, times)
    return Record.model_validate(about | facts | {"phases": phases})


def prefix_of(ti: Any) -> str:
    """Return the try's folder in the store."""
    seen: Observed | None = getattr(ti.task, "observed", None)
    return (seen.prefix if seen else "") or TryKey.of(ti).prefix


def _start(ti: Any) -> float:
    """When the try began, as Airflow's database has it.

    A supervisor forks the task's process, notes the time, and tells the database; only then it
    tells the process, which is given a later time: by 25 ms, or by seconds where that took long.
    """
    told = float(ti.start_date.timestamp())
    if is_resumed(ti) or not is_supervised():
        return told
    return min(told, time.time() - process_age())


def _end(ti: Any) -> float:
    """When the try ended; of one that skipped itself Airflow does not say it here."""
    return time.time() if ti.end_date is None else ti.end_date.timestamp()


def lost_record(ti: Any, where: TryKey) -> tuple[str, Record]:
    """Return the folder and the record of an earlier try whose worker died.

    Args:
        ti: Airflow's RuntimeTaskInstance, of a later try.
        where: the earlier one.
    """
    seen: Observed | None = getattr(ti.task, "observed", None)
    lost = seen.lost if seen else ()
    left = next((entry for entry in lost if entry["number"] == where.try_number), None)
    about = {**_identity(ti), "try_number": where.try_number, "state": "failed", "partial": _DEAD}
    about |= {"start": None, "end": None, "kind": _kind(ti.task)}
    if left is None:
        return where.prefix, Record.model_validate(about)
    start, seen = left["start"], Observed(**left["seen"])
    # How long it went on nobody knows: it had ended when this try began.
    until = min(seen.status.get("ended", ti.start_date.timestamp()), ti.start_date.timestamp())
    about |= {**_of_stage(start, until, seen), "start": round(start, 6)}
    return seen.prefix, Record.model_validate(about)


def orphan_record(left: Mapping[str, Any]) -> tuple[str, Record]:
    """Return the folder and the record of a try that only a pod is left of.

    Args:
        left: what the pod tells, as an entry of `Observed.lost`.
    """
    start, seen = left["start"], Observed(**left["seen"])
    where, _ = TryKey.parse(f"{seen.prefix}/pod")
    until = seen.status.get("ended", time.time())
    about = {name: getattr(where, name) for name in _IDS} | _of_stage(start, until, seen)
    about |= {"version": VERSION, "kind": "stage", "state": "failed", "partial": _ORPHAN}
    return seen.prefix, Record.model_validate({**about, "start": round(start, 6), "end": None})


def _identity(ti: Any) -> dict[str, Any]:
    run_start = ti.get_template_context()["dag_run"].start_date
    return {
        "version": VERSION,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": -1 if ti.map_index is None else ti.map_index,
        "try_number": ti.try_number,
        "run_start": round(run_start.timestamp(), 6) if run_start else None,
        "upstream": sorted(ti.task.upstream_task_ids),
    }


def _kind(task: Any) -> str:
    if hasattr(task, "observed"):
        return "stage" if task.stage else "notebook"
    return "pod" if _is_stock(task) else "task"


def _is_stock(task: Any) -> bool:
    # Where the module was not imported there is no such task.
    stock = sys.modules.get("airflow.providers.cncf.kubernetes.operators.pod")
    return stock is not None and isinstance(task, stock.KubernetesPodOperator)


def _of_stage(start: float, end: float, seen: Observed) -> dict[str, Any]:
    """The fields of a record that tell of a stage."""
    skew = timeline.clock_skew(seen)
    before, after = timeline.outside(start, end, seen)
    fields: dict[str, Any] = {
        "backend": seen.backend,
        "phases": [*before, *timeline.stage_phases(start, end, seen, skew), *after],
        "events": seen.events,
        "deferred": seen.deferred,
        "adopted_from": seen.adopted_from,
        "gone": seen.marks.get("gone"),
        **{name: text for name, text in seen.pod.items() if name != "uid"},
    }
    if (result := seen.result) is not None:
        fields |= {
            "cells": timeline.cells_of(result, start, skew),
            "bytes_in": result.bytes_in,
            "bytes_out": result.bytes_out,
            "executed_notebook": result.executed_notebook,
            "peak_memory": result.peak_memory,
            "skew": skew if seen.backend == "kubernetes" else None,
        }
        if result.failure is not None:
            fields["failure"] = result.failure.message[:_LONGEST]
    return fields


def _stock_pod(task: Any) -> tuple[dict[str, float], dict[str, str]]:
    """When what happened to the pod of a stock operator (epoch, whole seconds), and which it is."""
    pod = (getattr(task, "remote_pod", None) or task.pod) if _is_stock(task) else None
    if pod is None:
        return {}, {}
    container: Any = next(
        (c for c in pod.status.container_statuses or () if c.name == task.base_container_name), None
    )
    state = container.state if container else None
    ended = state.terminated if state else None
    running = (state.running if state else None) or ended
    stamps = {
        "created": pod.metadata.creation_timestamp,
        "bound": pod.status.start_time,
        "running": running.started_at if running else None,
        "ended": ended.finished_at if ended else None,
    }
    facts = {
        "pod": pod.metadata.name,
        "namespace": pod.metadata.namespace,
        "node": pod.spec.node_name or "",
        "image": pod.spec.containers[0].image or "",
    }
    return {name: at.timestamp() for name, at in stamps.items() if at}, facts
