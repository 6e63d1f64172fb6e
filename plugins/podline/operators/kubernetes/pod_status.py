"""What a pod's status says: one sentence for the log, and whether it can get better by itself.

Statuses are the API's JSON (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from podline import __version__
from podline.contract import FINAL_EXIT
from podline.latency.observations import PodFacts, PodTimes

Pod = Mapping[str, Any]

CONTAINER = "base"  # the name that KubernetesPodOperator gives its container
STAGE_LABEL = "podline"  # of the pods of stages: podline=stage

_NEVER_PULLED = re.compile(
    r"not found|manifest unknown|name unknown|denied|unauthorized|forbidden|authentication required"
    r"|401|403|invalid reference",
    re.IGNORECASE,
)
_NO_PROGRAM = re.compile(
    r"exec(utable file)?.*(not found|no such file)|No module named '?podline", re.IGNORECASE
)
_WITHOUT_PODLINE = f"""the image {{image}} has no podline in it. fix: two lines in its Dockerfile
COPY --from=podline-stage:{__version__} /opt/podline/code /opt/podline/code
RUN pip install ipython obstore cloudpickle && python -c \
"import site; open(site.getsitepackages()[0] + '/podline.pth', 'w').write('/opt/podline/code')\""""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a pod; `final`: it cannot get better by itself."""

    sentence: str
    final: bool


@dataclass(frozen=True)
class Ended:
    """How the stage's container ended."""

    exit_code: int
    signal: int
    reason: str
    message: str


def outline(pod: Pod) -> Pod:
    """What this module reads of a pod, without the rest: a twentieth of it."""
    status, container = pod["status"], _container(pod)
    conditions = [
        {key: c[key] for key in ("type", "status", "reason", "message") if key in c}
        for c in status.get("conditions") or ()
        if c.get("reason") or c.get("message")
    ]
    return {
        "metadata": {
            key: pod["metadata"].get(key)
            for key in ("name", "namespace", "uid", "creationTimestamp")
        },
        "spec": {
            "nodeName": pod["spec"].get("nodeName"),
            "containers": [{key: container.get(key) for key in ("name", "image", "resources")}],
        },
        "status": {
            **{k: status[k] for k in ("phase", "reason", "message", "startTime") if k in status},
            "conditions": conditions,
            "containerStatuses": [{"name": CONTAINER, "state": _state(pod)}],
        },
    }


def name_of(pod: Pod) -> str:
    """The pod's name."""
    return str(pod["metadata"]["name"])


def is_running(pod: Pod) -> bool:
    """Whether the stage's container runs, or ran."""
    state = _state(pod)
    return "running" in state or "terminated" in state


def ended(pod: Pod) -> Ended | None:
    """How the stage's container ended; None: it did not, or never ran."""
    state = _state(pod).get("terminated")
    if state is None:
        return None
    return Ended(
        int(state.get("exitCode", 0)),
        int(state.get("signal", 0)),
        state.get("reason") or "",
        (state.get("message") or "").strip(),
    )


def has_ended(pod: Pod) -> bool:
    """Whether the pod as a whole is over."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def times(pod: Pod) -> PodTimes:
    """When a pod, and its container, came how far."""
    state = _state(pod)
    over = state.get("terminated") or {}
    return PodTimes(
        created=_epoch(pod["metadata"].get("creationTimestamp")),
        bound=_epoch(pod["status"].get("startTime")),
        running=_epoch((state.get("running") or over).get("startedAt")),
        ended=_epoch(over.get("finishedAt")),
    )


def _epoch(stamp: str | None) -> float | None:
    return datetime.fromisoformat(stamp).timestamp() if stamp else None


def facts(pod: Pod) -> PodFacts:
    """What a pod is called, where it runs, and from which image."""
    about = pod["metadata"]
    return PodFacts(
        pod=about["name"],
        uid=about.get("uid") or "",
        namespace=about.get("namespace") or "",
        node=pod["spec"].get("nodeName") or "",
        image=_image(pod),
    )


def finding(pod: Pod) -> Finding | None:
    """Say what keeps a pod from starting or from going on; None: nothing.

    How the container itself ended is `death`'s to say.
    """
    status = pod["status"]
    if waiting := _state(pod).get("waiting"):
        found = _waiting(waiting, _image(pod))
        if found is not None:
            return found
    reason, message = status.get("reason") or "", _one_line(status.get("message") or "")
    if status.get("phase") == "Failed" and reason:
        return Finding(_failed(reason, message, pod), final=True)
    for condition in status.get("conditions") or ():
        said = _one_line(condition.get("message") or "")
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Finding(f"no node has room for the pod: {said}", final=False)
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return Finding(f"the cluster takes the pod away: {said}", final=False)
        if condition["type"] == "Ready" and condition.get("reason") == "NodeNotReady":
            return Finding(f"{_node(pod)} is not answering: {said}", final=False)
    return None


def lacks_room(pod: Pod) -> bool:
    """Whether no node has room for a pod."""
    return any(
        condition["type"] == "PodScheduled" and condition["status"] == "False"
        for condition in pod["status"].get("conditions") or ()
    )


def requests_of(pod: Pod) -> dict[str, str]:
    """What the stage's container asks for: Kubernetes' quantities, by resource."""
    return dict((_container(pod).get("resources") or {}).get("requests") or {})


def unbegun(pod: Pod) -> str:
    """Who has done nothing yet with a pod that nothing is known to be wrong with; "": nobody."""
    if _state(pod) or has_ended(pod) or finding(pod):
        return ""
    if pod["spec"].get("nodeName"):
        return f"{_node(pod)} has not begun with the pod {name_of(pod)}"
    return f"the cluster's scheduler has not looked at the pod {name_of(pod)}"


def is_final(pod: Pod) -> bool:
    """Whether the stage of a container that ended says that another try comes to the same."""
    how = ended(pod)
    return how is not None and how.exit_code == FINAL_EXIT


def death(pod: Pod, stage: str, last: str) -> str:
    """Say how the container of a stage ended that left no result.

    Args:
        pod: with its container terminated.
        stage: the stage's name.
        last: the last line of its output.
    """
    how, image = ended(pod), _image(pod)
    about = finding(pod)
    if about is not None and about.final:
        return about.sentence
    if how is None:
        return f"the pod {name_of(pod)} of the stage {stage!r} ended before its container ran"
    if how.reason == "OOMKilled":
        limit = _limit(pod, "memory")
        return (
            f"memory ran out: the stage {stage!r} has a limit of {limit}. fix: tag it "
            f"limit:memory:{_doubled(limit)}, or take fewer rows; if it takes less, its node had "
            f"no more: tag it request:memory:{limit}"
        )
    said = how.message or last
    if _NO_PROGRAM.search(said):
        return _WITHOUT_PODLINE.format(image=image)
    if how.signal or (how.exit_code > 128 and not how.message):
        return f"the stage {stage!r} was killed by the signal {how.signal or how.exit_code - 128}"
    return f"the stage {stage!r} ended with exit code {how.exit_code} and left no result: {said}"


def left_behind(name: str, why: str) -> str:
    """Say that a pod could not be deleted."""
    return f"the pod {name} cannot be deleted: {why}. `podline sweep-pods` will"


# -- reasons


def _waiting(waiting: Mapping[str, Any], image: str) -> Finding | None:
    reason, said = waiting.get("reason") or "", _one_line(waiting.get("message") or "")
    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"):
        final = bool(_NEVER_PULLED.search(said))
        advice = "load or push the image, or correct its name" if final else "it is tried again"
        return Finding(f"the image {image} cannot be pulled: {said or reason}. {advice}", final)
    if reason == "InvalidImageName":
        return Finding(f"{image!r} is no name of an image: {said}. fix: correct it", final=True)
    if reason == "ErrImageNeverPull":
        return Finding(f"the image {image} is not on the node, and may not be pulled", final=True)
    if reason == "CreateContainerConfigError":
        advice = "fix: make it, or correct the tag secret: or the setting [podline] store_secret"
        return Finding(f"the pod's settings name what is not there: {said}. {advice}", final=True)
    if reason in ("CreateContainerError", "RunContainerError", "StartError"):
        if _NO_PROGRAM.search(said):
            return Finding(_WITHOUT_PODLINE.format(image=image), final=True)
        return Finding(f"the container cannot be started: {said}", final=True)
    return None


def _failed(reason: str, message: str, pod: Pod) -> str:
    if reason == "Evicted":
        return f"the pod was evicted from {_node(pod)}: {message}"
    if reason == "DeadlineExceeded":
        return f"the pod's deadline passed: {message}"
    if reason in ("NodeLost", "NodeShutdown", "Terminated", "NodeAffinity"):
        return f"{_node(pod)} is gone: {message or reason}"
    return f"the node refused the pod ({reason}): {message}"


# -- parts of a pod


def _state(pod: Pod) -> Mapping[str, Any]:
    for status in pod["status"].get("containerStatuses") or ():
        if status["name"] == CONTAINER:
            return status.get("state") or {}
    return {}


def _container(pod: Pod) -> Mapping[str, Any]:
    return next((c for c in pod["spec"]["containers"] if c["name"] == CONTAINER), {})


def _image(pod: Pod) -> str:
    return str(_container(pod).get("image"))


def _limit(pod: Pod, resource: str) -> str:
    limits = (_container(pod).get("resources") or {}).get("limits") or {}
    return str(limits.get(resource, "none of its own"))


def _node(pod: Pod) -> str:
    return f"the node {pod['spec'].get('nodeName') or '(none)'}"


def _doubled(quantity: str) -> str:
    match = re.fullmatch(r"(\d+)(\D*)", quantity)
    return f"{int(match[1]) * 2}{match[2]}" if match else "MORE"


def _one_line(text: str) -> str:
    return " ".join(text.split())
