"""A cluster that does not answer for a while, where a pod is looked for, made or ended."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from podline.exceptions import StageError
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.backend import PodBackend
from podline.store import StoreConnection
from tests.support.tries import try_context
from tests.support.waiting import until

from .conftest import Api

POD = {"metadata": {"name": "p", "namespace": "podline"}, "spec": {}, "status": {}}
TASK: Any = SimpleNamespace(prefix="runs/d/r/t/-1/2-ab", work="w")
STORE = StoreConnection("podline_store", "b", "http://s", "k", "s")


@pytest.fixture
def backend(away: Api) -> PodBackend:
    backend = PodBackend(try_context(away.client))
    backend.said = []  # type: ignore[attr-defined]
    backend.say = backend.said.append  # type: ignore[attr-defined]
    return backend


@pytest.mark.parametrize("what", ["look", "secret", "create"])
def test_a_cluster_that_comes_back_is_waited_for(away: Api, backend: Any, what: str) -> None:
    away.answers |= {"GET": {"items": []}, "POST": POD}
    uses = {
        "look": lambda: backend.adopt(TASK, 2, 1) is None,
        "secret": lambda: backend._requests.secret(STORE).startswith("podline-store-"),
        "create": lambda: backend._requests.create(POD, print) == POD,
    }
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(uses[what]()))
    thread.start()
    until(lambda: backend.said)
    away.start()
    thread.join(60)
    assert done == [True]
    (said,) = backend.said
    assert said.startswith("the cluster does not answer: ")
    assert said.endswith("; it is tried again")


def test_one_that_is_not_ready_too(api: Api, backend: Any) -> None:
    api.answers["GET"] = (503, {"message": "etcd has no leader"})

    def mend() -> None:
        until(lambda: backend.said)
        api.answers["GET"] = {"items": []}

    threading.Thread(target=mend).start()
    assert backend.adopt(TASK, 2, 1) is None
    assert "etcd has no leader" in backend.said[0]


def test_a_refusal_is_an_error_at_once(api: Api, backend: Any) -> None:
    api.answers |= {
        "GET": (403, {"message": "pods is forbidden"}),
        "POST": (403, {"message": "no"}),
    }
    with pytest.raises(StageError, match="pods is forbidden"):
        backend.adopt(TASK, 2, 1)
    with pytest.raises(StageError, match=r"the cluster refused the pod \(403\): no"):
        backend._requests.create(POD, print)
    assert len(api.asked) == 2


def test_who_is_told_to_stop_waits_no_more(backend: Any) -> None:
    def stop() -> None:
        until(lambda: backend.said)
        backend.stop()

    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(StageError, match="whether the try before has left a pod cannot be told"):
        backend.adopt(TASK, 2, 1)
    assert time.monotonic() - began < 60  # it would wait for ten minutes


def test_patience_has_an_end(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STARTUP_TIMEOUT", "1")
    with pytest.raises(StageError, match="the cluster does not answer: .* fix: see to it, or"):
        backend._requests.create(POD, print)


@pytest.mark.parametrize(
    ("status", "passes"),
    [(None, True), (500, True), (503, True), (429, True), (401, False), (403, False), (404, False)],
)
def test_what_passes(status: int | None, passes: bool) -> None:
    assert pods.passes(ApiException(status=status)) == passes
