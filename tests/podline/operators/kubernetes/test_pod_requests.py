"""Which Secret gives a pod the store. Requests to a real cluster: test_backend."""

from dataclasses import replace
from typing import Any

import pytest

from podline.exceptions import StageError
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


def stands_at(namespace: str) -> StoreConnection:
    """The team's connection to a store of the cluster, as Airflow's pods see it."""
    return replace(VISION, endpoint_url=f"http://object-store.{namespace}:8333")


@pytest.mark.parametrize("setting", ["", "object-store-connection"])
def test_a_team_in_the_namespace_of_all_would_get_the_whole_key(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", setting)
    with pytest.raises(StageError) as refused:
        PodRequests(NOBODY, "podline", print).secret(VISION)
    assert refused.value.final
    said = str(refused.value)
    assert "the team 'vision' has its pods in the namespace 'podline'" in said
    assert "Team('vision', namespace=" in said
    assert "podline store secrets --team vision --copy-to" in said
    assert PodRequests(NOBODY, "vision", print).secret(VISION) == "object-store-connection"


def test_a_secret_that_the_setting_names_is_the_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__NAMESPACE", "vision")
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", "of-vision")
    assert PodRequests(NOBODY, "vision", print).secret(VISION) == "of-vision"


@pytest.mark.parametrize("setting", ["", "of-vision"])
def test_no_secret_is_the_teams_beside_the_store(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the tag `secret:object-store-connection:…` of a notebook has the whole key."""
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", setting)
    with pytest.raises(StageError, match="there the whole key to the store is"):
        PodRequests(NOBODY, "stores", print).secret(stands_at("stores"))
    assert PodRequests(NOBODY, "vision", print).secret(stands_at("stores"))


def test_for_others_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_SECRET", "")
    with pytest.raises(AttributeError, match="create_namespaced_secret"):
        PodRequests(NOBODY, "podline", print).secret(WHOLE)
