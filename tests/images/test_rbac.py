"""What Airflow may do in the cluster: what it needs, and nothing else."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from kubernetes import client, utils

from tests.support.image_pods import manifests
from tests.support.namespaces import own_namespace
from tests.support.waiting import until

pytestmark = pytest.mark.cluster

# The verbs of each resource, with the one name of it where there is any.
Rights = dict[tuple[str, str], set[str]]

# In a namespace of stages, for tasks and for the triggerer that follows deferred ones.
STAGES = {
    ("pods", ""): {"create", "get", "list", "watch", "patch", "delete"},
    ("pods/log", ""): {"get"},
    ("pods/resize", ""): {"patch"},
    ("secrets", ""): {"create"},
    ("events", ""): {"list"},
}
# In Airflow's own, for KubernetesExecutor: pods of tasks, and the logs of those that run.
EXECUTOR = {("pods", ""): {"create", "get", "list", "watch", "patch", "delete"}}
LOGS = {("pods", ""): {"list"}, ("pods/log", ""): {"get"}}
# What each of Airflow's service accounts may in the two.
MAY: dict[str, tuple[Rights, Rights]] = {
    "airflow-worker": ({}, STAGES),
    "airflow-triggerer": ({}, STAGES),
    "airflow-scheduler": (EXECUTOR, {}),
    "airflow-api-server": (LOGS, {}),
    "airflow-dag-processor": ({}, {}),
}


@pytest.fixture(scope="module")
def airflow(kubernetes_client: Any, core: Any, namespace: str) -> Iterator[str]:
    """Airflow's own namespace, beside the stages' one; both have their Roles."""
    with own_namespace(core, "podline-airflow") as own:
        documents = {
            namespace: manifests("airflow-rbac.yaml"),
            own: manifests("airflow-executor-rbac.yaml"),
        }
        for where, items in documents.items():
            for subject in (one for item in items for one in item.get("subjects", ())):
                subject["namespace"] = own
            body = {"kind": "List", "items": items}
            utils.create_from_dict(kubernetes_client, body, namespace=where)
        yield own


def account(namespace: str, name: str) -> Any:
    api = client.ApiClient()
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{namespace}:{name}")
    return api


def rights(api: Any, namespace: str) -> Rights:
    """What the API server says that a client may do in a namespace."""
    review = client.AuthorizationV1Api(api).create_self_subject_rules_review(
        {"spec": {"namespace": namespace}}
    )
    found: Rights = {}
    for rule in review.status.resource_rules:
        for resource in rule.resources:
            for name in rule.resource_names or [""]:
                found.setdefault((resource, name), set()).update(rule.verbs)
    return found


@pytest.mark.parametrize("name", MAY)
def test_the_rights_are_exactly_these(airflow: str, namespace: str, name: str) -> None:
    """In Airflow's namespace, in the stages', and none in another."""
    mine, nobody = account(airflow, name), account(airflow, "default")
    expected = (*MAY[name], {})

    def found() -> tuple[Rights, ...]:
        return tuple(beyond(mine, nobody, where) for where in (airflow, namespace, "default"))

    with suppress(TimeoutError):  # the API server learns of a role a moment after it was made
        until(lambda: found() == expected, 30)
    assert found() == expected


def beyond(mine: Any, nobody: Any, namespace: str) -> Rights:
    """What an account may in a namespace that an account without any role may not."""
    everyones = rights(nobody, namespace)
    found = rights(mine, namespace)
    return {key: verbs for key, verbs in found.items() if verbs != everyones.get(key)}


def test_each_account_that_the_manifests_bind_is_asked_about() -> None:
    bound = {
        subject["name"]
        for file in ("airflow-rbac.yaml", "airflow-executor-rbac.yaml")
        for item in manifests(file)
        for subject in item.get("subjects", ())
    }
    assert bound == {name for name, may in MAY.items() if any(may)}
