"""Connections in Secrets, named by what they hold."""

import base64
from typing import Any

import pytest

from podline.operators.kubernetes.secrets import have_secret
from tests.support.namespaces import own_namespace

pytestmark = pytest.mark.cluster


def test_the_same_content_makes_one_secret(core: Any) -> None:
    with own_namespace(core) as namespace:
        name = have_secret(core, namespace, {"AIRFLOW_CONN_A": "a", "AIRFLOW_CONN_B": "ü"})
        again = have_secret(core, namespace, {"AIRFLOW_CONN_B": "ü", "AIRFLOW_CONN_A": "a"})
        other = have_secret(core, namespace, {"AIRFLOW_CONN_A": "b"})
        found = core.list_namespaced_secret(namespace, label_selector="podline=store").items
    assert name == again != other
    held = {one.metadata.name: one.data for one in found}
    assert held.keys() == {name, other}
    assert base64.b64decode(held[name]["AIRFLOW_CONN_B"]).decode() == "ü"


def test_a_namespace_that_is_not_there(core: Any) -> None:
    from kubernetes.client.exceptions import ApiException

    with pytest.raises(ApiException, match="not found"):
        have_secret(core, "nowhere", {"A": "a"})
