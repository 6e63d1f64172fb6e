"""What an operator does around the deferral of its task: before, after, and where it failed."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from podline import settings
from podline.contract import StageTask
from podline.exceptions import StageError
from podline.operators.kubernetes import follower, pod_status
from podline.operators.kubernetes.triggers import StageTrigger
from podline.operators.log_lines import Transcript
from podline.store.keys import nonce_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from podline.operators.kubernetes.backend import PodBackend
    from podline.operators.stage import NotebookOperator
    from podline.store import StoreConnection

_TRIGGER_FIRST = 60.0  # seconds after a timeout in which the trigger should say so, not Airflow


def defer(
    operator: "NotebookOperator",
    backend: "PodBackend",
    task: StageTask,
    connection: "StoreConnection",
    context: "Context",
) -> NoReturn:
    """Create the pod of a task, unless one was adopted, and leave the worker until it has ended.

    Raises:
        StageError: the cluster refuses the pod, or does not answer.
    """
    if backend.pod is None:
        try:
            backend.create(task, connection)
        except BaseException:
            backend.fail()
            raise
    assert backend.pod is not None
    trigger, timeout = _trigger(operator, backend.pod, task, context)
    operator.observed.deferred = True
    noted = {"noted": operator.observed.noted()}
    operator.defer(trigger=trigger, method_name="resume", kwargs=noted, timeout=timeout)


def _trigger(
    operator: "NotebookOperator", pod: Mapping[str, Any], task: StageTask, context: "Context"
) -> tuple[StageTrigger, timedelta | None]:
    """The trigger for a pod, and the time in which it must have ended."""
    start, timeout = context["ti"].start_date, operator.execution_timeout
    until = (start + timeout).timestamp() if start is not None and timeout is not None else None
    cluster = {
        "conn_id": operator.kubernetes_conn_id,
        "config_file": operator.config_file,
        "in_cluster": operator.in_cluster,
        "context": operator.cluster_context,
    }
    now = time.time()
    trigger = StageTrigger(
        pod=pod_status.name_of(pod),
        namespace=pod["metadata"]["namespace"],
        stage=task.plan.stage,
        prefix=task.prefix,
        cluster={name: value for name, value in cluster.items() if value is not None},
        startup_seconds=settings.startup_timeout(),
        created=now,
        until=until,
    )
    limit = None if until is None else timedelta(seconds=max(until - now, 0) + _TRIGGER_FIRST)
    return trigger, limit


def finish(backend: "PodBackend", event: Mapping[str, Any], log: Callable[[str], object]) -> str:
    """Read the log of a pod whose trigger has ended, and say what came of it.

    Args:
        backend: with the pod.
        event: the trigger's.
        log: takes the lines of the log, but for the last, which names the result.

    Returns:
        The sha256 that the stage gives its result.

    Raises:
        StageError: it ended without one, did not start, or is gone.
    """
    transcript = Transcript(event["stage"], nonce_of(event["prefix"]), log)
    stored = event.get("stored")
    try:
        for line in _log(backend, event):
            stored = transcript.hear(line) or stored
    except follower.failures() as error:
        if getattr(error, "status", None) != 404:
            backend.say(f"the log of the pod cannot be read: {follower.explain(error)}")
    if stored:
        digest, backend.marks["stored"] = stored
        return str(digest)
    if "ended" in event:
        raise StageError(pod_status.death(event["ended"], event["stage"], transcript.last))
    raise StageError(event["error"])


def _log(backend: "PodBackend", event: Mapping[str, Any]) -> Iterable[str]:
    if not event["started"]:
        return ()
    return follower.whole_log(backend.client, event["namespace"], event["pod"])


def delete_pods(operator: "NotebookOperator", backend: "PodBackend", context: "Context") -> None:
    """Delete the pods of a try whose trigger was lost, which nobody follows any more."""
    labels = operator._get_ti_pod_labels(context)
    try:
        response = backend.client.list_namespaced_pod(
            operator.namespace or settings.namespace(),
            label_selector=",".join(f"{name}={value}" for name, value in labels.items()),
            _preload_content=False,
            _request_timeout=(follower.CONNECT_SECONDS, 30),
        )
        pods = json.loads(response.data)["items"]
    except follower.failures() as error:
        backend.say(f"the stage's pod cannot be found: {follower.explain(error)}")
        return
    for backend.pod in pods:
        backend.close()
