"""Stages as pods, on a real cluster: what they are, how they end, and what is said of it."""

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from podline import __version__
from podline.exceptions import StageError
from podline.operators.kubernetes import startup
from tests.support.namespaces import Gate, PodRelay
from tests.support.waiting import until

from .conftest import Pods, template_file

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[4]


def test_a_stage_that_succeeds(pods: Pods) -> None:
    ran = pods.run("print('one')\nprint()\nprint('ü two')\nx = 1")
    assert ran.ok.succeeded
    assert ran.lines == ["one", "", "ü two"]
    assert ran.said == []
    assert pods.left() == []


def test_lines_come_as_they_are_printed(pods: Pods, gate: Gate) -> None:
    """The stage waits until its first line has come."""
    ran = pods.prepare(f"print('one')\n{gate.wait}print('two')", "timeout:2m")
    pods.follow(ran, lambda line: gate.open())
    assert ran.ok
    assert ran.lines == ["one", "two"]


def test_a_slow_store_shows_in_the_phase_that_waits_for_it(pods: Pods, relay: PodRelay) -> None:
    relay.delay = 5.0  # longer than a busy machine takes to start a pod
    found = pods.run("x = 1").phases()
    assert found.pop("store") > 5.0
    assert all(seconds < 4.5 for seconds in found.values()), found


def test_a_progress_bar_stays_readable(pods: Pods) -> None:
    ran = pods.run("for i in range(100):\n    print(f'\\r{i} %', end='')\nprint()\nprint('end')")
    assert ran.lines == ["99 %", "end"]


def test_what_a_pod_may(pods: Pods) -> None:
    """No rights, no token, no secret in its manifest; what tags say reaches it."""
    source = (
        "import os\nprint(os.getuid(), 'PODLINE_TASK' in os.environ)\nimport time; time.sleep(2)"
    )
    resources = ("limit:memory:1Gi", "request:cpu:50m", "timeout:5m")
    ran = pods.prepare(source, *resources, "label:team:iot", "annotation:why:test")
    seen: list[Any] = []

    def look(line: str) -> None:
        seen.extend(pods.core.list_namespaced_pod(pods.namespace).items)

    pods.follow(ran, look)
    assert ran.lines == ["10001 False"]
    (pod,) = seen
    (container,) = pod.spec.containers
    assert container.resources.limits == {"memory": "1Gi"}
    assert container.resources.requests == {"cpu": "50m", "memory": "1Gi"}
    assert pod.spec.volumes is None
    assert pod.spec.automount_service_account_token is False
    assert [(one.name, one.value) for one in pod.spec.dns_config.options] == [("ndots", "2")]
    assert pod.spec.active_deadline_seconds == 300
    assert pod.spec.termination_grace_period_seconds == 2
    assert container.security_context.capabilities.drop == ["ALL"]
    assert pod.metadata.labels["team"] == "iot"
    assert pod.metadata.annotations["why"] == "test"
    assert pods.store.connection.secret_key not in str(pod)


def test_a_task_that_is_longer_than_a_variable(pods: Pods) -> None:
    import base64
    import os

    noise = base64.b85encode(os.urandom(200_000)).decode().replace("\\", "x").replace("'", "y")
    ran = pods.run(f"text = r'''{noise}'''\nprint(len(text))")
    assert ran.lines == [str(len(noise))]


def test_a_secret_by_a_tag(pods: Pods) -> None:
    body = {"metadata": {"name": "token"}, "stringData": {"value": "hush"}}
    pods.core.create_namespaced_secret(pods.namespace, body)
    ran = pods.run("import os\nprint(len(os.environ['TOKEN']))", "secret:token:value:TOKEN")
    assert ran.lines == ["4"], ran.error


def test_a_root_that_is_read_only(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__READ_ONLY_ROOT", "100Mi")
    ran = pods.run("import os\nprint(os.access('/', os.W_OK), os.access('.', os.W_OK))")
    assert ran.ok
    assert ran.lines == ["False True"]


def test_a_template_for_all_the_rest(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    container = {"name": "base", "env": [{"name": "MINE", "value": "1"}]}
    hosts = [{"ip": "10.1.2.3", "hostnames": ["meter.example"]}]
    template = template_file(pods.folder, {"hostAliases": hosts, "containers": [container]})
    monkeypatch.setenv("AIRFLOW__PODLINE__POD_TEMPLATE", template)
    ran = pods.run(
        "import os, socket\nprint(socket.gethostbyname('meter.example'), os.environ['MINE'])"
    )
    assert ran.lines == ["10.1.2.3 1"], ran.error


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_cell_that_fails(pods: Pods) -> None:
    ran = pods.run("x = 1\nx / 0")
    assert ran.error.startswith("cell 1, line 2: ZeroDivisionError")
    assert pods.left() == []


def test_a_failed_pod_is_kept_if_asked_for(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__KEEP_FAILED_PODS", "True")
    ran = pods.run("1 / 0")
    (name,) = pods.left()
    assert ran.said == [f"the pod {name} of the failed stage is kept in {pods.namespace!r}"]
    pods.core.delete_namespaced_pod(name, pods.namespace)


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        (["image:127.0.0.1:5050/no-such-image:1"], "cannot be pulled: .*not found"),
        (["secret:no-such-secret:key:A"], 'name what is not there: .*"no-such-secret" not found'),
        (
            ["limit:memory:1Mi", "request:memory:2Mi"],
            r"the cluster refused the pod \(422\): .*less",
        ),
    ],
)
def test_what_cannot_get_better_fails_at_once(pods: Pods, tags: list[str], sentence: str) -> None:
    start = time.monotonic()
    ran = pods.run("x = 1", *tags)
    assert time.monotonic() - start < 60  # what can get better has ten minutes
    assert re.search(sentence, ran.error), ran.error
    assert pods.left() == []


def test_an_image_that_is_no_name(pods: Pods) -> None:
    ran = pods.run("x = 1", image="UPPER:CASE:x")
    assert ran.error.startswith("'UPPER:CASE:x' is no name of an image: ")


def test_an_image_without_podline(pods: Pods) -> None:
    ran = pods.run("x = 1", f"image:podline-store:{__version__}")
    assert f"the image podline-store:{__version__} has no podline in it. fix: " in ran.error
    assert f"COPY --from=podline-stage:{__version__} /opt/podline/code" in ran.error


def test_no_room(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STARTUP_TIMEOUT", "8")
    ran = pods.run("x = 1", "request:cpu:1000")
    assert len(ran.said) == 1
    assert (
        "no node has room for the pod: 0/1 nodes are available: 1 Insufficient cpu" in ran.said[0]
    )
    assert "did not start within 8 s: no node has room" in ran.error
    assert pods.left() == []


def test_a_scheduler_that_does_nothing(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STARTUP_TIMEOUT", "12")
    monkeypatch.setattr(startup, "UNBEGUN", 5.0)
    spec = {"schedulerName": "nobody", "containers": [{"name": "base"}]}
    template = template_file(pods.folder, spec)
    monkeypatch.setenv("AIRFLOW__PODLINE__POD_TEMPLATE", template)
    ran = pods.run("x = 1")
    assert len(ran.said) == 1
    assert ran.said[0].startswith("the cluster's scheduler has not looked at the pod ")
    assert "did not start within 12 s: the cluster's scheduler has not looked" in ran.error


def test_a_quota(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STARTUP_TIMEOUT", "3")
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    pods.core.create_namespaced_resource_quota(pods.namespace, quota)
    until(lambda: pods.quota_used() == "0")  # the cluster refuses otherwise before it has counted
    ran = pods.prepare("x = 1")
    pods.follow(ran)
    assert "no room in the namespace's quota: " in ran.said[0]
    assert "exceeded quota: none" in ran.error
    pods.core.delete_namespaced_resource_quota("none", pods.namespace)


def test_pod_security(pods: Pods) -> None:
    ran = pods.run("x = 1", container_security_context={"privileged": True})
    assert "the cluster refused the pod (403): " in ran.error
    assert 'violates PodSecurity "restricted' in ran.error


def test_memory_runs_out(pods: Pods) -> None:
    ran = pods.run("x = bytearray(400_000_000)", "limit:memory:64Mi")
    assert ran.error == (
        "memory ran out: the stage 'work' has a limit of 64Mi. fix: tag it limit:memory:128Mi, or "
        "take fewer rows; if it takes less, its node had no more: tag it request:memory:64Mi"
    )


def test_a_crash(pods: Pods) -> None:
    ran = pods.run("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\nos.abort()")
    assert ran.error in (
        "the stage 'work' was killed by the signal 6",
        "the stage 'work' was killed by the signal 11",
    )
    assert pods.run("import os\nos._exit(3)").error == (
        "the stage 'work' ended with exit code 3 and left no result: "
    )


def test_the_deadline(pods: Pods) -> None:
    ran = pods.run("import time\ntime.sleep(60)", "timeout:2s")
    assert ran.error.startswith("the pod's deadline passed: ")


def test_a_pod_that_is_deleted(pods: Pods) -> None:
    ran = pods.prepare("import time\nprint('up')\ntime.sleep(60)")

    def delete(line: str) -> None:
        (name,) = pods.left()
        pods.core.delete_namespaced_pod(name, pods.namespace, grace_period_seconds=0)

    pods.follow(ran, delete)
    assert "was deleted before its stage had ended by somebody else" in ran.error


def test_a_stage_that_is_told_to_stop(pods: Pods) -> None:
    ran = pods.prepare("import time\nprint('up')\ntime.sleep(60)")
    ended: list[float] = []

    def stop(line: str) -> None:
        threading.Thread(target=ran.backend.stop).start()
        ended.append(time.monotonic())

    pods.follow(ran, stop)
    assert "was told to stop" in ran.error
    until(lambda: not pods.core.list_namespaced_pod(pods.namespace).items)
    assert time.monotonic() - ended[0] < 20  # by Kubernetes' own grace a pod has 30 s


def test_a_store_that_the_pod_does_not_reach(
    pods: Pods, relay: PodRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_PATIENCE", "1")
    relay.close()
    ran = pods.run("x = 1")
    assert f"The store at {relay.url}" in ran.error
    assert "does not answer" in ran.error


def test_a_store_that_goes_away(
    pods: Pods, relay: PodRelay, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_PATIENCE", "1")
    ran = pods.prepare(f"print('up')\n{gate.wait}")
    pods.follow(ran, lambda line: (relay.close(), gate.open()))
    assert ran.result is None
    assert "does not answer" in ran.error


def test_wrong_keys(pods: Pods) -> None:
    ran = pods.prepare("x = 1")
    wrong = replace(pods.store.connection, secret_key="wrong")
    with pytest.raises(StageError, match="does not allow this") as caught:
        ran.backend.run(ran.task, wrong, ran.lines.append)
    assert caught.value.final
    ran.backend.fail()


# --- lost workers -------------------------------------------------------------------------------


def lose(pods: Pods, source: str, **more: Any) -> Any:
    """A try whose worker is lost: its pod runs on, and nobody follows it."""
    ran = pods.prepare(source, max_tries=1, **more)
    ran.backend.create(ran.task, pods.store.connection)
    return ran


@pytest.mark.parametrize("after", [0.0, 3.0], ids=["still running", "ended"])
def test_the_next_try_takes_the_pod_over(pods: Pods, after: float) -> None:
    source = "import time\nprint('one')\ntime.sleep(1)\nprint('two')"
    lost = lose(pods, source)
    time.sleep(after)
    ran = pods.prepare(source, try_number=2, max_tries=1)
    adopted = ran.backend.adopt(ran.task, 2, 1)
    assert adopted is not None
    assert (adopted.nonce, adopted.prefix) == (lost.task.nonce, lost.task.prefix)
    ran.task = adopted
    pods.follow(ran)
    assert ran.ok.nonce == lost.task.nonce
    assert ran.lines == ["one", "two"]
    assert pods.left() == []


@pytest.mark.parametrize(
    ("source", "tries"), [("x = 1", 2), ("x = 2", 1)], ids=["after a clear", "of other work"]
)
def test_not_after_a_clear_nor_if_the_work_is_another(pods: Pods, source: str, tries: int) -> None:
    """A clear raises the number of tries."""
    lose(pods, "x = 1")
    ran = pods.prepare(source, try_number=2, max_tries=tries)
    assert ran.backend.adopt(ran.task, 2, tries) is None
    assert pods.left() == []


def test_not_a_kept_one(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__KEEP_FAILED_PODS", "True")
    pods.follow(pods.prepare("1 / 0", max_tries=1))
    ran = pods.prepare("1 / 0", try_number=2, max_tries=1)
    assert ran.backend.adopt(ran.task, 2, 1) is None
    (name,) = pods.left()
    pods.core.delete_namespaced_pod(name, pods.namespace)


# --- rights -------------------------------------------------------------------------------------


def test_the_rights_that_airflow_is_given_are_enough(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes import client, utils

    documents = list(yaml.safe_load_all((ROOT / "helm-values" / "airflow-rbac.yaml").read_text()))
    for subject in documents[-1]["subjects"]:
        subject["namespace"] = pods.namespace
    items = {"kind": "List", "items": documents}
    utils.create_from_dict(pods.core.api_client, items, namespace=pods.namespace)
    account = client.ApiClient()
    user = f"system:serviceaccount:{pods.namespace}:airflow-worker"
    account.set_default_header("Impersonate-User", user)

    def may() -> bool:
        """Whether the API server knows of the role by now."""
        try:
            return bool(client.CoreV1Api(account).list_namespaced_pod(pods.namespace))
        except client.ApiException:
            return False

    until(may)
    lost = lose(pods, "print('one')")
    ran = pods.prepare("print('one')", try_number=2, max_tries=1)
    ran.backend.client = client.CoreV1Api(account)
    adopted = ran.backend.adopt(ran.task, 2, 1)
    assert adopted is not None
    ran.task = adopted
    assert pods.follow(ran).ok.nonce == lost.task.nonce

    monkeypatch.setenv("AIRFLOW__PODLINE__KEEP_FAILED_PODS", "True")
    ran = pods.prepare("print('two')\n1 / 0")
    ran.backend.client = client.CoreV1Api(account)
    pods.follow(ran)
    assert ran.lines[0] == "two"
    (kept,) = pods.core.list_namespaced_pod(pods.namespace, label_selector="podline-kept").items
    assert kept.metadata.name in ran.said[0]
