"""Removes the pods of stages that nobody follows any more, once an hour.

A worker that was lost together with all its retries, or a deletion that the cluster refused,
leaves a pod behind. Never removed is one whose try still runs, or whose next try may take it
over. If a run fails, its log says what the cluster refused; `podline sweep-pods` does the same
by hand.
"""

from datetime import datetime, timedelta

from airflow.sdk import DAG, task

from podline import settings
from podline.operators.kubernetes.pod_gc import collect_for_task

KEPT_FOR = timedelta(days=1)  # the pods of failed stages, where the setting keeps them

with DAG(
    "pod_sweep",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=settings.backend() != settings.Backend.KUBERNETES,
    default_args={"owner": "podline", "retries": 0},
    doc_md=__doc__,
    tags={"podline", "maintenance"},
):
    task(task_id="sweep")(collect_for_task)(KEPT_FOR)
