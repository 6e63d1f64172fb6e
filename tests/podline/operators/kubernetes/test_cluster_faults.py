"""A cluster whose parts fail while a stage runs: nothing is lost, and what is wrong is said.

The parts are stopped and started by the command in PODLINE_CLUSTER_CTL.
"""

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from podline.operators.kubernetes.pods import failures
from tests.support.image_pods import BASE, REGISTRY
from tests.support.waiting import until

from .conftest import Pods, Ran, template_file

pytestmark = [pytest.mark.slow, pytest.mark.cluster_faults, pytest.mark.timeout(300)]

STAGE = (
    "import time\nfor i in range({seconds}):\n    print(i, flush=True)\n    time.sleep(1)\nx = 1"
)


def control(*words: str) -> None:
    command = [*shlex.split(os.environ["PODLINE_CLUSTER_CTL"]), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=90)


@pytest.fixture(autouse=True)
def cluster() -> Iterator[None]:
    if not os.environ.get("PODLINE_CLUSTER_CTL"):
        pytest.skip("stops parts of a cluster: set PODLINE_CLUSTER_CTL to the command that does")
    yield
    for part in ("kube-apiserver", "kube-controller-manager", "kubelet", "registry"):
        control("start", part)


def after_line(line: str, *steps: Callable[[], object]) -> Callable[[str], None]:
    """Do something, beside the follower, when the stage has printed a line."""

    def on_line(printed: str) -> None:
        if printed == line:
            threading.Thread(target=lambda: [step() for step in steps]).start()

    return on_line


def on_sentence(ran: Ran, words: str, step: Callable[[], object]) -> None:
    """Do something, beside the follower, when the stage's watcher says a sentence with words."""
    say = ran.backend.say

    def on_said(sentence: str) -> None:
        say(sentence)
        if words in sentence:
            threading.Thread(target=step).start()

    ran.backend.say = on_said


def outage(part: str, seconds: float) -> Iterator[Callable[[], object]]:
    """Steps of a part of the cluster that is away for a while."""
    yield lambda: control("kill", part)
    yield lambda: time.sleep(seconds)
    yield lambda: control("start", part)


def test_an_api_server_that_restarts(pods: Pods) -> None:
    ran = pods.prepare(STAGE.format(seconds=15))
    pods.follow(ran, after_line("1", *outage("kube-apiserver", 3)))
    assert ran.ok.succeeded
    assert ran.lines == [str(number) for number in range(15)]
    assert any("the API server does not answer: " in said for said in ran.said)
    assert pods.left() == []


def test_an_api_server_that_is_away_when_a_pod_is_to_be_made(pods: Pods) -> None:
    """The pod is made as soon as that is back; the cluster's scheduler may take longer."""
    ran = pods.prepare("print('here')")
    control("kill", "kube-apiserver")
    back: list[float] = []

    def answers() -> bool:
        try:
            return bool(pods.core.list_namespaced_service_account(pods.namespace).items)
        except failures():
            return False

    def start() -> None:
        control("start", "kube-apiserver")
        until(answers)
        back.append(time.time())

    threading.Timer(8, start).start()
    assert ran.backend.adopt(ran.task, 2, 1) is None
    pods.follow(ran)
    assert ran.lines == ["here"], ran.error
    assert ran.said[0].startswith("the cluster does not answer: ")
    assert ran.backend.seen.moments.created - until(lambda: back)[0] < 10
    assert pods.left() == []


def test_a_quota_that_nobody_has_counted(pods: Pods) -> None:
    control("kill", "kube-controller-manager")
    hard = {"hard": {"pods": "5"}}
    quota = {"metadata": {"name": "new"}, "spec": hard}
    pods.core.create_namespaced_resource_quota(pods.namespace, quota)
    # Known to the admission, and what is used is not.
    pods.core.patch_namespaced_resource_quota_status("new", pods.namespace, {"status": hard})
    ran = pods.prepare("x = 1")
    on_sentence(ran, "is not counted yet", lambda: control("start", "kube-controller-manager"))
    pods.follow(ran)
    assert ran.ok.succeeded, ran.error
    assert "status unknown for quota: new" in ran.said[0]
    assert pods.left() == []
    pods.core.delete_namespaced_resource_quota("new", pods.namespace)


def test_a_kubelet_that_stops_answering(pods: Pods) -> None:
    stopped: list[float] = []
    said: list[float] = []
    ran = pods.prepare(STAGE.format(seconds=20))
    on_sentence(ran, "is not answering", lambda: said.append(time.monotonic()))
    kill, *rest = outage("kubelet", 12)
    pods.follow(ran, after_line("1", kill, lambda: stopped.append(time.monotonic()), *rest))
    assert ran.ok.succeeded, ran.error
    assert ran.lines == [str(number) for number in range(20)]
    assert said, ran.said
    assert said[0] - stopped[0] < 10


def test_a_registry_that_is_down(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"containers": [{"name": "base", "imagePullPolicy": "Always"}]}
    monkeypatch.setenv("AIRFLOW__PODLINE__POD_TEMPLATE", template_file(pods.folder, spec))
    image = REGISTRY + BASE
    ran = pods.prepare("print('here')", f"image:{image}")
    control("stop", "registry")
    on_sentence(ran, "cannot be pulled", lambda: control("start", "registry"))
    pods.follow(ran)
    assert f"the image {image} cannot be pulled: " in ran.said[0]
    assert "connection refused" in ran.said[0]
    assert ran.lines == ["here"], ran.error
    found = ran.phases()
    assert max(found, key=lambda phase: found[phase]) == "pull", found


def test_a_pod_that_ends_while_nobody_can_see_it(pods: Pods) -> None:
    """The API server is away when the stage ends: its termination message tells."""
    ran = pods.prepare(STAGE.format(seconds=5))
    pods.follow(ran, after_line("1", *outage("kube-apiserver", 8)))
    assert ran.ok.succeeded
    assert ran.lines == [str(number) for number in range(5)]
