"""The pod of a batch, and its own link by netem."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from podline import settings
from podline.store import Store
from podline_studies.uploads import batch_pods
from podline_studies.uploads.batch import VARIABLE, BatchResult, BatchTask, Target
from podline_studies.uploads.batch_pods import PodError
from podline_studies.uploads.delay_link import LinkSpec
from tests.support.namespaces import PodRelay, own_namespace
from tests.support.waiting import until


def manifest(
    variables: dict[str, str], secrets: dict[str, str], link: LinkSpec | None = None
) -> Any:
    pod = batch_pods.manifest("s", variables, secrets, "keys", link)
    return ApiClient().sanitize_for_serialization(pod)


def test_a_batches_pod_is_restricted_and_has_its_keys_from_a_secret() -> None:
    pod = manifest({"PODLINE_BATCH": "{}"}, {"AIRFLOW_CONN_VM_STORE": "secret"})
    (container,) = pod["spec"]["containers"]
    assert "initContainers" not in pod["spec"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["env"] == [
        {"name": "PODLINE_BATCH", "value": "{}"},
        {
            "name": "AIRFLOW_CONN_VM_STORE",
            "valueFrom": {"secretKeyRef": {"name": "keys", "key": "AIRFLOW_CONN_VM_STORE"}},
        },
    ]


def test_netem_delays_both_ways_by_half() -> None:
    pod = manifest({}, {}, LinkSpec(0.1, rate=1e8, loss=0.005, jitter=0.002))
    (link,) = pod["spec"]["initContainers"]
    script = link["command"][2]
    netem = "netem delay 50ms 2ms rate 100000000bit loss 0.5% limit 100000"
    assert f"tc qdisc add dev eth0 root {netem}" in script
    assert f"tc qdisc add dev ifb0 root {netem}" in script
    assert link["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.fixture
def task(core: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchTask]:
    """A batch of the session's store, whose namespaces are the test's own."""
    relay = PodRelay(core, store.connection.endpoint_url or "")
    with own_namespace(core) as namespace, own_namespace(core, security="privileged") as links:
        monkeypatch.setenv("AIRFLOW__PODLINE__NAMESPACE", namespace)
        monkeypatch.setenv("AIRFLOW__PODLINE__LINK_NAMESPACE", links)
        targets = (Target("podline_store", relay.url, relay.url),)
        yield BatchTask(targets, "podline", 100_000, "", 1, "uploads/s/0001", True, "", seed=7)
    relay.close()


def run(core: Any, store: Store, task: BatchTask, link: LinkSpec | None = None) -> BatchResult:
    printed = batch_pods.run(core, "s", {VARIABLE: task.to_json()}, store.connection.to_env(), link)
    return BatchResult.read(printed)


@pytest.mark.cluster
def test_a_batch_in_a_pod(core: Any, store: Store, task: BatchTask) -> None:
    with batch_pods.sinking(core, "s") as sink:
        found = run(core, store, replace(task, sink=sink))
    kinds = [(u.direct, u.warm) for u in found.uploads]
    assert kinds == [(True, False), (False, False), (False, True)]
    assert found.before.rtt < 0.1
    for upload in found.uploads:
        assert hashlib.sha256(store.get(upload.key)).hexdigest() == found.sha256


@pytest.mark.cluster
def test_a_link_by_netem_where_the_kernel_has_it(core: Any, store: Store, task: BatchTask) -> None:
    found, said = None, ""
    with batch_pods.sinking(core, "s") as sink:
        try:
            found = run(core, store, replace(task, sink=sink), LinkSpec(0.1))
        except PodError as error:
            said = str(error)
    if found is not None:
        assert found.before.rtt == pytest.approx(0.1, abs=0.01)
    else:
        assert "could make no link" in said
        assert "needs the modules sch_netem, ifb and act_mirred" in said


@pytest.mark.cluster
@pytest.mark.usefixtures("task")
def test_what_a_worker_that_died_has_left_is_deleted(core: Any) -> None:
    with batch_pods.sinking(core, "s"), batch_pods.sinking(core, "another"):
        assert len(names(core)) == 2
        batch_pods.clear(core, "s")
        until(lambda: len(names(core)) == 1)
        batch_pods.clear(core, "another", LinkSpec(0.1))
        until(lambda: not names(core))


def names(core: Any) -> list[str]:
    return [pod.metadata.name for pod in core.list_namespaced_pod(settings.namespace()).items]


@pytest.mark.cluster
def test_a_batch_that_fails_says_what_it_printed(core: Any, store: Store, task: BatchTask) -> None:
    with pytest.raises(PodError, match="the batch's pod failed: nothing answers over the link"):
        run(core, store, replace(task, sink="127.0.0.1"))


@pytest.mark.cluster
def test_a_namespace_that_refuses_the_link(
    core: Any, store: Store, task: BatchTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_namespace(core) as restricted:
        monkeypatch.setenv("AIRFLOW__PODLINE__LINK_NAMESPACE", restricted)
        with pytest.raises(PodError) as caught:
            run(core, store, task, LinkSpec(0.1))
    assert "violates PodSecurity" in str(caught.value)
    assert "kubectl apply -f helm-values/links-namespace.yaml" in str(caught.value)
