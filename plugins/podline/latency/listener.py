"""What Airflow calls in a task's process when its try begins and when its end is recorded."""

from typing import Any

from airflow.listeners import hookimpl

from podline.latency import recorder


@hookimpl
def on_task_instance_running(previous_state: Any, task_instance: Any) -> None:
    """The task's own work is about to begin."""
    recorder.begin(task_instance)


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """The try has succeeded."""
    recorder.end(task_instance)


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """The try has failed; another may follow.

    Args:
        previous_state: of the task instance.
        task_instance: Airflow's RuntimeTaskInstance.
        error: why it failed.
    """
    recorder.end(task_instance, error)


@hookimpl
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """The task has skipped itself."""
    recorder.end(task_instance)
