"""Which pods nobody follows any more; and that those, and no others, are deleted."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from podline.latency.record import Record
from podline.operators.kubernetes import pod_gc
from podline.operators.kubernetes import pods as pods_module
from podline.store import Store
from podline.store.keys import TryKey
from tests.support.waiting import until

from .conftest import Api, Pods

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WHERE = TryKey("power", "manual__2026-01-01T00:00:00+00:00", "train", -1, 1, "ab12")


def pod(minutes: float = 60, **about: Any) -> dict[str, Any]:
    created = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {
        "namespace": "podline",
        "creationTimestamp": created,
        "annotations": {pods_module.PREFIX: WHERE.prefix},
    }
    return {"metadata": {"name": "p", **given, **about}}


@pytest.mark.parametrize("state", sorted(pod_gc.FOLLOWED))
def test_a_pod_whose_try_may_follow_it_stays(state: str) -> None:
    assert not pod_gc.is_orphan(pod(), lambda where: state, NOW, DAY)


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "removed", None])
def test_a_pod_whose_try_is_over_goes(state: str | None) -> None:
    asked: list[TryKey] = []

    def state_of(where: TryKey) -> str | None:
        asked.append(where)
        return state

    assert pod_gc.is_orphan(pod(), state_of, NOW, DAY)
    assert asked == [WHERE]


def test_a_try_that_just_ended_deletes_its_pod_itself() -> None:
    assert not pod_gc.is_orphan(pod(minutes=0.5), lambda where: "success", NOW, DAY)


def test_what_is_being_deleted_is_left_alone() -> None:
    going = pod(deletionTimestamp="2026-01-01T23:59:59Z")
    assert not pod_gc.is_orphan(going, lambda where: None, NOW, DAY)


def test_kept_pods_are_kept_for_so_long() -> None:
    labels = {pods_module.KEPT_LABEL: "true"}
    for minutes, goes in ((60, False), (25 * 60, True)):
        kept = pod(minutes=minutes, labels=labels)
        assert pod_gc.is_orphan(kept, lambda where: "failed", NOW, DAY) == goes


# Kubernetes' client leaves its pool of connections to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(
    ("state", "seconds", "goes"),
    [
        ("success", 5, True),
        ("failed", 5, True),
        ("success", 0, False),
        ("running", 5, False),
        ("deferred", 5, False),
        ("up_for_retry", 5, False),
        (None, 5, False),
    ],
)
def test_a_pod_that_a_lost_worker_left_at_its_end(
    api: Api, store: Store, state: str | None, seconds: float, goes: bool
) -> None:
    over = datetime.now(UTC) - timedelta(seconds=seconds)
    terminated = {"exitCode": 0, "finishedAt": over.isoformat()}
    status = [{"name": "base", "state": {"terminated": terminated}}]
    left = pod() | {"spec": {}, "status": {"phase": "Succeeded", "containerStatuses": status}}
    api.answers["GET"] = {"items": [left]}
    found = pod_gc.collect_ended(api.client, "podline", lambda where: state, store)
    assert found == (["p"] if goes else [])
    assert [line.partition("?")[0] for line in api.asked if "DELETE" in line] == (
        ["DELETE /api/v1/namespaces/podline/pods/p"] if goes else []
    )
    assert "fieldSelector=status.phase%21%3DPending" in api.asked[0]


def test_states_by_way_of_a_task() -> None:
    asked: list[dict[str, Any]] = []

    def get_task_states(**query: Any) -> dict[str, dict[str, Any]]:
        asked.append(query)
        return {WHERE.run_id: {"train": "running", "train_3": None}}

    states = pod_gc.states_for_task(SimpleNamespace(get_task_states=get_task_states))
    mapped = TryKey("power", WHERE.run_id, "train", 3, 1, "ab12")
    gone = TryKey("power", WHERE.run_id, "other", -1, 1, "ab12")
    assert [states(WHERE), states(mapped), states(gone)] == ["running", "none", None]
    ids = {"dag_id": "power", "run_ids": [WHERE.run_id], "task_ids": ["train"]}
    assert asked[0] == ids | {"map_index": None}


@pytest.mark.cluster
def test_a_sweep(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_gc, "_YOUNG", timedelta(0))
    for _ in range(2):
        ran = pods.prepare("import time; time.sleep(60)")
        ran.backend.create(ran.task, pods.store.connection)
    mine, other = pods.left()
    followed = next(
        pod["metadata"]["annotations"][pods_module.NONCE]
        for pod in pods_module.list_pods(pods.core, pods.namespace)
        if pod["metadata"]["name"] == mine
    )

    def state_of(where: TryKey) -> str | None:
        return "running" if where.nonce == followed else "success"

    def listed() -> list[Any]:
        return list(pods.core.list_namespaced_pod(pods.namespace).items)

    until(lambda: all(pod.spec.node_name for pod in listed()))  # which its record tells
    time.sleep(1.1)  # a pod's age is in whole seconds
    assert pod_gc.collect(pods.core, pods.namespace, state_of, DAY, dry_run=True) == [other]
    assert sorted(pods.left()) == sorted([mine, other])
    assert pod_gc.collect(pods.core, pods.namespace, state_of, DAY, pods.store) == [other]
    assert pods.left() == [mine]
    (key,) = [
        item.key for item in pods.store.list("runs/pods") if item.key.endswith("latency.json")
    ]
    record = Record.model_validate_json(bytes(pods.store.get(key)))
    assert record.partial.startswith("its worker died")
    assert {"submit", "schedule"} <= {phase.name for phase in record.phases}


@pytest.mark.cluster
def test_the_next_task_removes_what_a_lost_worker_left_at_its_end(pods: Pods) -> None:
    lost = pods.prepare("x = 1")
    lost.backend.create(lost.task, pods.store.connection)
    endless = pods.prepare("import time; time.sleep(60)")
    endless.backend.create(endless.task, pods.store.connection)

    def get_task_states(**query: Any) -> dict[str, dict[str, str]]:
        return {pods.folder.name: {"work": "success"}}

    ran = pods.run("print('next')")
    ran.backend._wanted.context["ti"].get_task_states = get_task_states

    def left() -> list[str]:
        ran.backend.tidy(pods.store)
        return pods.left()

    running = endless.backend.pod["metadata"]["name"]
    until(lambda: left() == [running])
    assert ran.said[-1].endswith("which a lost worker had left")
    endless.backend.stop()
