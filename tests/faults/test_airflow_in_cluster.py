"""Faults of an Airflow in the cluster itself, with KubernetesExecutor and PostgreSQL."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiException

from podline.contract import PHASE_MARK
from tests.support.airflow_in_cluster import DAG, SMALL, STAGES, Cluster, make_up, up
from tests.support.fault_list import (
    DATABASE_GONE,
    NEW_IMAGES,
    SCHEDULER_POD,
    TASK_POD,
    Published,
)
from tests.support.fault_table import publish
from tests.support.faults import Sentence, told
from tests.support.image_pods import REGISTRY, read_log
from tests.support.latency import one_try
from tests.support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

# Ten seconds of training and more, on two cores: that is when something happens.
STEPS = 3000
# As long as `make up-kubernetes` takes, twice.
MANY_STEPS = 40_000
# What a stage's log has where the last phase before its cells ends.
_BEFORE_CODE = re.compile(rf"{PHASE_MARK} \S+ load ")


@pytest.fixture(scope="module")
def there(core: Any) -> Iterator[Cluster]:
    """What `make up-kubernetes` makes."""
    with up(core) as made:
        yield made


@pytest.fixture
def training(there: Cluster, core: Any, request: pytest.FixtureRequest) -> str:
    """A run whose stage `train` runs, for some seconds or as many steps as a test asks for."""
    run_id = there.airflow.trigger(DAG, {**SMALL, "steps": getattr(request, "param", STEPS)})
    until(lambda: computes(core, there.stages, "household-power-train-"), 300)
    return run_id


def computes(core: Any, namespace: str, name: str) -> bool:
    """Whether a stage is at its cells: its pod, which is made ahead, runs long before."""
    try:
        return any(
            _BEFORE_CODE.search(read_log(core, namespace, pod))
            for pod in running(core, namespace, name)
        )
    except ApiException:  # it has no log yet
        return False


def running(core: Any, namespace: str, name: str) -> list[str]:
    """The pods that run and whose names begin so."""
    return [
        pod.metadata.name
        for pod in core.list_namespaced_pod(namespace).items
        if pod.metadata.name.startswith(name) and pod.status.phase == "Running"
    ]


def delete(core: Any, namespace: str, name: str, grace: int | None = 0) -> float:
    """Delete the one pod whose name begins so, within `grace` seconds; returns when (epoch).

    Without a `grace` it has the pod's own, as `kubectl delete` gives it.
    """
    injected = time.time()
    (mine,) = running(core, namespace, name)
    core.delete_namespaced_pod(mine, namespace, grace_period_seconds=grace)
    return injected


def sentences(there: Cluster, run_id: str, since: float) -> list[Sentence]:
    """What the tasks' logs say of trouble since a time (epoch), the first one first."""
    found: list[Sentence] = []
    for task_id, task in there.airflow.tasks(DAG, run_id).items():
        for number in range(1, task["try_number"] + 1):
            lines = there.airflow.log(DAG, run_id, task_id, number)
            found += told((line for line in lines if "timestamp" in line), task_id, since)
    return sorted(found, key=lambda sentence: sentence.at)


def assert_whole(there: Cluster, core: Any, run_id: str, anew: str = "") -> None:
    """The run succeeded, each stage but that one ran in one pod alone, and nothing is left."""
    assert until(lambda: there.airflow.ended(DAG, run_id), 600) == "success", there.told(run_id)
    for task_id, task in there.airflow.tasks(DAG, run_id).items():
        number = task["try_number"]
        adopted = one_try(there.airflow, DAG, run_id, task_id, number)["adopted_from"]
        assert number == 1 or adopted is not None or task_id == anew, (task_id, number)
    until(lambda: not running(core, there.stages, "household-power-"), 60)


def end(
    there: Cluster,
    core: Any,
    run_id: str,
    what: Published,
    injected: float,
    request: Any,
    anew: str = "",
) -> list[Sentence]:
    """Wait for the end, check it, and publish what was seen; returns what the user reads."""
    assert_whole(there, core, run_id, anew)
    found = sentences(there, run_id, injected)
    publish(what, there.stages, found[0] if found else None, injected, request)
    return found


def test_a_database_that_is_gone_for_a_minute(
    there: Cluster, training: str, core: Any, request: pytest.FixtureRequest
) -> None:
    from kubernetes.client import AppsV1Api

    apps = AppsV1Api(core.api_client)

    def scale(replicas: int) -> None:
        apps.patch_namespaced_stateful_set_scale(
            "postgres", there.own, {"spec": {"replicas": replicas}}
        )

    scale(0)
    try:
        injected = delete(core, there.own, "postgres-")  # by itself it waits for clients to go
        until(lambda: not running(core, there.own, "postgres-0"), 60)
        time.sleep(60)
    finally:
        scale(1)
    end(there, core, training, DATABASE_GONE, injected, request)


def test_a_pod_of_a_task_that_is_deleted(
    there: Cluster, training: str, core: Any, request: pytest.FixtureRequest
) -> None:
    # In its own time it stores its log, of which nothing is left otherwise.
    injected = delete(core, there.own, "household-power-train-", grace=None)
    end(there, core, training, TASK_POD, injected, request, anew="train")


def test_a_scheduler_that_is_deleted(
    there: Cluster, training: str, core: Any, request: pytest.FixtureRequest
) -> None:
    injected = delete(core, there.own, "airflow-scheduler-")
    end(there, core, training, SCHEDULER_POD, injected, request)


@pytest.mark.parametrize("training", [MANY_STEPS], indirect=True)
def test_other_images_in_the_middle_of_a_run(
    there: Cluster, training: str, core: Any, request: pytest.FixtureRequest
) -> None:
    injected = time.time()
    make_up(there.own, there.stages, f"IMAGE_PREFIX={REGISTRY}")
    assert_whole(there, core, training)
    images = {
        stage: one_try(there.airflow, DAG, training, stage)["image"].startswith(REGISTRY)
        for stage in STAGES
    }
    assert images["publish"]
    assert not images["train"]
    end(there, core, training, NEW_IMAGES, injected, request)
