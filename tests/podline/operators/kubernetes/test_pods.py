"""Which pods of earlier tries are taken over or deleted, without a cluster."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from podline.airflow_compat import Cluster
from podline.compiler.tags import StageSettings
from podline.contract import StagePlan, StageTask
from podline.latency.observations import Observed
from podline.operators.backend import TryContext
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.backend import PodBackend
from podline.store.keys import TryKey

PLAN = StagePlan("n", "0", "train", 0, {}, (), (), (), {}, (), (), (), {}, {}, 0)


def where(number: int, task: str = "train") -> TryKey:
    return TryKey("power", "r", task, -1, number, f"nonce{number}")


def task(number: int) -> StageTask:
    return StageTask(PLAN, (), where(number).prefix, where(number).nonce)


def pod(number: int, stage: str = "train", **about: Any) -> dict[str, Any]:
    key, work = where(number, stage), task(number).work
    notes = {"prefix": key.prefix, "nonce": key.nonce, "try": number, "tries": 2, "work": work}
    notes |= {"start": 1.0, "execute": 2.0}
    given = {"annotations": {f"podline/{name}": str(value) for name, value in notes.items()}}
    given |= {"creationTimestamp": "2026-01-01T00:00:00Z", "namespace": "ns"}
    return {
        "metadata": {"name": f"{stage}-{number}", **given, **about},
        "spec": {"containers": []},
        "status": {},
    }


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
    log = SimpleNamespace(warning=lambda text: None)
    operator: Any = SimpleNamespace(client=client, namespace="ns", log=log)
    nothing: Any = None
    context = TryContext(operator, Cluster(), nothing, StageSettings(), nothing, Observed())
    return PodBackend(context)


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


def test_after_a_clear_none_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(pod(1), pod(2, **KEPT))
    assert a_backend(client, monkeypatch).adopt(task(3), 3, 3) is None
    assert client.deleted == ["train-1"]


def test_what_a_lost_trigger_followed_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(pod(1), pod(2), pod(3), pod(2, "other"), pod(2, **KEPT))
    a_backend(client, monkeypatch).abandon(where(2))
    assert client.deleted == ["train-2", "train-1"]
