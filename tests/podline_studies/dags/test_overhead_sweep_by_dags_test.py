"""The overhead study's DAG under `airflow dags test`: failures, parameters, all backends."""

from pathlib import Path
from typing import Any

import pytest

from podline.store import Store
from podline_studies.overhead.design import AHEAD, STOCK, TUNED, USUAL
from podline_studies.overhead.frames import tables
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.study import Study
from tests.support.dags_test import dags_test, environment
from tests.support.sweep import SMALL, variables, write_notebook

pytestmark = [pytest.mark.xdist_group("dags test"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder)
    return folder


def sweep(env: dict[str, str], conf: dict[str, Any]) -> str:
    return dags_test("overhead_sweep", env, conf)[1]


@pytest.mark.slow
def test_under_dags_test_a_combination_that_fails_is_reported(
    airflow_home: Path, folder: Path, kept_store: Store
) -> None:
    env = environment(airflow_home) | variables(folder, kept_store)
    conf = SMALL | {"data": [10, 13], "repeats": 1, "backends": ["notebook", "process"]}
    output = sweep(env, conf | {"name": "unlucky"})
    runs, _, about = tables(Study(kept_store, OVERHEAD, "unlucky"))
    counted = runs[~runs["warmup"]]
    assert set(counted["way"]) == {"test"}
    assert set(counted.loc[counted["state"] == "success", "data"]) == {10}
    assert set(counted.loc[counted["state"] == "failed", "data"]) == {13}
    assert len(about["failed"]) == 4  # two combinations, each tried twice
    assert "bad luck" in about["failed"][0]["failure"]
    assert "2 measurements of 'unlucky' are missing" in output
    # Again, it measures what is missing, and nothing else.
    sweep(env, conf | {"name": "unlucky"})
    again, _, about = tables(Study(kept_store, OVERHEAD, "unlucky"))
    assert len(about["failed"]) == 8
    measured = again[~again["warmup"] & (again["state"] == "success")]
    assert list(measured["sitting"]) == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"notebooks": ["nowhere"]},
            "notebooks: there is no nowhere.ipynb; there are: sized",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"data": [0]}, "data = 0: give a whole number of 1 or more", marks=pytest.mark.slow
        ),
        ({"name": "two words"}, "'two words' does not match '^[A-Za-z0-9_.~:+-]*$'"),
    ],
)
def test_parameters_that_cannot_be_used(
    airflow_home: Path, folder: Path, kept_store: Store, change: dict[str, Any], message: str
) -> None:
    env = environment(airflow_home) | variables(folder, kept_store)
    assert message in sweep(env, SMALL | {"name": "none"} | change)


@pytest.mark.slow
@pytest.mark.cluster
def test_all_backends_on_the_cluster(
    in_pods: dict[str, str], airflow_home: Path, folder: Path, kept_store: Store
) -> None:
    conf = SMALL | {"data": [10], "repeats": 1, "name": "pods"}
    conf["backends"] = [*USUAL, AHEAD]
    env = environment(airflow_home) | variables(folder, kept_store) | in_pods
    output = sweep(env, conf)
    runs, stages, about = tables(Study(kept_store, OVERHEAD, "pods"))
    assert about["failed"] == [], output[-4000:]
    counted = runs[~runs["warmup"]].set_index("backend")
    assert set(counted.index) == {*USUAL, AHEAD}
    parts = ["kubernetes_s", "transfer_s", "libraries_s", "code_s", "pipeline_s"]
    assert (counted[parts].sum(axis=1) - counted["wall_s"]).abs().max() < 0.001
    assert (counted["code_s"] > 0.6).all()  # the cells sleep
    pods = counted.index[counted["kubernetes_s"] > 0.05]
    assert set(pods) - {AHEAD} == {"kubernetes", STOCK, TUNED}
    # The stock operator's stages have the phases of the stage in the pod.
    stock = stages[stages["backend"].isin((STOCK, TUNED))]
    assert (stock[["boot", "code", "store"]] > 0).all(axis=None)
