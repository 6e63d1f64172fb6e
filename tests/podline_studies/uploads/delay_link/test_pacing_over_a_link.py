"""What is under way over a link that is slow, loses segments, or is far."""

import itertools
import random
import socket

import pytest

from podline.store import Store, StoreConnection
from podline.store.upload.http_connection import Wire
from podline.store.upload.part_planner import MIB
from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.delay_link.control import Link
from tests.support import delay_link
from tests.support.congestion import algorithm, systems

DATA = memoryview(random.Random(1).randbytes(16 * MIB))


pytestmark = [*delay_link.MARKS, pytest.mark.timeout(180)]


def test_no_more_is_under_way_than_twice_what_the_way_holds(
    far: tuple[StoreConnection, Link],
) -> None:
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8))  # holds 250 kB
    keys = (f"bound-{number}" for number in itertools.count())

    def room() -> float:
        with Wire(store) as connection:
            for key in itertools.islice(keys, 2):
                assert connection.request("PUT", key, body=DATA[: 8 * MIB]).status == 200
            return connection._http.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) / 2

    found = delay_link.undisturbed(room, lambda found: 150_000 < found < 500_000)
    assert 150_000 < found < 500_000
    assert bytes(Store(store).get("bound-1")) == DATA[: 8 * MIB]


@pytest.mark.parametrize(("size", "rtt"), [(522_000, 0.02), (1_000_000, 0.05)])
def test_short_bodies_of_more_than_the_way_holds_find_room_in_its_queue(
    far: tuple[StoreConnection, Link], size: int, rtt: float
) -> None:
    store, link = far
    link.set(LinkSpec(rtt, rate=1e8))
    keys = (f"short-{size}-{number}" for number in itertools.count())

    def again() -> int:
        """How many segments were sent again, of some hundred."""
        with Wire(store) as connection:
            for key in itertools.islice(keys, 3):
                assert connection.request("PUT", key, body=DATA[:size]).status == 200
            info = connection.info()
            assert info is not None
            return info.retransmitted

    def median() -> int:  # a busy machine may bunch segments
        return sorted(again() for _ in range(5))[2]

    assert delay_link.undisturbed(median, lambda found: found < 20) < 20


def test_what_is_under_way_to_a_near_store_is_not_bound(far: tuple[StoreConnection, Link]) -> None:
    """Such a way holds some kB, and both sides would wait for each other."""
    store, link = far
    link.set(LinkSpec(0.0, rate=1e9))
    with Wire(store) as connection:
        for number in range(3):
            assert connection.request("PUT", f"near-{number}", body=DATA[: 8 * MIB]).status == 200
        assert connection._http.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > MIB


@pytest.mark.parametrize("rate", [1e8, 1e9], ids=["fills a queue", "fills none"])
def test_on_a_way_that_loses_segments_nothing_is_bound(
    far: tuple[StoreConnection, Link], rate: float
) -> None:
    """What follows a lost segment waits for it, and would leave no room for the next."""
    store, link = far
    link.set(LinkSpec(0.02, rate, loss=0.01))
    with Wire(store) as connection:
        for number in range(2):
            key = f"lossy-{rate:g}-{number}"
            assert connection.request("PUT", key, body=DATA[: 8 * MIB]).status == 200
        sock = connection._http.sock
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > 2 * MIB
        assert connection._pacing._limit is None


def test_where_segments_are_lost_the_systems_algorithm_takes_over(
    far: tuple[StoreConnection, Link],
) -> None:
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8, loss=0.05))
    with Wire(store) as connection:
        assert connection.request("PUT", "lossy", body=DATA[: 2 * MIB]).status == 200
        assert algorithm(connection._http.sock) == systems()
    assert bytes(Store(store).get("lossy")) == DATA[: 2 * MIB]
