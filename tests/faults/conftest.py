"""One Airflow of killable parts, one store and one namespace for all faults."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlsplit

import pytest

from podline.local_airflow import ORPHANS_SOON, PATIENCE
from podline.store import Store, seaweedfs
from tests.support import faults
from tests.support.airflow_parts import AirflowParts, parts
from tests.support.dags_test import add_dag_file
from tests.support.faults import (
    CELLS,
    CLOCK_LIBRARY,
    CRAMPED_DAG,
    FIFTY_CELLS,
    FIFTY_DAG,
    NAMED_STORE,
    SHIFTED_DAG,
    Scene,
)
from tests.support.namespaces import PodRelay, own_namespace
from tests.support.notebooks import DEFERRED_DAG, write_cells, write_notebook

_STORE = "store"  # its service
_TRIED_SOON = {"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1"}


@pytest.fixture(scope="session")
def _controlled() -> None:
    if not os.environ.get("PODLINE_CLUSTER_CTL"):
        pytest.skip("stops parts of a cluster: set PODLINE_CLUSTER_CTL to the command that does")


@pytest.fixture(scope="session")
def fault_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DAG files and notebooks: the same pipeline, in each of the ways that faults want."""
    folder = tmp_path_factory.mktemp("faulted")
    dags = folder / "dags"
    (dags / "deferred").mkdir(parents=True)
    add_dag_file(dags)
    (dags / "deferred.py").write_text(DEFERRED_DAG)
    cells = {tag: source.replace("{seconds}", "15") for tag, source in CELLS.items()}
    write_notebook(folder, "three", cells, retries=3, max_active_runs=2)
    write_notebook(dags / "deferred", "three_deferred", cells, retries=3)
    (dags / "shifted").mkdir()
    (dags / "shifted.py").write_text(SHIFTED_DAG)
    write_notebook(dags / "shifted", "three_shifted", cells, retries=3)
    (dags / "cramped").mkdir()
    (dags / "cramped.py").write_text(CRAMPED_DAG)
    write_notebook(dags / "cramped", "three_cramped", cells, retries=3)
    write_notebook(folder, "three_upgraded", cells, retries=3)
    (dags / "fifty").mkdir()
    (dags / "fifty.py").write_text(FIFTY_DAG)
    write_cells(dags / "fifty" / "fifty.ipynb", *FIFTY_CELLS)
    return folder


@pytest.fixture(scope="session")
def fault_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a store's server that tests may kill, on a disk of its own that they may fill."""
    folder = tmp_path_factory.mktemp("fault-store")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder], check=True)
    try:
        seaweedfs.start(folder)
        yield folder
        seaweedfs.stop(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="session")
def scene(
    _controlled: None,
    core: Any,
    fault_folder: Path,
    fault_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    connection = seaweedfs.connection(fault_store)
    store = Store(connection)
    store.ensure_bucket()
    relay = PodRelay(core, connection.endpoint_url or "")
    with own_namespace(core, "podline-faults") as namespace:
        name = _name_in_cluster(core, namespace, relay)
        _have_clock(core, namespace, fault_folder)
        variables = {
            **connection.to_env(),
            **_TRIED_SOON,
            **PATIENCE,
            **ORPHANS_SOON,
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
            "AIRFLOW__CORE__DAGS_FOLDER": str(fault_folder / "dags"),
            "AIRFLOW__PODLINE__BACKEND": "kubernetes",
            "AIRFLOW__PODLINE__NAMESPACE": namespace,
            "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(fault_folder),
            "AIRFLOW__PODLINE__STORE_ENDPOINT": name,
            NAMED_STORE: f"{urlsplit(name).hostname} {urlsplit(relay.url).hostname}",
        }
        with parts(tmp_path_factory.mktemp("airflow"), variables) as airflow:
            yield _scene(airflow, core, namespace, relay, store, fault_store)
    relay.close()


def _name_in_cluster(core: Any, namespace: str, relay: PodRelay) -> str:
    """Give the store's relay a name in the cluster, as a store of the cluster has; its address."""
    from kubernetes import client

    where = urlsplit(relay.url)
    port = {"name": "s3", "port": where.port, "protocol": "TCP"}
    core.create_namespaced_service(
        namespace, {"metadata": {"name": _STORE}, "spec": {"ports": [port]}}
    )
    body = {
        "metadata": {"name": _STORE, "labels": {"kubernetes.io/service-name": _STORE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [where.hostname]}],
        "ports": [port],
    }
    client.DiscoveryV1Api(core.api_client).create_namespaced_endpoint_slice(namespace, body)
    return f"http://{_STORE}.{namespace}.svc.cluster.local:{where.port}"


def _have_clock(core: Any, namespace: str, folder: Path) -> None:
    """Give pods the library that moves what they read of the clock."""
    library, source = folder / CLOCK_LIBRARY, Path(faults.__file__).with_name("clock.c")
    if which("gcc"):
        subprocess.run(["gcc", "-shared", "-fPIC", "-O", "-o", library, source], check=True)
        data = {library.name: b64encode(library.read_bytes()).decode()}
        body = {"metadata": {"name": "clock"}, "binaryData": data}
        core.create_namespaced_config_map(namespace, body)


def _scene(airflow: AirflowParts, *found: Any) -> Scene:
    scene = Scene(airflow, *found, dag_id="three")
    ways = ("three", "three_deferred", "three_shifted", "three_cramped", "three_upgraded", "fifty")
    for dag_id in ways:
        scene.airflow.wait_for_dag(dag_id)
    return scene


@pytest.fixture
def fresh(scene: Scene) -> Iterator[Scene]:
    """The scene, without a run."""
    mine = replace(scene, run_id="")
    yield mine
    mine.give_up()
