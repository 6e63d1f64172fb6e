"""What the kernel knows of a TCP connection (Linux): Linux' include/uapi/linux/tcp.h."""

import fcntl
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

# struct tcp_info: 8 bytes of state, 24 numbers of 32 bits, 4 of 64, 6 of 32, 4 of 64, delivered.
_INFO = struct.Struct("=8x24I4Q6I4QI")
# Which of them.
_MSS, _RTT, _RETRANSMITTED, _ACKED = 2, 15, 23, 26
_MIN_RTT, _SENT, _DELIVERY, _DELIVERED = 31, 33, 34, 38
_MAX_RATE = 47  # SO_MAX_PACING_RATE, which Python's socket does not name
_POLL = 0.0005  # seconds
# Its packets leave as fast as the window lets them, and no delay ends its slow start; any process
# may take it.
_UNPACED = b"reno"


@dataclass(frozen=True)
class TcpInfo:
    """A connection so far.

    Attributes:
        rtt: the shortest round trip, in seconds; `rtt_now`: the latest, smoothed.
        sent: segments with data that were sent; `retransmitted`: of them, again.
        mss: bytes a segment.
        acked: bytes that the other side has acknowledged.
        delivered: segments that arrived, as far as is known.
        delivery_rate: the latest, in bytes a second; 0: none is known.
        congestion: the algorithm's name.
    """

    rtt: float
    rtt_now: float
    sent: int
    retransmitted: int
    mss: int
    acked: int
    delivered: int
    delivery_rate: int
    congestion: str

    @property
    def held(self) -> int:
        """Bytes that the way was seen to hold without a queue."""
        return int(self.delivery_rate * self.rtt)


def read(connection: socket.socket) -> TcpInfo | None:
    """What the kernel says of a connection; None where it says nothing, as outside Linux."""
    try:
        data = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        name = _algorithm(connection)
    except (OSError, AttributeError):
        return None
    if len(data) < _INFO.size:
        return None
    numbers = _INFO.unpack(data)
    return TcpInfo(
        rtt=numbers[_MIN_RTT] / 1e6,
        rtt_now=numbers[_RTT] / 1e6,
        sent=numbers[_SENT],
        retransmitted=numbers[_RETRANSMITTED],
        mss=numbers[_MSS],
        acked=numbers[_ACKED],
        delivered=numbers[_DELIVERED],
        delivery_rate=numbers[_DELIVERY],
        congestion=name.decode(),
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


def connect_unpaced(address: tuple[str, int], timeout: float, *_: object) -> socket.socket:
    """Open a connection whose packets leave as fast as the window lets them.

    What is paced, as by BBR, takes a good part of a round trip longer for what would fit into the
    window. That cannot be changed once a connection is open; `pace` takes it back.

    Raises:
        OSError: nobody answers at the address, or there is none.
    """
    last: OSError | None = None
    for family, kind, protocol, _name, where in socket.getaddrinfo(*address, 0, socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(timeout)
            _take_algorithm(connection, _UNPACED)
            connection.connect(where)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    raise last or OSError(f"{address[0]} has no address")


def pace(connection: socket.socket) -> None:
    """Have the connection go by the system's own algorithm."""
    with socket.socket() as other:
        own = _algorithm(other)
    if own and own != _algorithm(connection):
        _take_algorithm(connection, own)


def bound(connection: socket.socket, room: int) -> bool:
    """Have no more than twice as many bytes under way; False: so many may not be asked for.

    The kernel doubles the buffer that is asked for, and enlarges it no more.
    """
    if room > _largest_buffer():
        return False
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    return True


def unbound(connection: socket.socket) -> None:
    """Have as many bytes under way as the system allows."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _largest_buffer())


def limit_rate(connection: socket.socket, rate: int | None) -> None:
    """Have segments leave at no more than some bytes a second; None: at any rate (Linux)."""
    value = (1 << 64) - 1 if rate is None else rate
    with suppress(OSError):  # another system
        connection.setsockopt(socket.SOL_SOCKET, _MAX_RATE, value.to_bytes(8, sys.byteorder))


def _largest_buffer() -> int:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, (1 << 30) - 1)
        return other.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2


def _algorithm(connection: socket.socket) -> bytes:
    option = getattr(socket, "TCP_CONGESTION", None)
    if option is None:
        return b""
    return connection.getsockopt(socket.IPPROTO_TCP, option, 16).split(b"\0")[0]


def _take_algorithm(connection: socket.socket, name: bytes) -> None:
    with suppress(OSError, AttributeError):  # the system does not allow it, or is not Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)


def unacknowledged(connection: socket.socket) -> int:
    """Bytes that were written and that the other side has not acknowledged."""
    found = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("=i", found)[0])


def wait_for_room(connection: socket.socket, seconds: float) -> None:
    """Wait until all that was written has left, or the other side answers.

    The kernel enlarges the buffer of those who wait for room, and of nobody else: without it the
    end of what is sent next would wait there for a round trip.

    Raises:
        TimeoutError: neither came within some seconds.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is None:
        return
    connection.setsockopt(socket.IPPROTO_TCP, option, 1)
    try:
        if not any(select.select([connection], [connection], [], seconds)):
            raise TimeoutError(f"what was written has not left within {seconds:g} s")
    finally:
        connection.setsockopt(socket.IPPROTO_TCP, option, 0)  # as the system has it


def has_answer(connection: socket.socket, seconds: float) -> bool:
    """Whether there is something to read within some time."""
    return bool(select.select([connection], [], [], seconds)[0])


def wait_until_acknowledged(connection: socket.socket, written: int) -> float:
    """Wait until what was written is acknowledged, or the other side answers.

    All but the last two segments: the receiver may keep their ACK back, to have it with its answer
    (RFC 1122, 4.2.3.2), and they leave right after the others. What is no longer is waited for.

    Args:
        connection: what it was written to.
        written: bytes.

    Returns:
        When that was, on the clock of `time.perf_counter`.
    """
    info = read(connection)
    last = 2 * info.mss if info is not None else 0
    left = last if written > last else 0
    while unacknowledged(connection) > left:
        if select.select([connection], [], [], _POLL)[0]:
            break
    return time.perf_counter()
