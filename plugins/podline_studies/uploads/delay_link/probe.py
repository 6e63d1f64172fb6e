"""What a link is like right now: its round trip, and how fast plain TCP is over it."""

import contextlib
import socket
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from podline.contract import Json
from podline.store.upload import tcp_info
from podline_studies.uploads.delay_link import LinkError, LinkSpec, sink, topology
from podline_studies.uploads.delay_link.sink import PORT
from podline_studies.uploads.delay_link.subprocesses import running

_SILENCE = 60.0  # seconds
_CONNECTS = 5
_SECONDS, _TRIPS = 0.5, 5  # that a round of the throughput takes at least, about
_STEADY = 2  # rounds in a row that were no faster: one may have lost what its start sent too much
_LEAST, _MOST = 1 << 20, 64 << 20  # bytes of it
_ROUNDS = 12  # to warm up, at most
_OFF = 0.1  # relative: a link that is further from what was asked for is not it
_LATE = 0.002  # seconds that a machine may add to a round trip
# Algorithms that slow down at each loss, as of a full queue: no long link is full by them.
_BY_LOSS = ("reno", "cubic")


@dataclass(frozen=True)
class Probe(Json):
    """A link as it was measured.

    Attributes:
        rtt: seconds that a connection took to open, the median of some.
        goodput: bytes a second of plain TCP over a connection that has sent data before.
        congestion: the algorithm of congestion control.
        window: bytes that the connection could have had under way: the send buffer's limit.
    """

    rtt: float
    goodput: float
    congestion: str
    window: int


class Prober:
    """Measures the link to a sink, over a connection that is kept."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._warm: socket.socket | None = None
        self._data = memoryview(bytes(_MOST))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._warm is not None:
            self._warm.close()

    def measure(self) -> Probe:
        """Measure the link now; takes a second or two.

        Raises:
            LinkError: nobody answers.
        """
        try:
            rtt = statistics.median(self._connect_seconds() for _ in range(_CONNECTS))
            goodput = self._goodput(rtt)
        except OSError as error:
            raise LinkError(f"nothing answers over the link to {self.address}: {error}") from None
        assert self._warm is not None
        info = tcp_info.read(self._warm)
        limit = Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2]
        return Probe(rtt, goodput, info.congestion if info else "", int(limit))

    def _connect_seconds(self) -> float:
        began = time.perf_counter()
        with socket.create_connection((self.address, PORT), _SILENCE):
            return time.perf_counter() - began

    def _goodput(self, rtt: float) -> float:
        """Send more and more until rounds that take long enough are no faster than those before."""
        long = max(_SECONDS, _TRIPS * rtt)
        size, best, steady = _LEAST, 0.0, 0
        for _ in range(_ROUNDS):
            seconds = max(self._send(size) - rtt, 1e-6)
            rate = size / seconds
            steady = steady + 1 if seconds > long and rate < best * 1.05 else 0
            best = max(best, rate)
            if steady == _STEADY:
                break
            size = int(min(_MOST, max(size, rate * long * 1.2)))
        return best

    def _send(self, size: int) -> float:
        if self._warm is None:
            self._warm = socket.create_connection((self.address, PORT), _SILENCE)
            self._warm.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        self._warm.sendall(sink.LENGTH.pack(size))
        self._warm.sendall(self._data[:size])
        if self._warm.recv(1) != sink.DONE:
            raise OSError("the sink has ended")
        return time.perf_counter() - began


def check(spec: LinkSpec, found: Probe, congestion: str = "") -> None:
    """Refuse a link that is not what it was said to be.

    Args:
        spec: what it was said to be.
        found: what it is.
        congestion: the algorithm that connections were to go by; empty: any.

    Raises:
        LinkError: its round trip is more than a tenth off, or the algorithm is another; or, by one
            that fills a link, without losses, the rate is.
    """
    if congestion and found.congestion != congestion:
        raise LinkError(
            f"connections go by {found.congestion!r}, and {congestion!r} was asked for: pods take "
            "the algorithm of the machine that they run on, which must be this one"
        )
    if abs(found.rtt - spec.rtt) > spec.rtt * _OFF + _LATE + spec.jitter:
        raise LinkError(
            f"the link's round trip is {found.rtt * 1000:.1f} ms, and {spec.rtt * 1000:.1f} were "
            "asked for: the machine is busy, or the link's process is late"
        )
    filled = spec.rate and not spec.loss and found.congestion not in _BY_LOSS
    if filled and found.goodput * 8 < spec.rate * (1 - _OFF):
        raise LinkError(
            f"plain TCP reaches {found.goodput * 8 / 1e6:.0f} Mbit/s, and the link has "
            f"{spec.rate / 1e6:.0f}: the machine is busy, or its TCP buffers are small"
        )


def sinking() -> contextlib.AbstractContextManager[None]:
    """A sink in the namespace behind the link."""
    return running(sink.__name__, topology.SINK, str(PORT), within=topology.inside())
