"""Which Secret gives a pod the store. Requests to a real cluster: test_backend."""

from typing import Any

import pytest

from podline.operators.kubernetes.pod_requests import PodRequests
from podline.store import StoreConnection

WHOLE = StoreConnection("podline_store", "podline", "http://store", "key", "secret")
VISION = StoreConnection("podline_store", "podline", "http://store", "key", "secret", team="vision")
NOBODY: Any = None  # is asked to write a Secret


@pytest.mark.parametrize(("setting", "name"), [("", "object-store-connection"), ("mine", "mine")])
def test_a_teams_pods_get_the_secret_of_its_namespace(
    setting: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", setting)
    assert PodRequests(NOBODY, "vision", print).secret(VISION) == name


def test_for_others_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", "")
    with pytest.raises(AttributeError, match="create_namespaced_secret"):
        PodRequests(NOBODY, "podline", print).secret(WHOLE)
