"""Makes the record of a try from Airflow's task instance and what was seen of it."""

import sys
import time
from dataclasses import asdict
from typing import Any

from podline.airflow_compat import is_resumed, is_supervised
from podline.latency import timeline
from podline.latency.observations import LostTry, Observed, PodFacts, PodTimes
from podline.latency.record import DEAD, ORPHAN, VERSION, Record, epoch
from podline.runner.clock import process_age
from podline.secrecy import redacted
from podline.settings import Backend
from podline.store.keys import TryKey

_LONGEST = 2000  # characters of a failure

_Fields = dict[str, Any]  # of a `Record`, which checks them


def record_of(ti: Any, began: float, error: BaseException | str | None) -> Record:
    """Return the record of a try that has ended.

    Args:
        ti: Airflow's RuntimeTaskInstance.
        began: when the task's own work began (epoch).
        error: why it failed.
    """
    start, end, seen = start_of(ti), _end(ti), _seen(ti)
    about = _identity(ti) | {"start": round(start, 6), "end": round(end, 6)}
    about |= {"state": ti.state.value, "failure": _told(_named_error(error))}
    if seen is not None:
        return Record.model_validate(about | _of_stage(start, end, seen))
    times, facts = _stock_pod(ti.task)
    phases = timeline.task_phases(start, end, began, times)
    return Record.model_validate(about | _named(facts) | {"phases": phases})


def prefix_of(ti: Any) -> str:
    """Return the try's folder in the store."""
    seen = _seen(ti)
    return (seen.prefix if seen else "") or TryKey.of(ti).prefix


def lost_record(ti: Any, where: TryKey) -> tuple[str, Record]:
    """Return the folder and the record of an earlier try whose worker died.

    Args:
        ti: Airflow's RuntimeTaskInstance, of a later try.
        where: the earlier one.
    """
    seen = _seen(ti)
    lost = seen.lost if seen else ()
    left = next((entry for entry in lost if entry.number == where.try_number), None)
    about = _identity(ti) | {"try_number": where.try_number, "state": "failed", "partial": DEAD}
    about |= {"start": None, "end": None}
    if left is None:
        return where.prefix, Record.model_validate(about)
    until = ti.start_date.timestamp()  # it had ended when this try began
    return left.seen.prefix, Record.model_validate(about | _of_lost(left, until))


def orphan_record(left: LostTry) -> tuple[str, Record]:
    """Return the folder and the record of a try that only a pod is left of."""
    where = TryKey.at(left.seen.prefix)
    about = _ids(where) | {"kind": "stage", "state": "failed", "partial": ORPHAN, "end": None}
    return left.seen.prefix, Record.model_validate(about | _of_lost(left, time.time()))


def _seen(ti: Any) -> Observed | None:
    seen: Observed | None = getattr(ti.task, "observed", None)
    return seen


def start_of(ti: Any) -> float:
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
    return time.time() if ti.end_date is None else float(ti.end_date.timestamp())


def _identity(ti: Any) -> _Fields:
    run_start = ti.get_template_context()["dag_run"].start_date
    return {
        **_ids(TryKey.of(ti)),
        "kind": _kind(ti.task),
        "run_start": round(run_start.timestamp(), 6) if run_start else None,
        "upstream": sorted(ti.task.upstream_task_ids),
    }


def _ids(where: TryKey) -> _Fields:
    ids = {name: value for name, value in asdict(where).items() if name != "nonce"}
    return {"version": VERSION, **ids}


def _kind(task: Any) -> str:
    if hasattr(task, "observed"):
        return "stage" if task.stage else "notebook"
    return "pod" if _is_stock(task) else "task"


def _is_stock(task: Any) -> bool:
    # Where the module was not imported there is no such task.
    stock = sys.modules.get("airflow.providers.cncf.kubernetes.operators.pod")
    return stock is not None and isinstance(task, stock.KubernetesPodOperator)


def _of_stage(start: float, end: float, seen: Observed) -> _Fields:
    """The fields that tell of a stage, whose try had this start and end (epoch)."""
    skew = timeline.clock_skew(seen)
    before, after = timeline.outside(start, end, seen)
    fields: _Fields = {
        "backend": seen.backend,
        "phases": [*before, *timeline.stage_phases(start, end, seen, skew), *after],
        "events": [asdict(event) for event in seen.events],
        "deferred": seen.deferred,
        "adopted_from": seen.adopted_from,
        "gone": seen.moments.gone,
        "ahead": timeline.ahead_of(seen, skew),
        **_named(seen.pod),
    }
    if (result := seen.result) is not None:
        fields |= {
            "cells": timeline.cells_of(result, start, skew),
            "bytes_in": result.bytes_in,
            "bytes_out": result.bytes_out,
            "executed_notebook": result.executed_notebook,
            "peak_memory": result.peak_memory,
            "skew": skew if seen.backend == Backend.KUBERNETES else None,
        }
        if result.failure is not None:
            fields["failure"] = _told(result.failure.message)
    return fields


def _of_lost(left: LostTry, until: float) -> _Fields:
    """The fields of a try whose worker died: how long it went on nobody knows.

    Args:
        left: what its pod tells.
        until: when it had ended at the latest (epoch).
    """
    ended = left.seen.status.ended
    end = until if ended is None else min(ended, until)
    return _of_stage(left.start, end, left.seen) | {"start": round(left.start, 6)}


def _named_error(error: BaseException | str | None) -> str:
    """An error as Python shows it: its type says more than its text, which may be empty."""
    if not isinstance(error, BaseException):
        return error or ""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _told(why: str) -> str:
    return redacted(why)[:_LONGEST]


def _named(pod: PodFacts) -> _Fields:
    return {name: text for name, text in asdict(pod).items() if name != "uid"}


def _stock_pod(task: Any) -> tuple[PodTimes, PodFacts]:
    """When what happened to the pod of a stock operator, and which it is."""
    pod = (getattr(task, "remote_pod", None) or task.pod) if _is_stock(task) else None
    if pod is None:
        return PodTimes(), PodFacts()
    container: Any = next(
        (c for c in pod.status.container_statuses or () if c.name == task.base_container_name), None
    )
    state = container.state if container else None
    ended = state.terminated if state else None
    running = (state.running if state else None) or ended
    times = PodTimes(
        created=epoch(pod.metadata.creation_timestamp),
        bound=epoch(pod.status.start_time),
        running=epoch(running and running.started_at),
        ended=epoch(ended and ended.finished_at),
    )
    facts = PodFacts(
        pod=pod.metadata.name,
        namespace=pod.metadata.namespace,
        node=pod.spec.node_name or "",
        image=pod.spec.containers[0].image or "",
    )
    return times, facts
