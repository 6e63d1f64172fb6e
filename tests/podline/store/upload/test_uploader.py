"""The client that uploads, against a real server: what it stores, and what it says of faults."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from podline.store import (
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    Store,
    StoreError,
    StoreUnavailable,
    seaweedfs,
)
from podline.store.keys import TryKey
from podline.store.retention import break_off
from podline.store.upload import http_connection
from podline.store.upload.part_planner import MIB, Plan
from podline.store.upload.uploader import Uploader

PARTS = Plan(parts=4, part=5 * MIB, connections=2)
CHUNK = http_connection._CHUNK
LARGE = random.Random(1).randbytes(18 * MIB)


Handler = Callable[[http_connection.Wire, Callable[[], http_connection.Answer], Any], Any]
Handle = Callable[[Handler], None]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """Takes what handles requests: it gets the connection, what sends the request, and that."""
    real = http_connection.Wire.request

    def handled(handler: Handler) -> None:
        monkeypatch.setattr(
            http_connection.Wire,
            "request",
            lambda wire, *request: handler(wire, lambda: real(wire, *request), request),
        )

    return handled


@pytest.fixture
def uploader(store: Store) -> Iterator[Uploader]:
    with Uploader(store.connection) as found:
        yield found


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5_000_001])
def test_bytes_are_stored_as_they_are(store: Store, uploader: Uploader, size: int) -> None:
    data = LARGE[:size]
    done = uploader.put("a b/ä+1", data)
    assert bytes(store.get("a b/ä+1")) == data
    assert (done.etag, done.size, done.plan.parts) == (store.head("a b/ä+1").etag, size, 1)


def test_a_file_is_stored(store: Store, uploader: Uploader, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(LARGE)
    (tmp_path / "empty").touch()
    uploader.put("model", tmp_path / "model")
    uploader.put("empty", tmp_path / "empty")
    assert bytes(store.get("model")) == LARGE
    assert bytes(store.get("empty")) == b""


def test_parts_are_one_object(store: Store, uploader: Uploader) -> None:
    done = uploader.put("parts", LARGE, how=PARTS)
    assert bytes(store.get("parts")) == LARGE
    assert done.etag.strip('"').endswith("-4")


def test_progress_adds_up(uploader: Uploader) -> None:
    told: list[int] = []
    uploader.put("whole", LARGE, told.append)
    assert sum(told) == len(LARGE)
    told.clear()
    uploader.put("parts", LARGE, told.append, how=PARTS)
    assert sum(told) == len(LARGE)


def test_a_connection_is_kept(uploader: Uploader, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        "podline.store.upload.uploader.Wire",
        lambda *arguments: made.append(1) or http_connection.Wire(*arguments),
    )
    for number in range(3):
        uploader.put(f"key-{number}", b"data")
    assert len(made) == 1


@pytest.mark.parametrize("how", [None, PARTS], ids=["whole", "parts"])
def test_a_key_that_is_taken_is_left(store: Store, uploader: Uploader, how: Plan | None) -> None:
    store.put("taken", b"first")
    with pytest.raises(AlreadyExists, match="'taken' exists already"):
        uploader.put("taken", LARGE, how=how)
    assert bytes(store.get("taken")) == b"first"
    uploader.put("taken", LARGE, new=False, how=how)
    assert bytes(store.get("taken")) == LARGE


def test_the_network_is_learnt(uploader: Uploader) -> None:
    uploader.put("a", LARGE)
    assert uploader.network.throughput is not None
    assert uploader.network.throughput > 1e6
    if sys.platform == "linux":
        assert uploader.network.rtt is not None
        assert uploader.network.rtt < 0.1
        assert uploader.network.congestion


def test_when_the_last_byte_was_acknowledged(store: Store) -> None:
    with Uploader(store.connection, exact=True) as uploader:
        times = uploader.put("a", LARGE).times
    assert times.started < times.sent <= times.acknowledged <= times.answered


@pytest.mark.slow
def test_memory_is_bounded(store: Store, tmp_path: Path) -> None:
    """However large the file is, only the kernel holds it."""
    with (tmp_path / "model").open("wb") as file:
        file.truncate(512 * MIB)
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from podline.store import StoreConnection\nfrom podline.store.upload.uploader import Uploader\n"
        "store = StoreConnection.from_env('podline_store')\n"
        "Uploader(store).put('large', Path(sys.argv[1]))\n"
        "pages = open('/proc/self/statm').read().split()\n"
        "print((int(pages[1]) - int(pages[2])) * resource.getpagesize())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "model")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 64 * MIB  # resident, without what is the file's own
    assert store.head("large").size == 512 * MIB
    store.delete(["large"])


# --- faults: nothing torn is stored, and the error says what to do


def test_bytes_that_change_on_their_way_are_refused(
    store: Store, uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server compares the checksum that comes after them."""
    monkeypatch.setattr(http_connection.zlib, "crc32", lambda *_: 7)
    with pytest.raises(StoreError, match="refused 'a': 400 .* Try again once"):
        uploader.put("a", b"data")
    assert not store.exists("a")


def test_a_wrong_key(store: Store) -> None:
    wrong = replace(store.connection, secret_key="wrong")
    with (
        Uploader(wrong) as uploader,
        pytest.raises(
            AccessDenied, match="does not allow this: SignatureDoesNotMatch. Check the connection's"
        ),
    ):
        uploader.put("a", LARGE)
    assert not store.exists("a")


def test_a_clock_that_is_wrong(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is valid for some minutes only."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(
        http_connection, "signed_headers", partial(http_connection.signed_headers, now=hour_ago)
    )
    with (
        Uploader(store.connection) as uploader,
        pytest.raises(AccessDenied, match=r"RequestTimeTooSkewed\. The clocks of this machine"),
    ):
        uploader.put("a", LARGE)
    assert not store.exists("a")


def test_a_bucket_that_is_not_there(store: Store) -> None:
    with (
        Uploader(replace(store.connection, bucket="nothing")) as uploader,
        pytest.raises(BucketMissing, match="The bucket 'nothing' does not exist"),
    ):
        uploader.put("a", LARGE)


@pytest.mark.slow
def test_a_store_that_is_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podline.store.upload.uploader._PATIENCE", 0.5)
    away = replace(store.connection, endpoint_url="http://127.0.0.1:9")
    with (
        Uploader(away) as uploader,
        pytest.raises(
            StoreUnavailable,
            match=r"does not answer: ConnectionRefusedError.*(, for \d+ s)?\. Start it .* then try again",
        ),
    ):
        uploader.put("a", b"data")


def test_a_connection_that_the_server_closed_is_made_anew(uploader: Uploader, store: Store) -> None:
    uploader.put("a", b"data")
    _, kept = uploader._wires.queue[0]
    kept._http.sock.shutdown(2)
    assert uploader.put("b", LARGE).attempts
    assert bytes(store.get("b")) == LARGE


def test_an_answer_that_is_lost(store: Store, uploader: Uploader, handle: Handle) -> None:
    """The request that is sent again finds the object that the first one made."""
    lost: list[int] = []

    def lose_first(wire: http_connection.Wire, send: Callable[[], Any], request: Any) -> Any:
        answer = send()
        if request[0] == "PUT" and not lost:
            lost.append(1)
            wire.close()
            raise http_connection.Interrupted("the answer was lost")
        return answer

    handle(lose_first)
    assert uploader.put("a", LARGE).attempts == ["the answer was lost"]
    assert bytes(store.get("a")) == LARGE


@pytest.mark.parametrize("rival", [False, True], ids=["ours", "a rival's"])
def test_an_answer_that_is_lost_after_the_parts(
    store: Store, uploader: Uploader, handle: Handle, rival: bool
) -> None:
    """What is there is ours only if it is made of our parts; a rival's may have as many."""
    asked: list[str] = []

    def lose_second(wire: http_connection.Wire, send: Callable[[], Any], request: Any) -> Any:
        asked.append(request[0])
        if request[0] != "POST" or asked.count("POST") != 2:  # the second one ends the upload
            return send()
        if rival:
            with Uploader(store.connection) as other:
                other.put("a", LARGE[::-1], how=PARTS)
        else:
            send()
        wire.close()
        raise http_connection.Interrupted("the answer was lost")

    handle(lose_second)
    if rival:
        with pytest.raises(AlreadyExists):
            uploader.put("a", LARGE, how=PARTS)
    else:
        assert uploader.put("a", LARGE, how=PARTS).etag == store.head("a").etag
    assert bytes(store.get("a")) == (LARGE[::-1] if rival else LARGE)


def test_parts_that_are_cleaned_away(store: Store, uploader: Uploader, handle: Handle) -> None:
    """The error is what the store said at last, not that there is no object of ours."""
    ends: list[str] = []

    def clean_first(_: http_connection.Wire, send: Callable[[], Any], request: Any) -> Any:
        if request[0] == "POST" and "uploadId" in request[2]:
            ends.append(request[0])
            if len(ends) == 1:
                break_off(store, timedelta(seconds=-5))
                raise http_connection.Interrupted("the answer was lost")
        return send()

    handle(clean_first)
    key = TryKey("power", "r1", "train", -1, 1, "ab12").key("model.keras")
    with pytest.raises(StoreError, match="refused '.*': 404 NoSuchUpload .* Try again once"):
        uploader.put(key, LARGE, how=PARTS)
    assert not store.exists(key)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "how",
    [pytest.param(None, id="whole"), pytest.param(PARTS, id="parts", marks=pytest.mark.slow)],
)
def test_a_store_that_is_killed_and_comes_back(server_folder: Path, how: Plan | None) -> None:
    """In the middle of the body, at a pace at which that is in its middle."""
    connection = seaweedfs.start(server_folder)
    pid = int((server_folder / "server.pid").read_text())
    killed = threading.Event()
    total = 0

    def slowly(sent: int) -> None:
        nonlocal total
        time.sleep(0.02)
        total += sent
        if not killed.is_set() and total > 8 * MIB:
            killed.set()
            os.kill(pid, signal.SIGKILL)
            threading.Timer(1.0, lambda: seaweedfs.start(server_folder)).start()

    with Uploader(connection) as uploader:
        done = uploader.put("a", LARGE, slowly, how=how)
    assert killed.is_set()
    assert done.attempts
    assert bytes(Store(connection).get("a")) == LARGE


@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on a small file system: what is stored is whole, and the error says so."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount).returncode:
        pytest.skip("mounting a small file system needs root")
    monkeypatch.setattr("podline.store.upload.uploader._PATIENCE_LATER", 3.0)
    try:
        connection = seaweedfs.start(folder)
        with Uploader(connection) as uploader, pytest.raises(StoreError) as told:
            fill(uploader)
        assert "whether its disk is full, then try again" in str(told.value)
        assert {item.size for item in Store(connection).list("filled")} == {len(LARGE)}
    finally:
        seaweedfs.stop(folder)
        subprocess.run(["umount", folder], check=True)


def fill(uploader: Uploader) -> None:
    for number in range(100):
        uploader.put(f"filled/{number}", LARGE)
