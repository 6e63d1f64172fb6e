"""How segments leave: what the kernel is told, on this machine and over a real delay link."""

import random
import socket
import threading
from collections.abc import Iterator

import pytest

from podline.store import Store, StoreConnection
from podline.uploads import tcp, wire
from podline.uploads.links import LinkSpec
from podline.uploads.links.control import Link
from podline.uploads.pacing import SHORT, Pacing
from podline.uploads.planning import MIB
from podline.uploads.wire import Interrupted, Wire
from tests.support import delay_link

DATA = memoryview(random.Random(1).randbytes(16 * MIB))


def algorithm(connection: socket.socket) -> str:
    info = tcp.read(connection)
    assert info is not None
    return info.congestion


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    """An address where connections are taken, and what comes is read."""

    def take() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=read, args=(connection,), daemon=True).start()

    def read(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()


@pytest.fixture
def systems(listening: tuple[str, int]) -> str:
    """The algorithm that the system gives a connection."""
    with socket.create_connection(listening) as connection:
        return algorithm(connection)


def test_a_short_body_is_sent_unpaced_unless_segments_are_lost(
    listening: tuple[str, int], systems: str
) -> None:
    for size, lossy, expected in (
        (SHORT, False, "reno"), (SHORT + 1, False, systems), (SHORT, True, systems),
        (None, False, systems),
    ):  # fmt: skip
        with Pacing(size, lossy).connect(listening, 5.0) as connection:
            assert algorithm(connection) == expected
            assert connection.gettimeout() == 5.0


def test_a_long_body_that_follows_goes_by_the_system(
    listening: tuple[str, int], systems: str
) -> None:
    pacing = Pacing(1000, lossy=False)
    with pacing.connect(listening, 5.0) as connection:
        pacing.begin(connection, 1000)
        assert pacing.unpaced
        pacing.begin(connection, SHORT + 1)
        assert not pacing.unpaced
        assert algorithm(connection) == systems


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        tcp.connect_unpaced(address, 5.0)
    with pytest.raises(socket.gaierror):
        tcp.connect_unpaced(("nowhere.invalid", 1), 5.0)


def test_a_buffer_that_may_not_be_had_is_not_asked_for(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening) as connection:
        before = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert not tcp.bound(connection, 1 << 40)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before


def test_what_was_written_is_waited_for(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening, 5.0) as connection:
        connection.sendall(DATA[:MIB])
        tcp.wait_for_room(connection, 5.0)
        tcp.wait_until_acknowledged(connection, MIB)
        info = tcp.read(connection)
        assert info is not None
        assert tcp.unacknowledged(connection) <= 2 * info.mss
        assert not tcp.has_answer(connection, 0.0)


@pytest.mark.parametrize("size", [1000, SHORT + 1], ids=["short", "long"])
def test_a_server_that_never_answers(
    listening: tuple[str, int], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(wire, "_SILENCE", 0.5)
    address = f"http://{listening[0]}:{listening[1]}"
    store = StoreConnection("silent", "bucket", address, "key", "secret")
    with Wire(store) as silent, pytest.raises(Interrupted, match="TimeoutError"):
        silent.request("PUT", "a", body=DATA[:size])


# --- over a link


def over_a_link(test: pytest.MarkDecorator) -> pytest.MarkDecorator:
    for mark in (*delay_link.MARKS, pytest.mark.timeout(180)):
        test = mark(test)
    return test


@over_a_link
def test_no_more_is_under_way_than_twice_what_the_way_holds(
    far: tuple[StoreConnection, Link],
) -> None:
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8))  # holds 250 kB
    with Wire(store) as connection:
        for number in range(2):
            assert connection.request("PUT", f"bound-{number}", body=DATA[: 8 * MIB]).status == 200
        room = connection._http.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) / 2
    assert 150_000 < room < 500_000
    assert bytes(Store(store).get("bound-1")) == DATA[: 8 * MIB]


@over_a_link
def test_what_is_under_way_to_a_near_store_is_not_bound(far: tuple[StoreConnection, Link]) -> None:
    """Such a way holds some kB, and both sides would wait for each other."""
    store, link = far
    link.set(LinkSpec(0.0, rate=1e9))
    with Wire(store) as connection:
        for number in range(3):
            assert connection.request("PUT", f"near-{number}", body=DATA[: 8 * MIB]).status == 200
        assert connection._http.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > MIB


@over_a_link
def test_where_segments_are_lost_the_systems_algorithm_takes_over(
    far: tuple[StoreConnection, Link], systems: str
) -> None:
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8, loss=0.05))
    with Wire(store) as connection:
        assert connection.request("PUT", "lossy", body=DATA[: 2 * MIB]).status == 200
        assert algorithm(connection._http.sock) == systems
    assert bytes(Store(store).get("lossy")) == DATA[: 2 * MIB]
