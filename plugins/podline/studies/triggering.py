"""Runs of DAGs that a task triggers, where there is a scheduler that picks them up."""

from collections.abc import Mapping
from typing import Any

from podline.exceptions import PodlineError

SCHEDULER, TEST = "scheduler", "test"


class RunningError(PodlineError):
    """A run cannot be triggered, or does not end."""


def way() -> str:
    """How runs are made here: by a ``scheduler``, or under ``dags test``."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return SCHEDULER if isinstance(comms, CommsDecoder) else TEST


def trigger(dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
    """Trigger a run under a scheduler, once: one that exists is left as it is.

    Raises:
        RunningError: Airflow refuses.
    """
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer = SUPERVISOR_COMMS.send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf)))
    if isinstance(answer, ErrorResponse) and answer.error != ErrorType.DAGRUN_ALREADY_EXISTS:
        raise RunningError(f"{dag_id} cannot be triggered: {answer.error.value} {answer.detail}")
