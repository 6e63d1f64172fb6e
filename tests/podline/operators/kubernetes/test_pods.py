"""Which pods of earlier tries are taken over or deleted, without a cluster."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from podline.contract import StageTask
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.backend import PodBackend
from podline.store.keys import TryKey
from tests.support.tries import PLAN, try_context


def where(number: int, task: str = "train") -> TryKey:
    return TryKey("power", "r", task, -1, number, f"nonce{number}")


def task(number: int) -> StageTask:
    return StageTask(PLAN, (), where(number).prefix, where(number).nonce)


def pod(number: int, stage: str = "train", **about: Any) -> dict[str, Any]:
    key, work = where(number, stage), task(number).work
    notes = {"prefix": key.prefix, "nonce": key.nonce, "try": number, "tries": 2, "work": work}
    notes |= {"start": 1.0, "execute": 2.0}
    about |= {"annotations": {f"podline/{name}": str(value) for name, value in notes.items()}}
    about |= {"creationTimestamp": "2026-01-01T00:00:00Z", "namespace": "ns"}
    about["name"] = f"{stage}-{number}"
    return {"metadata": about, "spec": {"containers": []}, "status": {}}


class Client:
    """A cluster with some pods."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        self.listed, self.deleted = listed, list[str]()

    def list_namespaced_pod(self, namespace: str, **_: Any) -> Any:
        assert namespace == "ns"
        return SimpleNamespace(data=json.dumps({"items": self.listed}))

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        self.deleted.append(name)


def a_backend(client: Client, monkeypatch: pytest.MonkeyPatch) -> PodBackend:
    monkeypatch.setenv("AIRFLOW__PODLINE__LATENCY", "none")  # nobody asks for events
    return PodBackend(try_context(client))


KEPT = {"labels": {pods.KEPT_LABEL: "true"}}
GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def test_the_latest_of_the_earlier_tries_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(pod(1), pod(2), pod(3), pod(4), pod(2, "other"), pod(1, **GOING))
    backend = a_backend(client, monkeypatch)
    adopted = backend.adopt(task(4), 4, 2)
    assert adopted is not None
    assert (adopted.prefix, adopted.nonce) == (where(3).prefix, "nonce3")
    assert client.deleted == ["train-2", "train-1"]
    assert [(lost.number, lost.start) for lost in backend.seen.lost] == [(3, 1), (2, 1), (1, 1)]
    assert {lost.seen.moments.execute for lost in backend.seen.lost} == {2.0}


def test_a_pod_of_somebody_elses_run_harms_no_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = pod(1, "other")
    del foreign["metadata"]["annotations"]["podline/try"]
    client = Client(foreign, pod(1))
    assert a_backend(client, monkeypatch).adopt(task(2), 2, 2) is not None
    assert client.deleted == []


def test_after_a_clear_none_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(pod(1), pod(2, **KEPT))
    assert a_backend(client, monkeypatch).adopt(task(3), 3, 3) is None
    assert client.deleted == ["train-1"]


def test_what_a_lost_trigger_followed_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(pod(1), pod(2), pod(3), pod(2, "other"), pod(2, **KEPT))
    a_backend(client, monkeypatch).abandon(where(2))
    assert client.deleted == ["train-2", "train-1"]
