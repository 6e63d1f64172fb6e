"""The last acknowledgement of each client's uploads, over a link whose time is known."""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from podline.store import Store, StoreConnection
from podline_studies.uploads.clients import CLIENTS
from podline_studies.uploads.delay_link import LinkSpec, tls, topology
from podline_studies.uploads.delay_link.control import Link
from podline_studies.uploads.delay_link.topology import DelayedNetwork
from tests.support import delay_link

pytestmark = [*delay_link.MARKS, pytest.mark.timeout(180)]

SIZE, RATE = 4_000_000, 20e6
ALLOWED = SIZE * 8 / RATE / (1448 / 1500)  # seconds, with headers


@pytest.mark.parametrize("name", [name for name, of in CLIENTS.items() if not of.cold_only])
def test_no_client_is_faster_than_the_link(
    far: tuple[StoreConnection, Link], name: str, tmp_path: Path
) -> None:
    """The kernel takes all of it at once; the link does not."""
    store, link = far
    path = tmp_path / "data"
    path.write_bytes(os.urandom(SIZE))
    link.set(LinkSpec(0.02, rate=RATE))
    client = CLIENTS[name](store)
    numbers = itertools.count()

    def upload() -> tuple[float, float]:
        found = client.upload(path, f"{name}-{next(numbers)}")
        assert found.exact
        assert found.transfer is not None
        assert found.commit is not None
        assert found.transfer > 0.98 * ALLOWED
        return found.transfer, found.commit

    def is_soon(times: tuple[float, float]) -> bool:
        transfer, commit = times
        return transfer < 1.6 * ALLOWED and 0 <= commit < 0.5 * ALLOWED

    for _ in ("cold", "warm"):
        times = delay_link.undisturbed(upload, is_soon)
        assert is_soon(times), times
    client.close()


@pytest.mark.parametrize("name", [name for name, of in CLIENTS.items() if of.is_installed()])
def test_each_client_uploads_by_tls(
    far: tuple[StoreConnection, Link], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, link = far
    link.set(LinkSpec(0.02))
    path = tmp_path / "data"
    path.write_bytes(os.urandom(SIZE))
    with tls.terminating([store.endpoint_url or ""], tmp_path):
        for variable in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
            monkeypatch.setenv(variable, str(topology.AUTHORITY))
        secure = DelayedNetwork({"far": topology.SINK}, link).url("far", "", tls.PORT)
        client = CLIENTS[name](replace(store, endpoint_url=secure))
        found = client.upload(path, f"{name}-tls")
        client.close()
    assert found.exact is not client.cold_only
    assert bytes(Store(store).get(f"{name}-tls")) == path.read_bytes()
    assert not topology.AUTHORITY.exists()
