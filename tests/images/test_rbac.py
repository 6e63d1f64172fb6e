"""What Airflow may do in the cluster: what it needs, and nothing else."""

from contextlib import suppress
from typing import Any

import pytest

from tests.support.image_pods import manifests
from tests.support.waiting import until

pytestmark = pytest.mark.cluster

ACCOUNT = "airflow-worker"
RIGHTS = {
    ("pods", ""): {"create", "get", "list", "watch", "patch", "delete"},
    ("pods/log", ""): {"get"},
    ("pods/resize", ""): {"patch"},
    ("secrets", ""): {"create"},
    ("events", ""): {"list"},
}


@pytest.fixture(scope="module")
def airflow(kubernetes_client: Any, namespace: str) -> Any:
    """An API client that is the service account of Airflow's tasks."""
    from kubernetes import utils

    documents = manifests("airflow-rbac.yaml")
    for subject in documents[-1]["subjects"]:
        subject["namespace"] = namespace
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

    def found() -> dict[tuple[str, str], set[str]]:
        mine = rights(airflow, namespace)
        return {key: verbs for key, verbs in mine.items() if key not in everyones}

    with suppress(TimeoutError):  # the API server learns of a role a moment after it was made
        until(lambda: found() == RIGHTS, 30)
    assert found() == RIGHTS
    assert not rights(airflow, "default").keys() - everyones.keys()
