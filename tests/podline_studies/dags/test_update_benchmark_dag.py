"""The update study's DAG under `airflow dags test`: real nodes, over a real delay link."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podline.store import Store, StoreConnection
from podline_studies.study import Study
from podline_studies.updates.frames import tables
from podline_studies.updates.kind import UPDATES
from podline_studies.updates.limit import limit
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.probe import sinking
from tests.support import delay_link, far_store
from tests.support.dags_test import dags_test, environment

pytestmark = [*delay_link.MARKS, pytest.mark.timeout(400)]

WAYS = ["podline", "podline-told", "polling"]
SMALL: dict[str, Any] = {"sizes": [1_000_000], "rtts_ms": [50], "rates": [20], "ways": WAYS}
SMALL |= {"forms": ["float32"], "repeats": 1, "batch": 1, "seed": 3}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    folder = tmp_path_factory.mktemp("far")
    with (
        topology.laid({"podline_store": topology.AROUND}, folder / "link.log"),
        sinking(),
        far_store.serving(folder / "store", topology.AROUND) as server,
    ):
        yield replace(server, conn_id="podline_store", bucket="podline-store")


@pytest.fixture(scope="module")
def env(store: StoreConnection, airflow_home: Path) -> dict[str, str]:
    return environment(airflow_home) | store.to_env()


def test_a_study_is_measured_and_gone_on_with(env: dict[str, str], store: StoreConnection) -> None:
    code, said = dags_test("update_benchmark", env, SMALL | {"name": "small"})
    assert code == 0, said[-4000:]
    study = Study(Store(store), UPDATES, "small")
    frame, about = tables(study)
    assert all(delay_link.BUSY in one.failure for one in about["failed"])  # measured again
    over = frame[~frame["warmup"]]
    assert sorted(over["way"]) == WAYS
    # No update beats the link, whose bytes a second are those that were asked for.
    least = [limit(*one) for one in over[["bytes", "goodput", "link_rtt"]].itertuples(index=False)]
    assert (over["fetch"] > least).all()
    assert (over["seconds"] > least).all()
    assert (over["goodput"] * 8).between(16e6, 20.2e6).all()
    assert over["link_rtt"].between(0.045, 0.06).all()
    assert (over["refused"] == 0).all()
    report = bytes(Store(store).get(study.key("report", "report.md"))).decode()
    assert "## Where the time goes" in report
    # More repeats go on with it, and what is measured is not measured again.
    code, said = dags_test("update_benchmark", env, SMALL | {"name": "small", "repeats": 2})
    assert code == 0, said[-4000:]
    again, about = tables(study)
    assert len(about["design"].items()) == 2
    assert again[~again["warmup"]].groupby("sitting")["index"].nunique().tolist() == [1, 1]
    assert over["seconds"].tolist() == again[again["index"] == 0]["seconds"].tolist()[: len(over)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [0]}, "sizes = 0: give a whole number of 1 or more"),
        ({"rates": [0]}, "rates = 0: give a whole number of 1 or more"),
    ],
)
def test_parameters_that_cannot_be_used(
    env: dict[str, str], change: dict[str, Any], message: str
) -> None:
    code, said = dags_test("update_benchmark", env, SMALL | {"name": "no"} | change)
    assert code != 0
    assert message in said


def test_a_program_that_is_not_there_is_named(env: dict[str, str]) -> None:
    path = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])}
    conf = SMALL | {"name": "no", "ways": ["mlserver"]}
    code, said = dags_test("update_benchmark", env | path, conf)
    assert code != 0
    assert "the way 'mlserver' needs the program mlserver on the PATH" in said
