"""The upload study's DAG under `airflow dags test`: from processes, over a real delay link."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podline.models.publishing import publish
from podline.store import Store, StoreConnection
from podline_studies.study import Study
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.probe import sinking
from podline_studies.uploads.frames import tables
from podline_studies.uploads.kind import UPLOADS
from tests.support import delay_link, far_store
from tests.support.dags_test import dags_test, environment

pytestmark = [*delay_link.MARKS, pytest.mark.timeout(400)]

SMALL: dict[str, Any] = {"sizes": [200_000], "rtts_ms": [20], "clients": ["podline"]}
SMALL |= {"repeats": 2, "pairs": 1, "seed": 3}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreConnection, ...]]:
    """Three buckets of one server behind a link, each with a connection of its own."""
    folder = tmp_path_factory.mktemp("far")
    behind = dict.fromkeys(("podline_store", "vm_store", "bare_store"), topology.AROUND)
    with (
        topology.laid(behind, folder / "link.log"),
        sinking(),
        far_store.serving(folder / "store", topology.AROUND) as server,
    ):
        yield tuple(replace(server, conn_id=name, bucket=name.replace("_", "-")) for name in behind)


@pytest.fixture(scope="module")
def env(stores: tuple[StoreConnection, ...], airflow_home: Path) -> dict[str, str]:
    found = environment(airflow_home)
    found["AIRFLOW__PODLINE__STORES"] = '["vm_store", "bare_store"]'
    for store in stores:
        found |= store.to_env()
    return found


@pytest.fixture(scope="module")
def model(stores: tuple[StoreConnection, ...], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A published model, by its name and version."""
    path: Path = tmp_path_factory.mktemp("model") / "model.skops"
    path.write_bytes(b"weights" * 10_000)
    Store(stores[0]).ensure_bucket()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stores[0].to_env().items():
            patch.setenv(name, value)
        made = publish(path, "power")
    return f"power/{made.number}"


def test_a_study_is_measured_and_gone_on_with(
    env: dict[str, str], stores: tuple[StoreConnection, ...], model: str
) -> None:
    conf = SMALL | {"name": "small", "models": ["power"], "accelerated": False}
    code, said = dags_test("upload_benchmark", env, conf)
    assert code == 0, said[-4000:]
    study = Study(Store(stores[0]), UPLOADS, "small")
    frame, about = tables(study)
    assert all(delay_link.BUSY in one.failure for one in about["failed"])  # measured again
    assert about["design"].accelerated is False
    (published,) = (point for point in about["design"].points if point.model)
    assert published.model == model
    assert published.serialise is not None
    assert published.serialise > 0
    over = frame[~frame["direct"] & ~frame["warmup"]]
    assert set(over["what"]) == {"200 kB", model}
    assert over.groupby(["what", "store", "warm"]).size().tolist() == [2] * 12
    # Each upload took a round trip at least, and what the link was is beside it.
    assert (over["seconds"] > 0.02).all()
    assert over["link_rtt"].between(0.018, 0.024).all()
    assert (over["goodput"] * 8).between(80e6, 101e6).all()
    # Of what went around it few took longer, as on a busy machine.
    assert frame[frame["direct"] & ~frame["warmup"]]["seconds"].median() < 0.2
    # Nothing that was uploaded stays.
    assert not [key for store in stores for key in Store(store).list("uploads")]
    report = bytes(Store(stores[0]).get(study.key("report", "report.md"))).decode()
    assert "Before the upload" in report
    assert "- cluster ÷ bare: " in report
    # More repeats go on with it, and what is measured is not measured again.
    code, said = dags_test("upload_benchmark", env, conf | {"repeats": 3})
    assert code == 0, said[-4000:]
    again, about = tables(study)
    assert len(about["design"].items()) == 6
    assert again[~again["warmup"]].groupby("sitting")["index"].nunique().tolist() == [4, 2]


@pytest.mark.parametrize(
    ("change", "variables", "message"),
    [
        ({}, {"AIRFLOW__PODLINE__STORES": "[]"}, "there is one store, and two are compared"),
        ({"sizes": [0]}, {}, "sizes = 0: give a whole number of 1 or more"),
        ({"models": ["nothing"]}, {}, "nothing is published under this name"),
    ],
)
def test_parameters_that_cannot_be_used(
    env: dict[str, str], change: dict[str, Any], variables: dict[str, str], message: str
) -> None:
    code, said = dags_test("upload_benchmark", env | variables, SMALL | {"name": "no"} | change)
    assert code != 0
    assert message in said
