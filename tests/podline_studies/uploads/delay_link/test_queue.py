"""When packets leave a link, and how many are lost on it."""

import math

import pytest

from podline_studies.uploads.delay_link import LinkError, LinkSpec
from podline_studies.uploads.delay_link.packets import OFFLOAD_SIZE, Packet
from podline_studies.uploads.delay_link.queue import Direction
from podline_studies.uploads.delay_link.sink import PORT
from tests.support.packets import packet

ONE = packet(b"x" * 1208, 1448)  # 1,248 bytes of the wire: 10 µs at 1 Gbit/s, about
MANY = packet(bytes(44 * 1448), 1448)


def times(way: Direction) -> list[float]:
    found = []
    while way.due < math.inf:
        found.append(way.leave()[0])
    return found


def test_half_the_round_trip_each_way() -> None:
    way = Direction(LinkSpec(rtt=0.1), 1)
    way.take(ONE, 5.0)
    assert times(way) == [pytest.approx(5.05)]


def test_packets_follow_each_other_at_the_rate() -> None:
    way = Direction(LinkSpec(rtt=0.02, rate=1e6), 1)
    for _ in range(3):
        way.take(ONE, 1.0)
    step = 1248 * 8 / 1e6
    assert times(way) == pytest.approx([1.01 + step, 1.01 + 2 * step, 1.01 + 3 * step])


def test_segments_of_one_packet_take_the_time_of_all() -> None:
    way = Direction(LinkSpec(rate=1e9), 1)
    way.take(MANY, 1.0)
    assert times(way) == [pytest.approx(1.0 + 44 * (1448 + 40) * 8 / 1e9)]


def test_jitter_keeps_the_order() -> None:
    way = Direction(LinkSpec(rtt=0.02, jitter=0.05), 1)
    for number in range(200):
        way.take(ONE, number / 1000)
    found = times(way)
    assert found == sorted(found)
    assert max(late - number / 1000 - 0.01 for number, late in enumerate(found)) > 0.03


def test_a_queue_that_is_full_drops() -> None:
    way = Direction(LinkSpec(rtt=0.1, rate=1e7), 1)  # 125,000 bytes wait at most
    for _ in range(1000):
        way.take(ONE, 1.0)
    assert len(times(way)) == pytest.approx(102, abs=2)
    assert way.counts.dropped == pytest.approx(898, abs=2)


def test_a_queue_of_several_bandwidth_delay_products() -> None:
    way = Direction(LinkSpec(rtt=0.1, rate=1e7, queue=4.0), 1)
    for _ in range(1000):
        way.take(ONE, 1.0)
    assert len(times(way)) == pytest.approx(402, abs=2)


def test_probes_are_counted_apart() -> None:
    way = Direction(LinkSpec(rtt=0.1, rate=1e7), 1)
    probe = bytearray(ONE)
    probe[OFFLOAD_SIZE + 22 : OFFLOAD_SIZE + 24] = PORT.to_bytes(2, "big")  # where TCP goes to
    for data in (ONE, bytes(probe)) * 500:
        way.take(data, 1.0)
    counts = way.counts
    assert (counts.segments, counts.probes) == (1000, 500)
    assert counts.probes_dropped == pytest.approx(counts.dropped / 2, abs=1)
    assert counts.dropped > 800


@pytest.mark.parametrize("loss", [0.005, 0.1, 0.5])
def test_as_many_segments_are_lost_as_was_asked(loss: float) -> None:
    way = Direction(LinkSpec(loss=loss), 1)
    for _ in range(2000):
        way.take(MANY, 1.0)
    left = 0
    while way.due < math.inf:
        left += Packet(way.leave()[1]).segments
    assert way.counts.segments == 88_000
    error = math.sqrt(loss * (1 - loss) / way.counts.segments)
    assert way.counts.lost / way.counts.segments == pytest.approx(loss, abs=5 * error)
    assert left == way.counts.segments - way.counts.lost


def test_a_link_that_is_cut_lets_nothing_through() -> None:
    way = Direction(LinkSpec(), 1)
    way.closed_until = 2.0
    way.take(ONE, 1.9)
    way.take(ONE, 2.1)
    assert times(way) == [2.1]


@pytest.mark.parametrize(
    ("field", "value"), [("rtt", -0.1), ("rtt", 20.0), ("loss", 1.0), ("rate", -1.0)]
)
def test_a_link_that_cannot_be(field: str, value: float) -> None:
    with pytest.raises(LinkError, match=f"{field} = {value!r} of a link: give 0 to"):
        LinkSpec(**{field: value})
