"""A store that is away for a while: who has patience loses nothing, and says what is waited for."""

import hashlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from podline.store import (
    AccessDenied,
    BucketMissing,
    ObjectMissing,
    Store,
    StoreConnection,
    StoreError,
    StoreUnavailable,
    open_store,
    seaweedfs,
)
from podline.store import patience as patience_module
from podline.store.client import wait_for_stores
from podline.store.patience import Patience
from tests.support.waiting import until

LARGE = os.urandom(8 * 1024 * 1024)
AWAY = StoreConnection("c", "b", "http://127.0.0.1:9", "k", "s")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def down(server_folder: Path, said: list[str]) -> Store:
    """A store that was stopped, with somebody who has patience."""
    store = Store(seaweedfs.start(server_folder), Patience(100, said.append))
    store.ensure_bucket()
    store.put("old", LARGE)
    seaweedfs.stop(server_folder)
    return store


def test_what_is_asked_waits_until_the_store_is_back(
    down: Store, server_folder: Path, tmp_path: Path, said: list[str]
) -> None:
    """All that waits at a time is told once."""
    uses: list[Callable[[], Any]] = [
        lambda: down.put_same("small", b"small"),
        lambda: down.put_same("large", LARGE),
        lambda: down.put_if_absent("absent", b"small"),
        lambda: bytes(down.get("old")) == LARGE,
        lambda: down.download("old", tmp_path / "file") == hashlib.sha256(LARGE).hexdigest(),
        lambda: down.list_folders("") is not None,
        lambda: "old" in [item.key for item in down.list()],
        lambda: down.exists("old"),
    ]
    with ThreadPoolExecutor(len(uses)) as pool:
        asked = [pool.submit(use) for use in uses]
        until(lambda: said)
        seaweedfs.start(server_folder)
        assert all(one.result(60) for one in asked)
    first, last = said
    assert "does not answer" in first
    assert "It is waited for, for " in first
    assert "([podline] store_patience); what was computed is kept." in first
    assert last.startswith("the store answers again, after ")
    assert down.patience is not None
    assert not down.patience.waits
    assert bytes(down.get("large")) == LARGE


@pytest.mark.slow
def test_each_minute_it_is_told_again(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "_EVERY", 0.1)
    with pytest.raises(StoreUnavailable):
        Store(AWAY, Patience(8, said.append)).get("a")
    assert len(said) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid:9000"])
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_patience_has_an_end(url: str, data: bytes, said: list[str]) -> None:
    began = time.monotonic()
    store = Store(replace(AWAY, endpoint_url=url), Patience(4, said.append))
    with pytest.raises(StoreUnavailable, match=r"does not answer: .* It was waited for, for \d+ s"):
        store.put("a", data)
    assert 4 < time.monotonic() - began < 60
    assert len(said) == 1


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_what_cannot_get_better_is_an_error_at_once(
    store: Store, said: list[str], data: bytes
) -> None:
    patience, right = Patience(100, said.append), store.connection
    for wrong, error in (
        (replace(right, secret_key="wrong"), AccessDenied),
        (replace(right, access_key="nobody"), AccessDenied),
        (replace(right, bucket="nothing"), BucketMissing),
    ):
        with pytest.raises(error) as caught:
            Store(wrong, patience).put("a", data)
        assert caught.value.final
    with pytest.raises(ObjectMissing):
        Store(right, patience).get("nothing")
    https = replace(right, endpoint_url=(right.endpoint_url or "").replace("http:", "https:"))
    with pytest.raises(StoreError, match="answers, but TLS with it fails: ") as refused:
        Store(https, patience).put("a", data)
    assert refused.value.final
    assert said == []


def test_the_longer_it_was_waited_the_longer_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    patience, pauses = Patience(600, print), list[float]()
    monkeypatch.setattr(patience._ended, "wait", lambda pause: pauses.append(pause) or False)
    for passed in (0.0, 2.0, 40.0, 500.0):
        for _ in range(20):
            patience.again(1, StoreUnavailable("away"), time.monotonic() - passed)
    soon, later, long, longest = (pauses[n : n + 20] for n in range(0, 80, 20))
    assert {*soon, *later} == {1.0}
    assert 5 <= min(long) < max(long) <= 10.1  # nobody waits as long as the others
    assert 7.5 <= min(longest) < max(longest) <= 15


def test_who_waits_can_be_told_to_stop(said: list[str]) -> None:
    patience = Patience(100, said.append)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(Store(AWAY, patience).put, "a", data) for data in (b"1", LARGE)]
        until(lambda: len(said) > 0)
        assert patience.waits
        patience.end()
        began = time.monotonic()
        for one in asked:
            with pytest.raises(StoreUnavailable):
                one.result()
    assert time.monotonic() - began < 60  # it would wait for 100 s


def test_all_stores_of_a_process_may_have_patience(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_store().patience is None
    monkeypatch.setattr("podline.store.client._patience", None)  # undone at the end
    patience = Patience(1, print)
    wait_for_stores(patience)
    assert open_store().patience is patience
    assert open_store().hasty.patience is None


@pytest.fixture
def breaking(store: Store) -> Iterator[str]:
    """The address of a way to the store that breaks in the middle of the first long answer."""
    url, broken = urlsplit(store.connection.endpoint_url or ""), threading.Event()

    class Way(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((url.hostname, url.port)) as there:
                threading.Thread(target=self.forward, args=(there,), daemon=True).start()
                sent = 0
                while data := there.recv(65536):
                    self.request.sendall(data)
                    sent += len(data)
                    if sent > len(LARGE) // 2 and not broken.is_set():
                        broken.set()
                        return

        def forward(self, there: Any) -> None:
            try:
                while data := self.request.recv(65536):
                    there.sendall(data)
            except OSError:
                pass

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Way) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
    assert broken.is_set()


def test_a_download_goes_on_where_it_broke(
    store: Store, breaking: str, tmp_path: Path, said: list[str]
) -> None:
    store.put("large", LARGE)
    away = Store(replace(store.connection, endpoint_url=breaking), Patience(100, said.append))
    assert away.download("large", tmp_path / "file") == hashlib.sha256(LARGE).hexdigest()
    assert (tmp_path / "file").read_bytes() == LARGE
