"""What every test shares: a clean environment, and a real S3 server."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from podline.store import Store, StoreConnection, embedded


def pytest_configure() -> None:
    """Before anything imports Airflow: nothing of the developer's own set-up counts."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW", "AWS_")):
            del os.environ[name]
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="podline-airflow-")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is there (CI), a skipped cluster or browser test is a failure."""
    report = yield
    marked = any(item.get_closest_marker(name) for name in ("cluster", "browser"))
    if report.skipped and marked and os.environ.get("PODLINE_REFUSE_SKIPS"):
        report.outcome = "failed"
    return report


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    """A server for the whole session; tests take `store`."""
    with embedded.running(tmp_path_factory.mktemp("store")) as connection:
        yield connection


@pytest.fixture
def store(store_server: StoreConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with a bucket of its own, which `open_store()` finds too."""
    store = Store(replace(store_server, bucket=f"test-{secrets.token_hex(6)}"))
    store.ensure_bucket()
    for name, value in store.connection.to_env().items():
        monkeypatch.setenv(name, value)
    yield store
    store.delete([item.key for item in store.list()])


@pytest.fixture
def server_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server that the test starts itself; it is stopped at the end."""
    folder = tmp_path / "server"
    yield folder
    embedded.stop(folder)
