"""A store behind a delay link, for the tests that are marked by `tests.support.delay_link`."""

from collections.abc import Iterator

import pytest

from podline.store import StoreConnection
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.control import Link
from tests.support import far_store


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreConnection, Link]]:
    folder = tmp_path_factory.mktemp("far")
    with (
        topology.laid({}, folder / "link.log") as network,
        far_store.serving(folder / "store") as store,
    ):
        yield store, network.link
