"""Each fault happens to a run of three stages: the result is equal, and nothing is left.

`make faults` runs them all, and writes what the user reads, and after how many seconds, into
docs/reliability.csv.
"""

import time
from dataclasses import replace
from glob import glob
from typing import Any

import pytest

from tests.support.fault_list import (
    FAULTS,
    FIFTY,
    IN_THE_CLUSTER,
    SPOILT,
    STEADY,
    TWO_RUNS,
    Published,
    spoil_results,
)
from tests.support.fault_table import publish
from tests.support.faults import (
    FIFTY_RESULT,
    RESULT,
    STAGES,
    Fault,
    Scene,
    Seen,
    run_through,
)
from tests.support.latency import lengths
from tests.support.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def alone(fault: Fault) -> Any:
    """A fault of the cluster is for a test that nobody shares it with."""
    marks: list[Any] = [pytest.mark.cluster_faults] if fault in IN_THE_CLUSTER else []
    if fault.needs and not glob(fault.needs):
        marks.append(pytest.mark.skip(reason=f"needs {fault.needs}"))
    return pytest.param(fault, marks=marks, id=fault.name)


@pytest.mark.parametrize("fault", [alone(fault) for fault in FAULTS])
def test_a_run_survives(fresh: Scene, fault: Fault, request: pytest.FixtureRequest) -> None:
    fresh.dag_id = fault.dag_id
    secrets = secret_names(fresh)
    seen = run_through(fresh, fault)
    assert seen.state == "success", seen.sentences
    assert fresh.returned("look")["metrics"] == RESULT
    assert_consistent(fresh)
    assert_nothing_left(fresh, secrets)
    assert_told(fresh, fault, seen)
    if fault.guarantee == STEADY:
        lengths(fresh.record("change"))
    what = Published(fault.name, fault.guarantee)
    publish(what, fresh.namespace, seen.first, seen.injected, request)


def test_two_runs_at_once_keep_apart(fresh: Scene, request: pytest.FixtureRequest) -> None:
    other = replace(fresh, run_id="")
    began = time.time()
    for scene in (fresh, other):
        scene.run_id = scene.airflow.trigger(scene.dag_id)
    until(lambda: len(fresh.pods("change")) == 2, 300)
    assert (fresh.end(), other.end()) == ("success", "success")
    for scene in (fresh, other):
        assert scene.returned("look")["metrics"] == RESULT
        assert scene.sentences(began) == []
    mine, others = (scene.returned("make")["key"] for scene in (fresh, other))
    assert mine != others
    until(lambda: not fresh.pods(), 60)
    publish(TWO_RUNS, fresh.namespace, None, began, request)


def test_what_is_overwritten_is_read_by_no_stage(
    fresh: Scene, request: pytest.FixtureRequest
) -> None:
    fresh.begin(second=13)
    injected = time.time()
    spoil_results(fresh, "make")
    assert fresh.end() == "failed"
    first = fresh.sentences(injected)[0]
    assert "fix: " in first.text
    fresh.airflow.clear(fresh.dag_id, fresh.run_id, "make", downstream=True)
    until(lambda: fresh.end() == "success", 120)
    assert fresh.returned("look")["metrics"] == RESULT
    publish(SPOILT, fresh.namespace, first, injected, request)


@pytest.mark.cluster_faults
def test_fifty_stages_side_by_side(fresh: Scene, request: pytest.FixtureRequest) -> None:
    fresh.dag_id = "fifty"
    fresh.run_id = fresh.airflow.trigger("fifty")
    until(lambda: len(fresh.pods()) > 10, 240)
    injected = time.time()
    fresh.control("kill", "kube-apiserver")
    try:
        time.sleep(5)
    finally:
        fresh.control("start", "kube-apiserver")
    assert fresh.end(600) == "success"
    assert fresh.returned("last")["metrics"] == FIFTY_RESULT
    until(lambda: not fresh.pods(), 60)
    publish(FIFTY, fresh.namespace, None, injected, request)


# --- what holds


def assert_consistent(scene: Scene) -> None:
    """What a stage ran twice came to the same; what Airflow was told of is there."""
    for task_id in STAGES:
        assert len({str(result.metrics) for result in scene.results(task_id)}) == 1, task_id
        assert scene.store.exists(scene.returned(task_id)["key"]), task_id


def secret_names(scene: Scene) -> set[str]:
    """The Secrets that are there."""
    return {s.metadata.name for s in scene.core.list_namespaced_secret(scene.namespace).items}


def assert_nothing_left(scene: Scene, secrets: set[str]) -> None:
    """No pod; of Secrets one, of the store, which all runs share."""
    until(lambda: not scene.pods(), 60)
    assert len(secret_names(scene) - secrets) <= (0 if secrets else 1)


def assert_told(scene: Scene, fault: Fault, seen: Seen) -> None:
    """The user reads what is wrong, soon; or nothing, where nothing waits for it."""
    if not fault.sentence:
        return
    told = [one for one in seen.sentences if fault.sentence in one.text]
    assert told, (seen.sentences, [scene.lines(task_id)[-20:] for task_id in STAGES])
    assert told[0].at - seen.injected <= fault.within, seen.sentences
