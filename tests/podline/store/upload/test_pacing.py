"""How segments leave: what the kernel is told, on this machine."""

import random
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from podline.store import StoreConnection
from podline.store.upload import http_connection, pacing, tcp_info
from podline.store.upload.http_connection import Interrupted, Wire
from podline.store.upload.pacing import SHORT, Pacing
from podline.store.upload.part_planner import MIB
from tests.support.congestion import algorithm, systems

INFO = tcp_info.TcpInfo(0.02, 0.02, 0, 0, 1000, 0, 0, 0, "reno")  # 20 ms, segments of 1 kB
DATA = memoryview(random.Random(1).randbytes(16 * MIB))


class Reading(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while self.request.recv(65536):
            pass


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    """An address where connections are taken, and what comes is read."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reading) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address
        server.shutdown()


def test_a_short_body_is_sent_unpaced_unless_segments_are_lost(
    listening: tuple[str, int],
) -> None:
    for size, lossy in ((SHORT, False), (SHORT + 1, False), (SHORT, True), (None, False)):
        expected = "reno" if (size, lossy) == (SHORT, False) else systems()
        with Pacing(size, lossy).connect(listening, 5.0) as connection:
            assert algorithm(connection) == expected
            assert connection.gettimeout() == 5.0


def test_a_long_body_that_follows_goes_by_the_system(listening: tuple[str, int]) -> None:
    pacing = Pacing(1000, lossy=False)
    with pacing.connect(listening, 5.0) as connection:
        pacing.begin(connection, 1000)
        assert pacing.unpaced
        pacing.begin(connection, SHORT + 1)
        assert not pacing.unpaced
        assert algorithm(connection) == systems()


def test_a_rate_is_seen_where_many_segments_arrive_in_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter((0.0, 0.1, 0.102, 0.104, 0.2, 0.3, 0.31))
    monkeypatch.setattr(pacing.time, "perf_counter", lambda: next(clock))
    rate = pacing._Rate()
    arrived = [0, 40, 80, 80, 80, 160]  # 80 in 4 ms; then nothing, and 80 in 10 ms
    seen = [rate.seen(replace(INFO, delivered=each)) for each in arrived]
    assert seen == pytest.approx([0, 0, 20e6, 20e6, 20e6, 20e6])


@pytest.mark.parametrize(
    ("windows", "steady"), [((100, 200, 400), False), ((200, 220, 200), True)], ids=["grow", "full"]
)
def test_a_rate_is_the_ways_once_it_grows_no_more(
    monkeypatch: pytest.MonkeyPatch, windows: tuple[int, ...], steady: bool
) -> None:
    """The segments of a window arrive within 10 ms of its round trip of 20."""
    times = iter([0.0, *(at for n in range(3) for at in (n * 0.02, n * 0.02 + 0.01))])
    monkeypatch.setattr(pacing.time, "perf_counter", lambda: next(times))
    rate, arrived = pacing._Rate(), 0
    for window in windows:
        rate.seen(replace(INFO, delivered=arrived))
        arrived += window
        rate.seen(replace(INFO, delivered=arrived))
    assert rate.steady == steady


def test_a_queue_is_seen_where_round_trips_become_longer() -> None:
    calm, varying = pacing._Queue(), pacing._Queue()
    for milliseconds, expected in ((20.5, (False, True)), (24, (True, True))):
        calm.look(replace(INFO, rtt_now=milliseconds / 1000))
        assert (calm.seen, calm.calm) == expected
    # The shortest of them is 20 ms, but the usual one 25.
    for milliseconds, expected in ((25, (False, False)), (27, (False, False)), (28, (True, False))):
        varying.look(replace(INFO, rtt_now=milliseconds / 1000))
        assert (varying.seen, varying.calm) == expected


@pytest.mark.parametrize(
    ("lost", "trips", "many"),
    [
        pytest.param((0, 1, 1, 2, 2, 3), 3, False, id="some at any time"),
        pytest.param((0, 10, 18, 18, 18, 18), 1, True, id="many at once"),
        pytest.param((0, 10, 10, 18, 18, 26), 3, False, id="as many, one after the other"),
    ],
)
def test_losses_are_counted_by_round_trips(
    monkeypatch: pytest.MonkeyPatch, lost: tuple[int, ...], trips: int, many: bool
) -> None:
    clock = iter(number * 0.015 for number in range(len(lost)))  # of a round trip of 20 ms
    monkeypatch.setattr(pacing.time, "perf_counter", lambda: next(clock))
    losses = pacing._Losses()
    for each in lost:
        losses.look(replace(INFO, retransmitted=each))
    assert (losses.trips, losses.many) == (trips, many)


def test_a_short_body_is_limited_only_once_segments_had_to_wait(
    listening: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int | None] = []
    found = replace(INFO, rtt_now=0.0205)
    monkeypatch.setattr(tcp_info, "read", lambda _: found)
    monkeypatch.setattr(tcp_info, "limit_rate", lambda _, rate: limits.append(rate))
    monkeypatch.setattr(pacing._Rate, "seen", lambda *_: 10e6)  # 200 kB in a round trip
    with socket.create_connection(listening) as connection:
        ours = Pacing(SHORT, lossy=False)
        ours.look(connection)
        assert limits == []
        found = replace(INFO, rtt_now=0.03)
        ours.look(connection)
        assert limits == [15_000_000]
        ours.begin(connection, 100_000)  # fits
        assert limits == [15_000_000, None]
        ours.begin(connection, 300_000)
        ours.begin(connection, SHORT + 1)  # long
        assert limits == [15_000_000, None, 15_000_000, None]
        found = replace(INFO, rtt=0.001, rtt_now=0.03)  # near
        ours.begin(connection, 300_000)
        assert len(limits) == 4


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        tcp_info.connect_unpaced(address, 5.0)
    with pytest.raises(socket.gaierror):
        tcp_info.connect_unpaced(("nowhere.invalid", 1), 5.0)


def test_a_buffer_that_may_not_be_had_is_not_asked_for(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening) as connection:
        before = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert not tcp_info.bound(connection, 1 << 40)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before


def test_what_was_written_is_waited_for(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening, 5.0) as connection:
        connection.sendall(DATA[:MIB])
        tcp_info.wait_for_room(connection, 5.0)
        tcp_info.wait_until_acknowledged(connection, MIB)
        info = tcp_info.read(connection)
        assert info is not None
        assert tcp_info.unacknowledged(connection) <= 2 * info.mss
        assert not tcp_info.has_answer(connection, 0.0)


@pytest.mark.parametrize("size", [1000, SHORT + 1], ids=["short", "long"])
def test_a_server_that_never_answers(
    listening: tuple[str, int], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(http_connection, "_SILENCE", 0.5)
    address = f"http://{listening[0]}:{listening[1]}"
    store = StoreConnection("silent", "bucket", address, "key", "secret")
    with Wire(store) as silent, pytest.raises(Interrupted, match="TimeoutError"):
        silent.request("PUT", "a", body=DATA[:size])
