"""How the segments of a connection leave: at once where the window lets them, and not too many."""

import math
import socket
import time
from collections.abc import Callable

from podline.store.upload import tcp_info

SHORT = 4 * 1024 * 1024  # bytes that leave within a few windows: pacing would take longest of all
NEAR = 0.005  # seconds of round trip: to send again what was lost takes no time
# Times the rate that the way was seen to take: 1.25 takes longer where it was seen with small
# windows only, and 1.6 fills the queue.
_FASTER = 1.5
_FEW = 3  # round trips in which a way that loses no segments may lose some, as by a stall

Connect = Callable[..., socket.socket]  # as socket.create_connection


class Pacing:
    """Decides for one connection, by what it sees of it.

    A short body is sent unpaced: by BBR, which paces, a body that fits into the window takes a good
    part of a round trip longer. Where segments are lost the system's own algorithm takes over, and
    also before the next body where the way was seen to be full: then the window is more than it
    holds. Where it is full, what is more than it holds leaves no longer all at once, but a half
    faster than the way was seen to take it: the rest finds room in a queue as long as the way.

    A long body on a connection that was seen to fill its way has no more under way than twice what
    the way holds: more would find the queue full, and what is lost there costs round trips. Where
    segments are lost again and again all the same, or before any had to wait, the way itself loses
    them: then nothing is bound, since what follows a lost one takes room until that has come.

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
        self._near = False
        self._lossy = lossy
        self._held = 0  # bytes that the way was seen to hold
        self._room: int | None = None  # of them there are twice as many under way; None: no bound
        self._queue, self._losses, self._rate = _Queue(), _Losses(), _Rate()
        self._limit: int | None = None  # bytes a second; None: no limit

    @property
    def short(self) -> bool:
        """Whether the body is: then what becomes of its segments is worth looking at to the end."""
        return self._size is not None and self._size <= SHORT

    @property
    def connect(self) -> Connect:
        """What opens the connection."""
        return tcp_info.connect_unpaced if self.unpaced else socket.create_connection

    def begin(self, connection: socket.socket, size: int) -> None:
        """Say that a body of some bytes comes next."""
        self._size = size
        self.look(connection)
        full = self._queue.seen or self._losses.many
        if not self.short or full:
            self._go_by_the_system(connection)
        if not self.short and full and self._may_slow and self._room is None:
            self._room = 0
            self._bound(connection)

    def look(self, connection: socket.socket) -> None:
        """Look at what the way does to the segments that were sent."""
        info = tcp_info.read(connection)
        if info is None:
            return
        self._held, self._near = max(self._held, info.held), info.rtt < NEAR
        self._queue.look(info)
        if info.retransmitted:
            self._go_by_the_system(connection)
        self._look_at_losses(connection, info)
        self._bound(connection)
        self._slow_down(connection, self._rate.seen(info), info.rtt)

    @property
    def _may_slow(self) -> bool:
        """Whether less may leave than could: not where that would take longer in any case."""
        return not self._lossy and not self._near

    def _look_at_losses(self, connection: socket.socket, info: tcp_info.TcpInfo) -> None:
        """Tell a way that loses segments from a queue that had no room for them."""
        self._losses.look(info)
        if self._queue.seen and self._room is None:
            self._losses.trips = 0  # there was no room
        elif self._losses.trips > _FEW:
            self._lossy = True
            if self._room is not None:
                self._room = None
                tcp_info.unbound(connection)

    def _go_by_the_system(self, connection: socket.socket) -> None:
        if self.unpaced:
            tcp_info.pace(connection)
            self.unpaced = False

    def _bound(self, connection: socket.socket) -> None:
        """What the way holds may turn out to be more than it was when the body began."""
        grown = self._room is not None and self._held > self._room
        if grown and tcp_info.bound(connection, self._held):
            self._room = self._held

    def _slow_down(self, connection: socket.socket, rate: float, rtt: float) -> None:
        """Limit a short body that is more than the way holds, and no other, as a rate was seen."""
        overfills = self.short and (self._size or 0) > rate * rtt > 0
        waits = self._queue.seen if self._queue.calm else self._rate.steady
        limited = overfills and (waits or self._losses.many) and self._may_slow
        limit = int(rate * _FASTER) if limited else None
        if limit != self._limit:
            tcp_info.limit_rate(connection, limit)
            self._limit = limit


class _Queue:
    """Whether segments of a connection had to wait, by their round trips.

    Attributes:
        seen: they had, at some time.
        calm: where none waits a round trip is about as long as the shortest; otherwise the shortest
            says little, and a queue is seen late.
    """

    # Times the round trip without a queue. A window that opens as in a slow start makes the trip
    # longer by a half of it at the link's rate; the next body, twice as large and all at once,
    # would not find room in a queue as long as the link.
    _LONGER = 1.1

    def __init__(self) -> None:
        self.seen, self.calm = False, True
        self._usual = math.inf  # the shortest smoothed round trip, in seconds

    def look(self, info: tcp_info.TcpInfo) -> None:
        """Look at the connection, which is like this now."""
        self._usual = min(self._usual, info.rtt_now)
        self.calm = self._usual <= info.rtt * self._LONGER
        empty = info.rtt if self.calm else self._usual
        self.seen = self.seen or info.rtt_now > empty * self._LONGER


class _Losses:
    """What a connection lost: a full queue, or a stall, many at once; a lossy way some at any time.

    Attributes:
        trips: round trips in which there were losses.
        many: in one of them there were more than a lossy way takes of a short body.
    """

    _MANY = 16  # segments

    def __init__(self) -> None:
        self.trips, self.many = 0, False
        self._lost = self._before = 0  # segments: until now, and until the latest of those trips
        self._since = -math.inf  # when that began

    def look(self, info: tcp_info.TcpInfo) -> None:
        """Look at the connection, which is like this now."""
        now = time.perf_counter()
        if info.retransmitted > self._lost and now > self._since + info.rtt_now:
            self.trips += 1
            self._before, self._since = self._lost, now
        self._lost = info.retransmitted
        self.many = self.many or self._lost > self._before + self._MANY


class _Rate:
    """The most bytes a second that a connection was seen to take.

    The kernel's own rate is of a window in its round trip, and too low until the window fills the
    way; acknowledgements come as the way takes segments.

    Attributes:
        steady: whether it was about as much a round trip before: then it is the way's, and not that
            of a window, which grows meanwhile.
    """

    _SEGMENTS, _SECONDS = 64, 0.002  # at least: acknowledgements come in bunches
    _ABOUT = 1.25  # times

    def __init__(self) -> None:
        self.steady = False
        self._most: list[tuple[float, float]] = []  # each time that there was a new one: when, what
        self._before = self._since = (time.perf_counter(), 0)  # when so many segments had arrived

    def seen(self, info: tcp_info.TcpInfo) -> float:
        """The rate, now that the connection is like this; 0: it is not known."""
        now = time.perf_counter(), info.delivered
        if info.delivered == self._before[1]:  # nothing comes, and nothing may have been sent
            self._since = now
        self._before = now
        seconds, segments = now[0] - self._since[0], now[1] - self._since[1]
        if seconds >= self._SECONDS and segments >= self._SEGMENTS:
            self._add(now[0], max(segments * info.mss / seconds, info.delivery_rate), info.rtt)
            self._since = now
        return self._most[-1][1] if self._most else 0.0

    def _add(self, now: float, rate: float, rtt: float) -> None:
        if not self._most or rate > self._most[-1][1]:
            self._most.append((now, rate))
        earlier = [most for when, most in self._most if when <= now - rtt]
        self.steady = bool(earlier) and self._most[-1][1] <= earlier[-1] * self._ABOUT
