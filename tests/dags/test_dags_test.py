"""`airflow dags test`: the real applications end to end, and two runs for one date."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from podline import datasets
from podline.contract import StageResult
from podline.phases import STAGE_PHASES
from podline.store import Store, keys
from tests.support.dags_test import ROOT, SLICE, dags_test, environment
from tests.support.namespaces import PodRelay, own_namespace

pytestmark = pytest.mark.xdist_group("dags test")

DATE = "2026-01-01T00:00:00+00:00"

# Few windows, few trees, one pass; the held-out subjects are others.
FEW = {"held_out": [1, 6, 7], "overlap": 0.0, "trees": 10, "epochs": 1, "seed": 1}


def _env(home: Path, **more: str) -> dict[str, str]:
    # A page may come when the next test has begun.
    return environment(home) | {"AIRFLOW__PODLINE__HTML": "never", **more}


def run_dag(dag_id: str, env: dict[str, str], conf: dict[str, Any] | None = None) -> str:
    """Run a DAG; returns what Airflow printed."""
    code, said = dags_test(dag_id, env, conf or {}, DATE)
    assert code == 0, said[-4000:]
    return said


def results(store: Store, dag_id: str) -> dict[str, list[StageResult]]:
    """The results of all tries of the DAG's runs, by stage."""
    found: dict[str, list[StageResult]] = {}
    for item in store.list(keys.join(keys.RUNS, dag_id)):
        if item.key.endswith("/result.json"):
            result = StageResult.from_json(bytes(store.get(item.key)))
            found.setdefault(result.stage, []).append(result)
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_household_power_on_a_slice_of_the_real_data(store: Store, airflow_home: Path) -> None:
    output = run_dag("household_power", _env(airflow_home), SLICE)
    found = {stage: tries[0] for stage, tries in results(store, "household_power").items()}
    assert set(found) == {"ingest", "preprocess", "train", "evaluate", "publish"}
    assert all(result.succeeded for result in found.values())
    for result in found.values():
        assert [phase.name for phase in result.phases] == list(STAGE_PHASES)
        assert all(phase.seconds >= 0 for phase in result.phases)
        assert result.versions["numpy"] == "2.4.6"
    # The held-out hours are the same whatever is learned from: so is persistence over them.
    metrics = found["evaluate"].metrics
    assert metrics["rmse_persistence"] == pytest.approx(0.8387, abs=5e-5)
    assert 0.5 < metrics["rmse_network"] < metrics["rmse_persistence"]
    manifest = json.loads(bytes(store.get(keys.manifest_key("household_power", 1))))
    assert manifest["parameters"]["horizon"] == 24
    assert manifest["metrics"]["rmse_network"] == pytest.approx(metrics["rmse_network"])
    paths = [file["path"] for file in manifest["files"]]
    assert paths == ["model.keras", "model.onnx", "sample.npz"]
    (takes,) = manifest["signature"]["inputs"]  # an edge is asked by the columns' names
    assert takes["columns"] == manifest["parameters"]["features"]
    assert "rmse_network=" in output  # what a cell prints is in the task's log
    # How much was read, of which the last year is held out, and what learned from it.
    counts = {**found["ingest"].metrics, **found["train"].metrics}
    assert counts["rows_train"] == 90_000
    assert counts["rows_read"] == 90_000 + 525_600
    assert counts["bytes_read"] == 39_201_006
    assert 8_000 < counts["weights"] < 12_000
    # Frames that grow with the rows go on as files, until the stage that needs them last.
    files = {stage: result.heap.files for stage, result in found.items()}
    assert "household/000131040.parquet" in files["ingest"]
    assert files["preprocess"]["household/000131040.parquet"].kind == "deleted"
    assert files["train"]["hours/000000000.parquet"].kind == "file"
    assert files["evaluate"]["hours/000000000.parquet"].kind == "deleted"
    # Only where the network is, TensorFlow is loaded.
    assert "tensorflow" not in found["ingest"].versions
    assert "tensorflow" in found["train"].versions


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_activity_recognition_gives_what_its_notebook_gives(
    store: Store, airflow_home: Path
) -> None:
    run_dag("activity_recognition", _env(airflow_home), FEW)
    found = {stage: tries[0] for stage, tries in results(store, "activity_recognition").items()}
    assert set(found) == {
        "ingest",
        "preprocess",
        "train_forest",
        "train_cnn",
        "evaluate",
        "publish",
    }
    assert all(result.succeeded for result in found.values())
    metrics = found["evaluate"].metrics
    assert metrics["accuracy_majority"] < 0.25
    assert metrics["accuracy_majority"] < metrics["accuracy_network"] < 1
    assert 0.8 < metrics["accuracy_forest"] < 1
    manifest = json.loads(bytes(store.get(keys.manifest_key("activity_recognition", 1))))
    assert manifest["parameters"]["held_out"] == [1, 6, 7]
    assert manifest["parameters"]["model"] == "forest"
    paths = [file["path"] for file in manifest["files"]]
    assert paths == ["model.onnx", "model.skops", "sample.npz"]
    assert manifest["metrics"]["accuracy_forest"] == metrics["accuracy_forest"]
    assert 0.7 < manifest["metrics"]["accuracy_forest_subject_7"] < 1
    # Of stages side by side, only the one that has the network loads TensorFlow.
    assert "tensorflow" not in found["train_forest"].versions
    assert "tensorflow" in found["train_cnn"].versions

    run_dag("activity_recognition_baseline", _env(airflow_home), FEW)
    ((baseline,),) = results(store, "activity_recognition_baseline").values()
    assert baseline.metrics == metrics


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("dag_id", "data", "conf"),
    [
        ("household_power", "household_power", SLICE),
        ("activity_recognition", "smartwatch_activity", FEW),
    ],
)
def test_as_pods_the_applications_give_what_they_give_as_processes(
    core: Any, store: Store, airflow_home: Path, dag_id: str, data: str, conf: dict[str, Any]
) -> None:
    store.put(datasets.store_key(data), datasets.fetch(data))
    run_dag(dag_id, _env(airflow_home, AIRFLOW__PODLINE__BACKEND="process"), conf)
    relay = PodRelay(core, store.connection.endpoint_url or "")
    with own_namespace(core) as namespace:
        pods = {
            "AIRFLOW__PODLINE__BACKEND": "kubernetes",
            "AIRFLOW__PODLINE__NAMESPACE": namespace,
            "AIRFLOW__PODLINE__STORE_ENDPOINT": relay.url,
        }
        run_dag(dag_id, _env(airflow_home, **pods), conf)
        run_dag(dag_id, _env(airflow_home, **pods), {**conf, "ahead": "auto"})
        assert not core.list_namespaced_pod(namespace, label_selector="podline-ahead").items
    relay.close()
    found = sorted(results(store, dag_id)["evaluate"], key=lambda result: result.started)
    by_process, by_pod, ahead = found
    assert ahead.ahead is not None
    assert ahead.ahead.void == ""
    assert ahead.metrics == pytest.approx(by_pod.metrics, rel=1e-3)
    assert by_pod.versions["python"].startswith("3.13")
    assert by_pod.metrics
    assert by_pod.metrics == pytest.approx(by_process.metrics, rel=1e-3)


@pytest.mark.slow
def test_two_runs_for_one_date_overwrite_nothing(
    store: Store, airflow_home: Path, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "tests" / "notebooks" / "alias_changed_in_later_stage.ipynb", tmp_path)
    env = _env(airflow_home, AIRFLOW__PODLINE__NOTEBOOKS_FOLDER=str(tmp_path))
    dag_id = "alias_changed_in_later_stage"
    run_dag(dag_id, env)
    before = {item.key: item.etag for item in store.list(keys.RUNS)}
    run_dag(dag_id, env)
    after = {item.key: item.etag for item in store.list(keys.RUNS)}
    assert before.items() <= after.items()
    for tries in results(store, dag_id).values():
        assert len({result.nonce for result in tries}) == 2
