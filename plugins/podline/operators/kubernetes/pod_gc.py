"""The garbage collection of pods: it removes those that nobody follows any more."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.airflow_compat import Cluster, cluster_hook
from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

    from podline.store import Store

# States of a task instance that follows its pod, or whose next try may take it over.
_WAITS = {"none", "scheduled", "queued", "up_for_retry", "up_for_reschedule"}
FOLLOWED = frozenset({"running", "deferred", "restarting"} | _WAITS)
OVER = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})
_FAILED = frozenset({"failed", "upstream_failed", "removed", None})
_log = logging.getLogger(__name__)
_YOUNG = timedelta(minutes=1)  # in which a try that just ended deletes its pod itself
_JUST_ENDED = 2.0  # seconds in which whoever follows a pod hears of its end

# Gives a task instance's state; None: Airflow does not know it.
States = Callable[[TryKey], str | None]


def collect(
    client: "CoreV1Api",
    namespace: str,
    state_of: States,
    kept_for: timedelta,
    store: "Store | None" = None,
    dry_run: bool = False,
) -> list[str]:
    """Delete the pods of stages that nobody follows, and keep what they tell of their tries.

    Args:
        client: of the cluster.
        namespace: where to look.
        state_of: gives the state of a pod's task instance.
        kept_for: how long the pod of a failed stage is kept, where the setting keeps them.
        store: where the records of tries go that left none; None: nowhere.
        dry_run: only find them.

    Returns:
        The names of the pods that were, or would be, deleted.

    Raises:
        ApiException: the cluster does not answer, or does not allow it.
    """
    listed, now = pods.list_pods(client, namespace), datetime.now(UTC)
    found = [pod for pod in listed if is_orphan(pod, state_of, now, kept_for)]
    for pod in found if not dry_run else ():
        if store is not None:
            _record(store, pod)
        pods.delete_pod(client, pod)
    waiting = collect_waiting(client, namespace, state_of, dry_run)
    return [pod["metadata"]["name"] for pod in found] + waiting


def collect_waiting(
    client: "CoreV1Api", namespace: str, state_of: States, dry_run: bool = False
) -> list[str]:
    """Delete the pods that were made ahead for stages which will not come to claim them.

    Args:
        client: of the cluster.
        namespace: where to look.
        state_of: gives the state of a task instance.
        dry_run: only find them.

    Returns:
        The names of the pods that were, or would be, deleted.

    Raises:
        ApiException: the cluster does not answer, or does not allow it.
    """
    now = datetime.now(UTC)
    return [
        pod_status.name_of(pod)
        for pod in pods.list_waiting(client, namespace)
        if is_given_up(pod, state_of, now) and (dry_run or pods.delete_unchanged(client, pod))
    ]


def is_given_up(pod: Pod, state_of: States, now: datetime) -> bool:
    """Whether no task will claim a pod that was made ahead.

    Args:
        pod: one that waits.
        state_of: gives the state of a task instance.
        now: the time.
    """
    if pod_status.has_ended(pod):
        return True
    about = pod["metadata"]
    if now - datetime.fromisoformat(about["creationTimestamp"]) < _YOUNG:
        return False
    notes = about["annotations"]
    due = state_of(TryKey.at(notes[pods.FOR])) in _WAITS
    return not due or state_of(TryKey.at(notes[pods.MAKER])) in _FAILED


def collect_ended(
    client: "CoreV1Api", namespace: str, state_of: States, store: "Store"
) -> list[str]:
    """Delete the pods of stages that have ended, as those of a worker that was lost at the end.

    Few have ended and are still there, so that each task can look for them when it is over. A pod
    that Airflow knows nothing of may be another Airflow's.

    Args:
        client: of the cluster.
        namespace: where to look.
        state_of: gives the state of a pod's task instance.
        store: where the records of tries go that left none.

    Returns:
        The names of the pods that were deleted.

    Raises:
        ApiException: the cluster does not answer, or does not allow it.
    """
    before = time.time() - _JUST_ENDED
    found = [
        pod
        for pod in pods.list_pods(client, namespace, ended=True)
        if not pods.is_over(pod)
        and (pod_status.times(pod).ended or before) < before
        and state_of(TryKey.at(pod["metadata"]["annotations"][pods.PREFIX])) in OVER
    ]
    for pod in found:
        _record(store, pod)
        pods.delete_pod(client, pod)
    return [pod_status.name_of(pod) for pod in found]


def _record(store: "Store", pod: Pod) -> None:
    from podline.latency import record_builder, record_store
    from podline.store import StoreError

    try:
        record_store.put(store, *record_builder.orphan_record(pods.left_by(pod)))
    except (StoreError, KeyError) as error:  # KeyError: a pod of another version of podline
        _log.warning("what %s tells of its try is not kept: %s", pod["metadata"]["name"], error)


def is_orphan(pod: Pod, state_of: States, now: datetime, kept_for: timedelta) -> bool:
    """Whether nobody follows a pod.

    Args:
        pod: of a stage.
        state_of: gives the state of its task instance.
        now: the time.
        kept_for: how long the pod of a failed stage is kept.
    """
    about = pod["metadata"]
    age = now - datetime.fromisoformat(about["creationTimestamp"])
    if "deletionTimestamp" in about:
        return False
    if pods.is_over(pod):
        return age > kept_for
    where = TryKey.at(about["annotations"][pods.PREFIX])
    return age > _YOUNG and state_of(where) not in FOLLOWED


def collect_for_task(kept_for: timedelta, ti: Any = None) -> list[str]:
    """Remove them in the namespaces of the settings from inside a task; see `collect`.

    Args:
        kept_for: how long the pod of a failed stage is kept.
        ti: Airflow's task instance, which Airflow gives.
    """
    from podline.store import open_store

    core, state_of, store = cluster(), states_for_task(ti), open_store()
    found = [
        name
        for namespace in (settings.namespace(), *settings.team_namespaces())
        for name in collect(core, namespace, state_of, kept_for, store)
    ]
    for name in found:
        _log.info("removed the pod %s", name)
    return found


def cluster() -> "CoreV1Api":
    """The client of the cluster that the settings name."""
    return cluster_hook(Cluster(settings.kubernetes_conn_id())).core_v1_client


def states_in_database() -> States:
    """States from Airflow's database, for a process that may read it: a command."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def state_of(where: TryKey) -> str | None:
        with create_session() as session:
            found = session.execute(
                select(TaskInstance.state).where(
                    TaskInstance.dag_id == where.dag_id,
                    TaskInstance.run_id == where.run_id,
                    TaskInstance.task_id == where.task_id,
                    TaskInstance.map_index == where.map_index,
                )
            ).first()
        return None if found is None else str(found[0] or "none")

    return state_of


def states_for_task(ti: Any) -> States:
    """States by way of a running task, which may not read the database.

    Args:
        ti: Airflow's task instance.
    """

    def state_of(where: TryKey) -> str | None:
        mapped = where.map_index >= 0
        found = ti.get_task_states(
            dag_id=where.dag_id,
            run_ids=[where.run_id],
            task_ids=[where.task_id],
            map_index=where.map_index if mapped else None,
        )
        name = f"{where.task_id}_{where.map_index}" if mapped else where.task_id
        states = found.get(where.run_id, {})
        return str(states[name] or "none") if name in states else None

    return state_of
