"""What Airflow may do in the cluster: what it needs, and nothing else."""

import time
from typing import Any

import pytest

from .conftest import BASE, manifests, pod, read_log

pytestmark = pytest.mark.cluster

ACCOUNT = "podline-airflow"
RIGHTS = {
    ("pods", ""): {"create", "get", "list", "watch", "patch", "delete"},
    ("pods/log", ""): {"get"},
    ("events", ""): {"list", "watch"},
    ("secrets", ""): {"create"},
    ("secrets", "podline-store"): {"get", "patch"},
}


@pytest.fixture(scope="module")
def airflow(kubernetes_client: Any, namespace: str) -> Any:
    """An API client that is Airflow's service account."""
    from kubernetes import utils

    documents = manifests("airflow-rbac.yaml")
    documents[-1]["subjects"][0]["namespace"] = namespace
    utils.create_from_dict(
        kubernetes_client, {"kind": "List", "items": documents}, namespace=namespace
    )
    return account(namespace, ACCOUNT)


def account(namespace: str, name: str) -> Any:
    from kubernetes import client

    api = client.ApiClient()
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{namespace}:{name}")
    return api


def rights(api: Any, namespace: str) -> dict[tuple[str, str], set[str]]:
    """What the API server says that a client may do in a namespace."""
    from kubernetes import client

    review = client.AuthorizationV1Api(api).create_self_subject_rules_review(
        {"spec": {"namespace": namespace}}
    )
    found: dict[tuple[str, str], set[str]] = {}
    for rule in review.status.resource_rules:
        for resource in rule.resources:
            for name in rule.resource_names or [""]:
                found.setdefault((resource, name), set()).update(rule.verbs)
    return found


def test_the_rights_are_exactly_these(airflow: Any, namespace: str) -> None:
    everyones = rights(account(namespace, "default"), namespace)
    found = rights(airflow, namespace)
    assert {key: verbs for key, verbs in found.items() if key not in everyones} == RIGHTS
    assert not rights(airflow, "default").keys() - everyones.keys()


def test_they_are_enough_for_the_life_of_a_pod(airflow: Any, namespace: str) -> None:
    from kubernetes import client, watch

    core = client.CoreV1Api(airflow)
    core.create_namespaced_secret(
        namespace, {"metadata": {"name": "podline-store"}, "stringData": {"WORD": "hello"}}
    )
    core.patch_namespaced_secret("podline-store", namespace, {"stringData": {"WORD": "hello!"}})
    assert core.read_namespaced_secret("podline-store", namespace).data
    container = {"envFrom": [{"secretRef": {"name": "podline-store"}}]}
    body = pod(BASE, "sh", "-c", "echo $WORD", container=container)
    name = core.create_namespaced_pod(namespace, body).metadata.name
    core.patch_namespaced_pod(name, namespace, {"metadata": {"annotations": {"try": "2"}}})
    events = watch.Watch().stream(
        core.list_namespaced_pod,
        namespace,
        field_selector=f"metadata.name={name}",
        timeout_seconds=60,
    )
    phase = next(p for event in events if (p := event["object"].status.phase) == "Succeeded")
    assert phase == "Succeeded"
    assert read_log(core, namespace, name) == "hello!\n"
    deadline = time.monotonic() + 20
    while not core.list_namespaced_event(namespace).items and time.monotonic() < deadline:
        time.sleep(0.1)
    assert core.list_namespaced_event(namespace).items
    core.delete_namespaced_pod(name, namespace)


def test_other_secrets_are_not_read(airflow: Any, core: Any, namespace: str) -> None:
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    core.create_namespaced_secret(namespace, {"metadata": {"name": "object-store"}})
    theirs = client.CoreV1Api(airflow)
    with pytest.raises(ApiException, match="Forbidden"):
        theirs.read_namespaced_secret("object-store", namespace)
    with pytest.raises(ApiException, match="Forbidden"):
        theirs.list_namespaced_secret(namespace)
