"""What the kernel knows of a TCP connection (Linux): Linux' include/uapi/linux/tcp.h."""

import fcntl
import select
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

# struct tcp_info: 8 bytes of state, 24 numbers of 32 bits, 4 of 64, 6 of 32, delivery_rate.
_INFO = struct.Struct("=8x24I4Q6IQ")
_MSS, _CWND, _RETRANSMITTED, _MIN_RTT, _SENT, _DELIVERY = 2, 18, 23, 31, 33, 34  # which of them
_POLL = 0.0005  # seconds


@dataclass(frozen=True)
class TcpInfo:
    """A connection so far.

    Attributes:
        rtt: the shortest round trip, in seconds.
        sent: segments with data that were sent; `retransmitted`: of them, again.
        cwnd: congestion window, in segments of `mss` bytes.
        delivery_rate: the latest, in bytes a second; 0: none is known.
        congestion: the algorithm's name.
    """

    rtt: float
    sent: int
    retransmitted: int
    cwnd: int
    mss: int
    delivery_rate: int
    congestion: str


def read(connection: socket.socket) -> TcpInfo | None:
    """What the kernel says of a connection; None where it says nothing, as outside Linux."""
    try:
        data = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        name = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    except (OSError, AttributeError):
        return None
    if len(data) < _INFO.size:
        return None
    numbers = _INFO.unpack(data)
    return TcpInfo(
        rtt=numbers[_MIN_RTT] / 1e6,
        sent=numbers[_SENT],
        retransmitted=numbers[_RETRANSMITTED],
        cwnd=numbers[_CWND],
        mss=numbers[_MSS],
        delivery_rate=numbers[_DELIVERY],
        congestion=name.split(b"\0")[0].decode(),
    )


@contextmanager
def corked(connection: socket.socket) -> Iterator[None]:
    """Have the kernel send full segments only, until the end: a window counts segments."""
    option = getattr(socket, "TCP_CORK", None)
    if option is None:
        yield
        return
    connection.setsockopt(socket.IPPROTO_TCP, option, 1)
    try:
        yield
    finally:
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, 0)


def unacknowledged(connection: socket.socket) -> int:
    """Bytes that were written and that the other side has not acknowledged."""
    found = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("=i", found)[0])


def wait_until_acknowledged(connection: socket.socket) -> float:
    """Wait until all that was written is acknowledged, or the other side answers.

    Returns:
        When that was, on the clock of `time.perf_counter`.
    """
    while unacknowledged(connection):
        if select.select([connection], [], [], _POLL)[0]:
            break
    return time.perf_counter()
