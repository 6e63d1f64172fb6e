"""The phases of a try among Airflow's own metrics and traces, where those are on.

Named as Airflow names its own: ``[metrics]`` and ``[traces]`` say where they go.
"""

from collections.abc import Iterator
from typing import NamedTuple

from podline.latency.record import Phase, Record

PHASE = "podline.phase.duration"
OVERHEAD = "podline.try.overhead"
_NAMED = "podline.dag.{dag_id}.{task_id}"  # where a server of metrics knows no tags
_NANOSECONDS = 1_000_000_000


class Timing(NamedTuple):
    """A metric of the kind that Airflow calls a timer.

    Attributes:
        name: without the prefix that Airflow gives all of them.
        milliseconds: its value.
        tags: by which servers of metrics group it.
    """

    name: str
    milliseconds: float
    tags: dict[str, str]


def send(record: Record) -> None:
    """Tell Airflow's metrics and traces of a try that has ended.

    Args:
        record: the try's.
    """
    from airflow.sdk.observability import stats

    for timing in timings(record, _legacy_names()):
        stats.timing(timing.name, timing.milliseconds, tags=timing.tags)
    _send_spans(record)


def timings(record: Record, legacy_names: bool) -> Iterator[Timing]:
    """Yield what a try tells Airflow's metrics.

    Args:
        record: the try's.
        legacy_names: whether each comes a second time, with the ids in its name.
    """
    about = {"dag_id": record.dag_id, "task_id": record.task_id}
    if record.backend:
        about["backend"] = record.backend
    named = _NAMED.format(dag_id=_part(record.dag_id), task_id=_part(record.task_id))
    for phase in record.phases:
        milliseconds = phase.seconds * 1000
        yield Timing(PHASE, milliseconds, {**about, "phase": phase.name})
        if legacy_names:
            yield Timing(f"{named}.{phase.name}.duration", milliseconds, {})
    yield Timing(OVERHEAD, record.overhead * 1000, {**about, "state": record.state})
    if legacy_names:
        yield Timing(f"{named}.overhead", record.overhead * 1000, {})


def _part(name: str) -> str:
    """An id as one part of a metric's name, as Airflow writes it."""
    from airflow.sdk.observability.stats import normalize_name_for_stats

    return normalize_name_for_stats(name, log_warning=False).replace(".", "__")


def _legacy_names() -> bool:
    from airflow.sdk.configuration import conf

    return bool(conf.getboolean("metrics", "legacy_names_on"))


def _send_spans(record: Record) -> None:
    """A span a phase, below the task's own: that is there where the run is traced."""
    from opentelemetry import trace

    if record.start is None or not trace.get_current_span().is_recording():
        return
    tracer = trace.get_tracer(__name__)
    for phase in record.phases:
        began = int((record.start + phase.start) * _NANOSECONDS)
        span = tracer.start_span(
            f"podline.{phase.name}", start_time=began, attributes=_attributes(record, phase)
        )
        span.end(began + int(phase.seconds * _NANOSECONDS))


def _attributes(record: Record, phase: Phase) -> dict[str, str | int | float]:
    return {
        "airflow.dag_id": record.dag_id,
        "airflow.dag_run.run_id": record.run_id,
        "airflow.task_id": record.task_id,
        "airflow.task_instance.try_number": record.try_number,
        "airflow.task_instance.map_index": record.map_index,
        "podline.backend": record.backend,
        "podline.phase.source": phase.source,
        "podline.phase.precision": phase.precision,
    }
