"""The store as its callers see it: what is written, read and listed, and each error."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from podline.store import (
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    Conflict,
    ObjectMissing,
    Store,
    StoreConnection,
    StoreError,
    StoreUnavailable,
    client,
)

MIB = 1024 * 1024
STATUS = Path("/proc/self/status")


@pytest.fixture
def losing_proxy(store: Store) -> Iterator[str]:
    """The address of a proxy that answers the first PUT of each key 503 although it was done."""
    target, seen = urlsplit(store.connection.endpoint_url or "").netloc, set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with closing(HTTPConnection(target)) as upstream:
                upstream.request(self.command, self.path, body or None, dict(self.headers))
                answer = upstream.getresponse()
                data = answer.read()
            lost = self.command == "PUT" and self.path not in seen
            seen.add(self.path)
            self.send_response(503 if lost else answer.status)
            for name in ("etag", "content-type", "last-modified"):
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_put_and_get(store: Store) -> None:
    data = os.urandom(100_000)
    store.put("a/bytes", data)
    store.put("a/view", memoryview(data)[10:])
    store.put("a/empty", b"")
    got = store.get("a/bytes")
    assert got == data
    assert got.readonly
    assert bytes(store.get("a/view")) == data[10:]
    assert bytes(store.get("a/empty")) == b""
    assert store.head("a/bytes").size == len(data)


def test_other_item_sizes_are_written_as_bytes(store: Store) -> None:
    import numpy as np

    numbers = np.arange(6.0).reshape(2, 3)
    store.put("a", numbers.data)
    assert np.array_equal(np.frombuffer(store.get("a")).reshape(2, 3), numbers)


def test_keys_are_written_once(store: Store) -> None:
    store.put("a", b"first")
    with pytest.raises(AlreadyExists, match="'a' exists already"):
        store.put("a", b"second")
    assert not store.put_if_absent("a", b"third")
    assert store.put_if_absent("b", b"1")
    assert bytes(store.get("a")) == b"first"


def test_the_same_bytes_may_be_written_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    digest = store.put_same("a", b"first")
    assert digest == hashlib.sha256(b"first").hexdigest() == store.put_same("a", path)
    with pytest.raises(AlreadyExists):
        store.put_same("a", b"other")
    assert bytes(store.get("a")) == b"first"


def test_an_answer_that_was_lost(store: Store, losing_proxy: str) -> None:
    connection = replace(store.connection, endpoint_url=losing_proxy)
    with pytest.raises(AlreadyExists):
        Store(connection).put("lost/put", b"1")  # the client asks again, and finds its own object
    assert Store(connection).put_same("lost/same", b"1") == hashlib.sha256(b"1").hexdigest()


@pytest.mark.parametrize(
    "size",
    [pytest.param(10, id="10 bytes"), pytest.param(20 * MIB, id="20 MiB", marks=pytest.mark.slow)],
)
def test_of_racing_writers_one_wins(store: Store, size: int) -> None:
    writers = 4
    with ThreadPoolExecutor(writers) as pool:
        for number in range(5):
            barrier = threading.Barrier(writers)

            def write(
                writer: int, key: str = f"k{number}", gate: threading.Barrier = barrier
            ) -> bool:
                gate.wait()
                return store.put_if_absent(key, bytes([writer]) * size)

            won = list(pool.map(write, range(writers)))
            assert won.count(True) == 1
            assert bytes(store.get(f"k{number}")) == bytes([won.index(True)]) * size


@pytest.mark.parametrize("size", [0, 1, 20 * MIB + 1])
def test_files_there_and_back(store: Store, tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "in", tmp_path / "new" / "out"
    source.write_bytes(os.urandom(size))
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.put_same("f", source) == sha256
    assert store.download("f", target) == sha256
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(AlreadyExists):
        store.put("f", source)


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's /proc")
def test_an_upload_does_not_fill_the_memory(store: Store, tmp_path: Path) -> None:
    def anonymous() -> int:
        return int(STATUS.read_text().split("RssAnon:")[1].split()[0]) * 1024

    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(256 * MIB)
    before = peak = anonymous()
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(store.put_same, "large", source)
        while not uploading.done():
            peak = max(peak, anonymous())
            time.sleep(0.01)
    uploading.result()
    assert store.head("large").size == 256 * MIB
    assert peak - before < 64 * MIB


def test_a_missing_object(store: Store, tmp_path: Path) -> None:
    assert not store.exists("nothing")
    for read in (store.get, store.head, store.get_version):
        with pytest.raises(ObjectMissing, match="no object 'nothing'"):
            read("nothing")
    with pytest.raises(ObjectMissing):
        store.download("nothing", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_fails_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(ObjectMissing):
        store.download("nothing", target)
    assert target.read_text() == "old"


def test_listing(store: Store) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        store.put(key, b"x")
    assert [item.key for item in store.list("a")] == ["a/1", "a/b/2"]
    assert [item.key for item in store.list()] == ["a/1", "a/b/2", "ab/3", "c"]
    assert store.list_folders() == ["a", "ab"]
    assert store.list_folders("a") == ["a/b"]
    assert store.list_folders("none") == []


def test_delete(store: Store) -> None:
    names = [f"d/{number}" for number in range(20)]
    for name in names:
        store.put(name, b"x")
    store.delete([*names[:15], "missing"])
    store.delete([])
    assert [item.key for item in store.list("d")] == sorted(names[15:])


def test_swap_needs_the_version_it_was_based_on(store: Store) -> None:
    first = store.swap("alias", b"1", None)
    with pytest.raises(Conflict):
        store.swap("alias", b"2", None)
    second = store.swap("alias", b"2", first)
    with pytest.raises(Conflict, match="'alias' was changed by someone else"):
        store.swap("alias", b"3", first)
    with pytest.raises(Conflict):
        store.swap("missing", b"3", first)
    data, etag = store.get_version("alias")
    assert (bytes(data), etag) == (b"2", second)


def test_a_missing_bucket(store: Store) -> None:
    other = Store(replace(store.connection, bucket=store.connection.bucket + "-none"))
    for use in (
        lambda: other.put("a", b"1"),
        lambda: other.get("a"),
        lambda: list(other.list()),
        lambda: other.list_folders(),
    ):
        with pytest.raises(BucketMissing, match="-none' does not exist"):
            use()
    other.ensure_bucket()
    other.ensure_bucket()
    other.put("a", b"1")
    other.delete(["a"])


def test_wrong_keys(store: Store) -> None:
    other = Store(replace(store.connection, secret_key="wrong"))
    with pytest.raises(AccessDenied, match="Check the connection's login"):
        other.put("a", b"1")


def test_keys_are_not_mixed_with_the_environment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another account")
    Store(store.connection).put("a", b"1")


def test_without_keys_the_environment_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = store.connection
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", connection.access_key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", connection.secret_key or "")
    Store(replace(connection, access_key=None, secret_key=None)).put("a", b"1")
    assert store.exists("a")


@pytest.mark.slow
def test_a_store_that_is_down() -> None:
    with socket.socket() as unused:  # bound, not listening: the system refuses
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        down = Store(StoreConnection("my_store", "b", url, "k", "s"))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=f"{url}.*my_store.*Connection refused"):
            down.get("a")
        assert time.monotonic() - began < 30  # it is tried again for 10 s


def test_an_object_too_large_for_one_request(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LARGEST", 10)
    with pytest.raises(StoreError, match="larger than the 10"):
        store.put("a", b"12345678901")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused(store: Store) -> None:
    store.exists("a")
    child = os.fork()
    if child == 0:
        try:
            store.exists("a")
        except StoreError as error:
            os._exit(0 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_has_changed_since(store: Store) -> None:
    etag = store.swap("alias", b"one", None)
    assert store.get_changed("alias", etag) is None
    newer = store.swap("alias", b"two", etag)
    for known in (etag, ""):
        found = store.get_changed("alias", known)
        assert found
        assert (bytes(found[0]), found[1]) == (b"two", newer)
    with pytest.raises(ObjectMissing):
        store.get_changed("nothing", etag)


def test_from_a_byte_on(store: Store) -> None:
    store.put("object", b"0123456789")
    taken = bytearray()
    store.stream("object", taken.extend, 4)
    assert taken == b"456789"
