"""Statuses as clusters give them, and what is said of them."""

from typing import Any

import pytest

from podline.operators.kubernetes import pod_status


def pod(
    phase: str = "Pending", state: dict[str, Any] | None = None, limits: Any = None, **status: Any
) -> dict[str, Any]:
    containers = [{"name": "base", "state": state}] if state else []
    return {
        "metadata": {"name": "p", "namespace": "n", "resourceVersion": "1"},
        "spec": {"nodeName": "node1", "containers": [
            {"name": "base", "image": "mine:1", "resources": {"limits": limits or {}}},
        ]},
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }  # fmt: skip


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod(state={"waiting": {"reason": reason, "message": message}})


def dead(code: int, reason: str = "Error", message: str = "", **more: Any) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "message": message}
    return pod("Failed", {"terminated": ended}, **more)


@pytest.mark.parametrize("now", [pod(), waiting("ContainerCreating"), waiting("PodInitializing")])
def test_nothing_to_say(now: dict[str, Any]) -> None:
    assert pod_status.finding(now) is None
    assert not pod_status.is_running(now)


@pytest.mark.parametrize(
    ("now", "sentence", "final"),
    [
        (
            waiting("ErrImagePull", 'failed to resolve reference "mine:1": mine:1: not found'),
            'the image mine:1 cannot be pulled: failed to resolve reference "mine:1": mine:1: not '
            "found. load or push the image, or correct its name",
            True,
        ),
        (
            waiting("ImagePullBackOff", "pull access denied, repository does not exist"),
            "the image mine:1 cannot be pulled: pull access denied, repository does not exist. "
            "load or push the image, or correct its name",
            True,
        ),
        (
            waiting("ErrImagePull", "dial tcp 127.0.0.1:5050: connect: connection refused"),
            "the image mine:1 cannot be pulled: dial tcp 127.0.0.1:5050: connect: connection "
            "refused. it is tried again",
            False,
        ),
        (
            waiting("CreateContainerConfigError", 'secret "token" not found'),
            "the pod's settings name what is not there: secret \"token\" not found. fix: make it, "
            "or correct the tag secret: or the setting [podline] store_secret",
            True,
        ),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                             "message": "0/1 nodes are available:\n1 Insufficient memory."}]),
            "no node has room for the pod: 0/1 nodes are available: 1 Insufficient memory.",
            False,
        ),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            "the pod was evicted from the node node1: The node was low on resource: memory.",
            True,
        ),
        (
            pod("Failed", reason="NodeLost", message="Node node1 is unresponsive"),
            "the node node1 is gone: Node node1 is unresponsive",
            True,
        ),
        (
            pod("Failed", reason="OutOfcpu", message="Pod was rejected: Node didn't have enough"),
            "the node refused the pod (OutOfcpu): Pod was rejected: Node didn't have enough",
            True,
        ),
        (
            pod("Running", {"running": {}}, conditions=[
                {"type": "Ready", "status": "False", "reason": "NodeNotReady"},
            ]),
            "the node node1 is not answering: ",
            False,
        ),
        (
            pod("Running", {"running": {}}, conditions=[
                {"type": "DisruptionTarget", "status": "True", "message": "preempted by another"},
            ]),
            "the cluster takes the pod away: preempted by another",
            False,
        ),
    ],
)  # fmt: skip
def test_findings(now: dict[str, Any], sentence: str, final: bool) -> None:
    assert pod_status.finding(now) == pod_status.Finding(sentence, final)


@pytest.mark.parametrize(
    ("now", "last", "sentence"),
    [
        (
            dead(137, "OOMKilled", limits={"memory": "512Mi"}), "",
            "memory ran out: the stage 'train' has a limit of 512Mi. fix: tag it "
            "limit:memory:1024Mi, or take fewer rows",
        ),
        (dead(139), "", "the stage 'train' was killed by the signal 11"),
        (
            dead(1), "Killed",
            "the stage 'train' ended with exit code 1 and left no result: Killed",
        ),
        (
            dead(1, message="The store at http://s does not answer"), "x",
            "the stage 'train' ended with exit code 1 and left no result: The store at http://s "
            "does not answer",
        ),
        (
            dead(137, reason="Error", limits={}) | {"status": dead(137)["status"] | {
                "reason": "DeadlineExceeded", "message": "Pod was active too long",
            }}, "",
            "the pod's deadline passed: Pod was active too long",
        ),
        (pod("Failed"), "", "the pod p of the stage 'train' ended before its container ran"),
    ],
)  # fmt: skip
def test_deaths(now: dict[str, Any], last: str, sentence: str) -> None:
    assert pod_status.has_ended(now)
    assert pod_status.death(now, "train", last) == sentence


def test_an_image_without_podline() -> None:
    for said in ("No module named podline", 'exec: "python": executable file not found in $PATH'):
        text = pod_status.death(dead(1, message=said), "train", "")
        assert text.startswith("the image mine:1 has no podline in it. fix: two lines")
