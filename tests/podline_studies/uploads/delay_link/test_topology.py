"""A real delay link: its round trip, its rate, its losses, and what goes wrong."""

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from podline_studies.uploads.delay_link import LinkError, LinkSpec, topology
from podline_studies.uploads.delay_link.control import Link, LinkStats
from podline_studies.uploads.delay_link.probe import Probe, Prober, check, sinking
from podline_studies.uploads.delay_link.sink import PORT
from tests.support import delay_link

pytestmark = delay_link.MARKS


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    with topology.laid({}, tmp_path_factory.mktemp("link") / "log") as found, sinking():
        yield found.link


def measured(link: Link, spec: LinkSpec) -> Probe:
    """The link as it is on a machine that others leave to it."""
    link.set(spec)
    with Prober(topology.SINK) as prober:
        return delay_link.undisturbed(prober.measure, lambda found: is_as_made(found, spec))


def is_as_made(found: Probe, spec: LinkSpec) -> bool:
    """Whether it has the round trip, and the rate: 1,448 of a packet's 1,500 bytes are the data."""
    rate = spec.rate * 1448 / 1500
    near = bool(found.rtt == pytest.approx(spec.rtt, abs=0.005))
    return near and (not rate or bool(found.goodput * 8 == pytest.approx(rate, rel=0.05)))


@pytest.mark.parametrize("rtt", [0.0, 0.02, 0.1, 0.2])
def test_the_round_trip_and_the_rate(link: Link, rtt: float) -> None:
    spec = LinkSpec(rtt, rate=1e8)
    found = measured(link, spec)
    assert is_as_made(found, spec), found
    check(spec, found)


def test_losses_are_counted_and_sent_again(link: Link) -> None:
    link.set(LinkSpec(0.01, rate=1e8, loss=0.01))

    def sent() -> LinkStats:
        link.stats()
        with socket.create_connection((topology.SINK, PORT)) as connection:
            connection.sendall((8 << 20).to_bytes(8, "big") + bytes(8 << 20))
            assert connection.recv(1) == b"."
        return link.stats()

    stats = delay_link.undisturbed(sent, lambda stats: (stats.late_p99_s or 1.0) < 0.05)
    assert stats.segments_there > 5000
    assert 0.005 < stats.lost_there / stats.segments_there < 0.02
    assert stats.late_p99_s is not None
    assert stats.late_p99_s < 0.05
    assert stats.probes_there == stats.segments_there


@pytest.mark.parametrize("algorithm", ["reno", "cubic"])
def test_connections_go_by_the_algorithm_that_was_asked_for(link: Link, algorithm: str) -> None:
    with topology.congestion(""):
        usual = measured(link, LinkSpec()).congestion
    with topology.congestion(algorithm):
        assert measured(link, LinkSpec(0.02, rate=1e8)).congestion == algorithm
    assert measured(link, LinkSpec()).congestion == usual


def test_an_algorithm_that_is_not_there(link: Link) -> None:
    unknown = pytest.raises(
        LinkError, match="congestion = 'warp': the kernel has .*reno.*fix: modp"
    )
    with unknown, topology.congestion("warp"):
        pass
    other = Probe(rtt=0.02, goodput=1e7, congestion="bbr", window=1)
    with pytest.raises(LinkError, match="connections go by 'bbr', and 'reno' was asked for"):
        check(LinkSpec(0.02), other, "reno")


def test_a_link_that_is_cut_comes_back(link: Link) -> None:
    link.set(LinkSpec(0.01))
    link.cut(1.0)
    began = time.monotonic()
    with socket.create_connection((topology.SINK, PORT), timeout=60):
        assert 1.0 <= time.monotonic() - began < 30


def test_a_link_that_is_not_what_was_asked_for_is_told() -> None:
    slow = Probe(rtt=0.03, goodput=5e6, congestion="bbr", window=1)
    with pytest.raises(LinkError, match=r"round trip is 30.0 ms, and 20.0 were asked for"):
        check(LinkSpec(0.02), slow)
    with pytest.raises(LinkError, match=r"plain TCP reaches 40 Mbit/s, and the link has 100"):
        check(LinkSpec(0.03, rate=1e8), slow)
    # Which leaves a long link idle after each loss, however quiet the machine is.
    check(LinkSpec(0.03, rate=1e8), replace(slow, congestion="cubic"))


def test_a_link_that_does_not_lie_is_told(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="the delay link at .* does not answer .*: lay it, or lay"):
        Link(tmp_path / "link.sock").set(LinkSpec())


def test_a_second_link_is_refused_and_takes_nothing_from_the_first(link: Link) -> None:
    second = pytest.raises(LinkError, match="a delay link lies on this machine already")
    with second, topology.laid({}):
        pass
    assert is_as_made(measured(link, LinkSpec(0.02)), LinkSpec(0.02))


def test_a_link_lies_again_after_its_process_was_killed(link: Link) -> None:
    """Last: the link of the others is gone then."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(link.control))
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    os.kill(struct.unpack("3i", peer)[0], signal.SIGKILL)
    with topology.laid({}) as again, sinking():
        assert is_as_made(measured(again.link, LinkSpec(0.02)), LinkSpec(0.02))
