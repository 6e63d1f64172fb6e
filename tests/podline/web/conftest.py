"""One API server for the tests of the API and of the page."""

from collections.abc import Iterator

import pytest

from benchmarks.records import Server, serving
from podline.store import StoreConnection


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, store_server: StoreConnection
) -> Iterator[Server]:
    """The server, after a run of a notebook's DAG and of one of plain tasks."""
    with serving(tmp_path_factory.mktemp("airflow"), store_server.to_env()) as found:
        yield found
