"""How the segments of a connection leave: at once where the window lets them, and not too many."""

import socket
import time
from collections.abc import Callable

from podline.uploads import tcp

SHORT = 4 * 1024 * 1024  # bytes that leave within a few windows: pacing would take longest of all
NEAR = 0.005  # seconds of round trip: to send again what was lost takes no time
# Times the rate that the way was seen to take: 1.25 takes longer where it was seen with small
# windows only, and 1.6 fills the queue.
_FASTER = 1.5

Connect = Callable[..., socket.socket]  # as socket.create_connection


class Pacing:
    """Decides for one connection, by what it sees of it.

    A short body is sent unpaced: by BBR, which paces, a body that fits into the window takes a good
    part of a round trip longer. Where segments are lost the system's own algorithm takes over, and
    also before the next body where they had to wait: then the window is more than the way holds.
    Where they had to wait, what is more than the way holds leaves no longer all at once, but a half
    faster than the way was seen to take it: the rest finds room in a queue as long as the way.

    A long body on a connection that was seen to fill its way has no more under way than twice what
    the way holds: more would find the queue full, and what is lost there costs round trips.

    Nothing is bound where the other side is near: there the way holds less than the two sides leave
    to each other.

    Args:
        size: of the first body, in bytes; None: there is none.
        lossy: whether the way is known to lose segments.

    Attributes:
        unpaced: whether segments leave unpaced, as long as none is lost.
    """

    def __init__(self, size: int | None, lossy: bool) -> None:
        self._size = size
        self.unpaced = self.short and not lossy
        self._full = self._near = False
        self._held = 0  # bytes that the way was seen to hold
        self._room: int | None = None  # of them there are twice as many under way; None: no bound
        self._rate = _Rate()
        self._limit: int | None = None  # bytes a second; None: no limit

    @property
    def short(self) -> bool:
        """Whether the body is: then what becomes of its segments is worth looking at to the end."""
        return self._size is not None and self._size <= SHORT

    @property
    def connect(self) -> Connect:
        """What opens the connection."""
        return tcp.connect_unpaced if self.unpaced else socket.create_connection

    def begin(self, connection: socket.socket, size: int) -> None:
        """Say that a body of some bytes comes next."""
        self._size = size
        self.look(connection)
        if not self.short or self._full:
            self._go_by_the_system(connection)
        if not self.short and self._full and not self._near and self._room is None:
            self._room = 0
            self._bound(connection)

    def look(self, connection: socket.socket) -> None:
        """Look at what the way does to the segments that were sent."""
        info = tcp.read(connection)
        if info is None:
            return
        self._held, self._full = max(self._held, info.held), self._full or info.full
        self._near = info.rtt < NEAR
        if info.retransmitted:
            self._go_by_the_system(connection)
        self._bound(connection)
        self._slow_down(connection, self._rate.seen(info), info.rtt)

    def _go_by_the_system(self, connection: socket.socket) -> None:
        if self.unpaced:
            tcp.pace(connection)
            self.unpaced = False

    def _bound(self, connection: socket.socket) -> None:
        """What the way holds may turn out to be more than it was when the body began."""
        grown = self._room is not None and self._held > self._room
        if grown and tcp.bound(connection, self._held):
            self._room = self._held

    def _slow_down(self, connection: socket.socket, rate: float, rtt: float) -> None:
        """Limit a short body that is more than the way holds, and no other, as a rate was seen."""
        overfills = self.short and (self._size or 0) > rate * rtt
        limited = overfills and self._full and not self._near and rate > 0
        limit = int(rate * _FASTER) if limited else None
        if limit != self._limit:
            tcp.limit_rate(connection, limit)
            self._limit = limit


class _Rate:
    """The most bytes a second that a connection was seen to take.

    The kernel's own rate is of a window in its round trip, and too low until the window fills the
    way; acknowledgements come as the way takes segments.
    """

    _SEGMENTS, _SECONDS = 64, 0.002  # at least: acknowledgements come in bunches

    def __init__(self) -> None:
        self._most = 0.0
        self._before = self._since = (time.perf_counter(), 0)  # when so many segments had arrived

    def seen(self, info: tcp.TcpInfo) -> float:
        """The rate, now that the connection is like this."""
        now = time.perf_counter(), info.delivered
        if info.delivered == self._before[1]:  # nothing comes, and nothing may have been sent
            self._since = now
        self._before = now
        seconds, segments = now[0] - self._since[0], now[1] - self._since[1]
        if seconds >= self._SECONDS and segments >= self._SEGMENTS:
            self._most = max(self._most, segments * info.mss / seconds, info.delivery_rate)
            self._since = now
        return self._most
