"""The pods of stages in the cluster's API: what marks them, and requests for one or for all.

Pods are the API's JSON, which the client's own models would take a multiple of the time to read.
"""

import json
from collections.abc import Iterator
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any

from podline.latency.observations import LostTry, Moments, Observed
from podline.operators.kubernetes import pod_status
from podline.operators.kubernetes.pod_status import STAGE_LABEL, Pod
from podline.operators.log_lines import last_state
from podline.settings import Backend

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

GRACE_SECONDS = 2
KEPT_LABEL = "podline-kept"  # of those of failed stages that are kept
AHEAD_LABEL = "podline-ahead"  # of those that wait for their task, and are of no try yet
CONNECT_SECONDS = 5
_LOG_SECONDS = 60  # in which a log must go on
REQUEST: dict[str, Any] = {  # of a request that is answered at once, with its answer's bytes
    "_preload_content": False,
    "_request_timeout": (CONNECT_SECONDS, 30),
}

# Annotations.
NONCE, PREFIX, WORK, TRY, TRIES, START, EXECUTE = (
    f"podline/{name}" for name in ("nonce", "prefix", "work", "try", "tries", "start", "execute")
)
# Of a pod that was made ahead: the try that made it and the stage that it is for, as folders in the
# store; when (epoch); the hash of what it is and will do; and its own requests of processor time.
MAKER, FOR, MADE, SPEC, CPU = (
    f"podline/{name}" for name in ("maker", "for", "made", "spec", "cpu")
)


def list_pods(client: "CoreV1Api", namespace: str, ended: bool = False) -> list[Pod]:
    """List the pods of stages.

    Args:
        client: of the cluster.
        namespace: where to look.
        ended: whether only those are wanted that are over.

    Raises:
        ApiException: they may not be listed.
    """
    which = {"label_selector": f"{STAGE_LABEL}=stage"}
    if ended:
        which["field_selector"] = "status.phase!=Pending,status.phase!=Running"
    return _list(client, namespace, PREFIX, which)


def list_waiting(client: "CoreV1Api", namespace: str) -> list[Pod]:
    """List the pods that were made ahead and wait for their task, and are not being deleted.

    Raises:
        ApiException: they may not be listed.
    """
    found = _list(client, namespace, FOR, {"label_selector": f"{STAGE_LABEL}=stage,{AHEAD_LABEL}"})
    return [pod for pod in found if waits(pod)]


def _list(client: "CoreV1Api", namespace: str, mark: str, which: dict[str, str]) -> list[Pod]:
    response = client.list_namespaced_pod(namespace, **which, **REQUEST)
    pods: list[Pod] = json.loads(response.data)["items"]
    # Others may use the label too.
    return [pod for pod in pods if mark in pod["metadata"].get("annotations", {})]


def create_pod(client: "CoreV1Api", body: Pod) -> Pod:
    """Create a pod.

    Raises:
        ApiException: it is refused.
    """
    return _read(client.create_namespaced_pod(body["metadata"]["namespace"], body, **REQUEST))


def read_pod(client: "CoreV1Api", about: Pod) -> Pod:
    """Read a pod as it is now.

    Raises:
        ApiException: it is not there, or may not be read.
    """
    return _read(client.read_namespaced_pod(*_place(about), **REQUEST))


def delete_pod(client: "CoreV1Api", pod: Pod, grace: int = GRACE_SECONDS) -> None:
    """Delete a pod; waits for nothing.

    Args:
        client: of the cluster.
        pod: which.
        grace: seconds that it has to end.

    Raises:
        ApiException: it is not there, or may not be deleted.
    """
    client.delete_namespaced_pod(*_place(pod), grace_period_seconds=grace, **REQUEST)


def delete_unchanged(client: "CoreV1Api", pod: Pod) -> bool:
    """Delete a pod if it is still as it was read; whether it was."""
    try:
        client.delete_namespaced_pod(*_place(pod), body=if_unchanged(pod), **REQUEST)
    except failures() as error:
        if status_of(error) not in (404, 409):
            raise
        return False
    return True


def if_unchanged(pod: Pod) -> Any:
    """How a pod is deleted that is still as it was read."""
    about = pod["metadata"]
    same = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
    return {"gracePeriodSeconds": GRACE_SECONDS, "preconditions": same}


def change_pod(client: "CoreV1Api", pod: Pod, change: Pod) -> Pod:
    """Change a pod, if it is still as it was read.

    Args:
        client: of the cluster.
        pod: as it was read.
        change: what is to be merged into it.

    Returns:
        The pod as it is then.

    Raises:
        ApiException: it was changed since (409), is gone, or may not be changed.
    """
    about = pod["metadata"]
    same = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
    change = {**change, "metadata": {**change["metadata"], **same}}
    return _read(client.patch_namespaced_pod(*_place(pod), change, **REQUEST))


def resize_pod(client: "CoreV1Api", pod: Pod, change: Pod) -> None:
    """Change the resources of a pod that runs.

    Args:
        client: of the cluster.
        pod: which.
        change: what is to be merged into it.

    Raises:
        ApiException: it is not there, may not be changed, or cannot have these.
    """
    client.patch_namespaced_pod_resize(*_place(pod), change, **REQUEST)


def keep_pod(client: "CoreV1Api", pod: Pod) -> None:
    """Note on a pod that it is kept, for a look at it.

    Raises:
        ApiException: it is not there, or may not be changed.
    """
    labels = {"metadata": {"labels": {KEPT_LABEL: "true"}}}
    client.patch_namespaced_pod(*_place(pod), labels, **REQUEST)


def whole_log(client: "CoreV1Api", pod: Pod) -> Iterator[str]:
    """Yield the lines of a pod's log as it is now.

    Raises:
        ApiException: the pod is not there, or its container never ran.
    """
    response = client.read_namespaced_pod_log(
        *_place(pod),
        container=pod_status.CONTAINER,
        _preload_content=False,
        _request_timeout=(CONNECT_SECONDS, _LOG_SECONDS),
    )
    for line in lines(response.stream(amt=None, decode_content=False)):
        yield last_state(line.decode(errors="replace"))


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def is_over(pod: Pod) -> bool:
    """Whether a pod is being deleted, or is kept for a look at it."""
    about = pod["metadata"]
    return "deletionTimestamp" in about or KEPT_LABEL in (about.get("labels") or {})


def was_ahead(pod: Pod) -> bool:
    """Whether a pod was made ahead."""
    return FOR in pod["metadata"].get("annotations", {})


def is_claimed(pod: Pod) -> bool:
    """Whether a pod is of a try."""
    return PREFIX in pod["metadata"].get("annotations", {})


def waits(pod: Pod) -> bool:
    """Whether a pod was made ahead, and no task has claimed it."""
    return was_ahead(pod) and not is_claimed(pod) and not is_over(pod)


def as_text(value: Any) -> str:
    """JSON of which there is one text only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def left_by(pod: Pod) -> LostTry:
    """What a pod tells of its try, whose worker died.

    Raises:
        KeyError: another version of podline made it.
    """
    notes, times = pod["metadata"]["annotations"], pod_status.times(pod)
    execute = float(notes[EXECUTE])
    seen = Observed(
        Moments(execute=execute, created=max(execute, times.created or 0.0)),
        status=times,
        backend=Backend.KUBERNETES,
        prefix=notes[PREFIX],
        pod=pod_status.facts(pod),
    )
    return LostTry(number=int(notes[TRY]), start=float(notes[START]), seen=seen)


def _read(answer: Any) -> Pod:
    pod: Pod = json.loads(answer.data)
    return pod


def _place(pod: Pod) -> tuple[str, str]:
    return pod["metadata"]["name"], pod["metadata"]["namespace"]


# --- requests that fail -------------------------------------------------------------------------


def failures() -> tuple[type[BaseException], ...]:
    """What a request to the API raises where it fails."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    return ApiException, HTTPError, OSError, json.JSONDecodeError


def status_of(error: BaseException) -> int | None:
    """The HTTP status of a request that failed; None: there was no answer."""
    status: int | None = getattr(error, "status", None)
    return status


def passes(error: BaseException) -> bool:
    """Whether a request that failed may succeed later: nobody answered, or who did is not ready."""
    status = status_of(error)
    if status is None:
        return not any(isinstance(cause, SSLCertVerificationError) for cause in _causes(error))
    return status == 429 or status >= 500


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it came from: urllib3 gives that as a reason."""
    cause: object = error
    while isinstance(cause, BaseException):
        yield cause
        cause = getattr(cause, "reason", None) or cause.__cause__ or (cause.args or (None,))[0]


def explain(error: BaseException) -> str:
    """Say why a request failed, in the API server's own words where it gave some."""
    body = getattr(error, "body", None)
    if body:
        try:
            text = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            text = str(body)
        if ":10250" in text:  # the kubelet's port
            return f"the node is not answering ({' '.join(text.split())})"
        return " ".join(text.split())
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())
