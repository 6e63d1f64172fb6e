"""What every test shares: a clean environment, and a real S3 server."""

import fcntl
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from podline.store import Store, StoreConnection, seaweedfs
from podline.store.boto3_client import boto3_client
from tests.support import browser, dags_test, namespaces
from tests.support.records import Server, serving

# What counts of the environment that the tests are started in: where programs, packages and the
# cluster are, and what these tests themselves are told. Their variables begin so.
_KEPT = """
    PATH HOME USER TMPDIR LD_LIBRARY_PATH VIRTUAL_ENV PYTHONPATH PIP_ UV_ XDG_ SSL_CERT_ REQUESTS_CA_
    http_proxy https_proxy HTTP_PROXY HTTPS_PROXY KUBECONFIG PYTEST_ PODLINE_CLUSTER_CTL PODLINE_DATA
    PODLINE_CHART PODLINE_REFUSE_SKIPS PODLINE_SCREENSHOTS PODLINE_UPDATE_GOLDEN
"""

# Generated examples are the same each time, and may take as long as a busy machine has it.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.hookimpl(trylast=True)  # the colours that pytest itself was told stay
def pytest_configure() -> None:
    """Before anything imports Airflow: nothing of the developer's own set-up counts."""
    for name in list(os.environ):
        if not name.startswith(tuple(_KEPT.split())):
            del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.umask(0o022)
    if not os.access(os.environ.get("HOME", ""), os.W_OK):
        os.environ["HOME"] = tempfile.gettempdir()
    # A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="podline-airflow-")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
    # Stages begun ahead take time from the tests beside: those that are about them ask for them.
    os.environ["AIRFLOW__PODLINE__AHEAD"] = "off"
    gc.disable()  # see pytest_collection_finish


def pytest_xdist_auto_num_workers() -> int:
    """Two a processor: half of the time a test waits for what it started.

    One where a cluster is given, which may be on this machine, or where memory is short.
    """
    each = 1 if os.environ.get("KUBECONFIG") else 2
    fit = psutil.virtual_memory().total // (3 << 30)
    return int(max(1, min(each * (os.cpu_count() or 1), fit)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What has a make target of its own is run where it is asked for, and nowhere else."""
    name = "notebooks_ahead"
    if name not in config.option.markexpr:
        items[:] = [item for item in items if not item.get_closest_marker(name)]


def pytest_collection_finish() -> None:
    """What was made until here stays: to look through it again and again took each worker seconds."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is there (CI), a skipped cluster or browser test is a failure."""
    report = yield
    marked = any(
        item.get_closest_marker(name)
        for name in ("cluster", "cluster_faults", "faults", "browser", "vm")
    )
    if report.skipped and marked and os.environ.get("PODLINE_REFUSE_SKIPS"):
        report.outcome = "failed"
    return report


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that a test runs here leaves no patience to the process, as its own would not."""
    monkeypatch.setattr("podline.store.client._patience", None)


@pytest.fixture(autouse=True)
def _cluster_in_use(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that stops parts of the cluster has it alone; the others share it."""
    faults = request.node.get_closest_marker("cluster_faults")
    if not faults and not any(map(request.node.get_closest_marker, ("cluster", "faults"))):
        yield
        return
    with (Path(tempfile.gettempdir()) / "podline-cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if faults else fcntl.LOCK_SH)
        yield


@pytest.fixture(scope="session")
def core() -> Any:
    """The API of the cluster that KUBECONFIG names: of pods, Secrets and namespaces."""
    found = namespaces.connect()
    if found is None:
        pytest.skip("needs a Kubernetes cluster with podline's images: set KUBECONFIG")
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; while it is there this thread has an event loop, which other tests may not see."""
    with browser.launched() as found:
        yield found


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the session's server."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def store_server(store_folder: Path) -> Iterator[StoreConnection]:
    """A server for the whole session; tests take `store`."""
    with seaweedfs.running(store_folder) as connection:
        yield connection


@pytest.fixture
def store(
    store_server: StoreConnection, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A store with an empty bucket, which `open_store()` finds too."""
    store = Store(replace(store_server, bucket="tests"))
    store.ensure_bucket()
    for name, value in store.connection.to_env().items():
        monkeypatch.setenv(name, value)
    yield store
    # With its volumes, since the disk's free space bounds how many a server makes.
    s3.delete_bucket(Bucket=store.connection.bucket)


@pytest.fixture(scope="session")
def kept_store(store_server: StoreConnection) -> Store:
    """A store whose bucket stays for the session, for tests that share an Airflow."""
    store = Store(store_server)
    store.ensure_bucket()
    return store


@pytest.fixture
def teams_store(store_server: StoreConnection) -> Iterator[Store]:
    """An empty store whose bucket stays: the server takes one that goes from teams' keys, too."""
    store = Store(replace(store_server, bucket="teams"))
    store.ensure_bucket()
    yield store
    store.delete([item.key for item in store.list()])


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow for `dags test`, with its database."""
    return dags_test.migrate(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def namespace(core: Any) -> Iterator[str]:
    """A namespace of the module's own in the cluster."""
    with namespaces.own_namespace(core) as name:
        yield name


@pytest.fixture(scope="module")
def module_gate(core: Any) -> Iterator[namespaces.Gate]:
    """At which stages of a module's notebooks wait."""
    made = namespaces.Gate(core)
    yield made
    made.open()


@pytest.fixture
def gate(module_gate: namespaces.Gate) -> Iterator[namespaces.Gate]:
    """The same, which is shut until the test opens it."""
    module_gate.shut()
    yield module_gate
    module_gate.open()


@pytest.fixture
def enough_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's count is of all that run out of it, as a pod of another test may just now."""
    monkeypatch.setattr("podline.operators.process._memory_kills", lambda: 0)


@pytest.fixture(scope="module")
def in_pods(core: Any, namespace: str, store_server: StoreConnection) -> Iterator[dict[str, str]]:
    """What Airflow's environment has for stages to be pods that reach the session's store."""
    relay = namespaces.PodRelay(core, store_server.endpoint_url or "")
    yield {
        "AIRFLOW__PODLINE__BACKEND": "kubernetes",
        "AIRFLOW__PODLINE__NAMESPACE": namespace,
        "AIRFLOW__PODLINE__STORE_ENDPOINT": relay.url,
    }
    relay.close()


@pytest.fixture(scope="session")
def s3(store_server: StoreConnection) -> Any:
    """boto3's client of the session's server."""
    return boto3_client(store_server, {})


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, store_server: StoreConnection
) -> Iterator[Server]:
    """An API server of Airflow's, after a run of a notebook's DAG and of one of plain tasks."""
    with serving(tmp_path_factory.mktemp("airflow"), store_server.to_env()) as found:
        yield found


@pytest.fixture
def server_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server that the test starts itself; it is stopped at the end."""
    folder = tmp_path / "server"
    yield folder
    seaweedfs.stop(folder)
