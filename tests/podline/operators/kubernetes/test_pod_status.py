"""Statuses as clusters give them, and what is said of them."""

from typing import Any

import pytest

from podline.operators.kubernetes import pod_status


def pod(
    phase: str = "Pending", state: dict[str, Any] | None = None, limits: Any = None, **status: Any
) -> dict[str, Any]:
    containers = [{"name": "base", "image": "mine:1", "resources": {"limits": limits or {}}}]
    statuses = [{"name": "base", "state": state}] if state else []
    return {
        "metadata": {"name": "p", "namespace": "n", "resourceVersion": "1"},
        "spec": {"nodeName": "node1", "containers": containers},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod(state={"waiting": {"reason": reason, "message": message}})


def dead(code: int, reason: str = "Error", message: str = "", **more: Any) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "message": message}
    return pod("Failed", {"terminated": ended}, **more)


@pytest.mark.parametrize("now", [pod(), waiting("ContainerCreating"), waiting("PodInitializing")])
def test_nothing_to_say(now: dict[str, Any]) -> None:
    assert pod_status.finding(now) is None
    assert not pod_status.is_running(now)


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return pod("Running", {"running": {}}, conditions=[{"type": kind, "status": status, **more}])


NOT_FOUND = 'failed to resolve reference "mine:1": mine:1: not found'
DENIED, REFUSED = "pull access denied, repository does not exist", "connect: connection refused"
NO_SECRET = 'secret "token" not found'
UNPULLED, LOAD = "the image mine:1 cannot be pulled", "load or push the image, or correct its name"
NO_ROOM = "0/1 nodes are available:\n1 Insufficient memory."
FINAL = {
    f"{UNPULLED}: {NOT_FOUND}. {LOAD}": waiting("ErrImagePull", NOT_FOUND),
    f"{UNPULLED}: {DENIED}. {LOAD}": waiting("ImagePullBackOff", DENIED),
    f"the pod's settings name what is not there: {NO_SECRET}. fix: make it, or correct the tag "
    "secret: or the setting [podline] store_secret": waiting(
        "CreateContainerConfigError", NO_SECRET
    ),
    "the pod was evicted from the node node1: The node was low on resource: memory.": pod(
        "Failed", reason="Evicted", message="The node was low on resource: memory."
    ),
    "the node node1 is gone: Node node1 is unresponsive": pod(
        "Failed", reason="NodeLost", message="Node node1 is unresponsive"
    ),
    "the node refused the pod (OutOfcpu): Pod was rejected: Node didn't have enough": pod(
        "Failed", reason="OutOfcpu", message="Pod was rejected: Node didn't have enough"
    ),
}
PASSING = {
    f"{UNPULLED}: {REFUSED}. it is tried again": waiting("ErrImagePull", REFUSED),
    "no node has room for the pod: 0/1 nodes are available: 1 Insufficient memory.": condition(
        "PodScheduled", "False", reason="Unschedulable", message=NO_ROOM
    ),
    "the node node1 is not answering: ": condition("Ready", "False", reason="NodeNotReady"),
    "the cluster takes the pod away: preempted by another": condition(
        "DisruptionTarget", "True", message="preempted by another"
    ),
}


@pytest.mark.parametrize(("sentence", "now"), [*FINAL.items(), *PASSING.items()])
def test_findings(sentence: str, now: dict[str, Any]) -> None:
    assert pod_status.finding(now) == pod_status.Finding(sentence, final=sentence in FINAL)


NO_STORE = "The store at http://s does not answer"
NO_MEMORY = dead(137, "OOMKilled", limits={"memory": "512Mi"})
EXITED = "the stage 'train' ended with exit code 1 and left no result"
OVERDUE = dead(137)
OVERDUE["status"] |= {"reason": "DeadlineExceeded", "message": "Pod was active too long"}


@pytest.mark.parametrize(
    ("now", "last", "sentence"),
    [
        (
            NO_MEMORY,
            "",
            "memory ran out: the stage 'train' has a limit of 512Mi. fix: tag it "
            "limit:memory:1024Mi, or take fewer rows; if it takes less, its node had no more: tag it "
            "request:memory:512Mi",
        ),
        (dead(139), "", "the stage 'train' was killed by the signal 11"),
        (dead(1), "Killed", f"{EXITED}: Killed"),
        (dead(1, message=NO_STORE), "x", f"{EXITED}: {NO_STORE}"),
        (OVERDUE, "", "the pod's deadline passed: Pod was active too long"),
        (pod("Failed"), "", "the pod p of the stage 'train' ended before its container ran"),
    ],
)
def test_deaths(now: dict[str, Any], last: str, sentence: str) -> None:
    assert pod_status.has_ended(now)
    assert pod_status.death(now, "train", last) == sentence


def test_an_image_without_podline() -> None:
    for said in ("No module named podline", 'exec: "python": executable file not found in $PATH'):
        text = pod_status.death(dead(1, message=said), "train", "")
        assert text.startswith("the image mine:1 has no podline in it. fix: two lines")
