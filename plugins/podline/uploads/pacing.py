"""How the segments of a connection leave: at once where the window lets them, and not too many."""

import socket
from collections.abc import Callable

from podline.uploads import tcp

SHORT = 4 * 1024 * 1024  # bytes that leave within a few windows: pacing would take longest of all
NEAR = 0.005  # seconds of round trip: to send again what was lost takes no time

Connect = Callable[..., socket.socket]  # as socket.create_connection


class Pacing:
    """Decides for one connection, by what it sees of it.

    A short body is sent unpaced: by BBR, which paces, a body that fits into the window takes a good
    part of a round trip longer. Where segments are lost the system's own algorithm takes over, and
    also before the next body where they had to wait: then the window is more than the way holds.

    A long body on a connection that was seen to fill its way has no more under way than twice what
    the way holds: more would find the queue full, and what is lost there costs round trips. Not so
    where the other side is near: there the way holds less than the two sides leave to each other.

    Args:
        size: of the first body, in bytes; None: there is none.
        lossy: whether the way is known to lose segments.
    """

    def __init__(self, size: int | None, lossy: bool) -> None:
        self._unpaced = size is not None and size <= SHORT and not lossy
        self._full = self._near = False
        self._held = 0  # bytes that the way was seen to hold
        self._room: int | None = None  # of them there are twice as many under way; None: no bound

    @property
    def unpaced(self) -> bool:
        """Whether segments leave unpaced, as long as none is lost."""
        return self._unpaced

    @property
    def connect(self) -> Connect:
        """What opens the connection."""
        return tcp.connect_unpaced if self._unpaced else socket.create_connection

    def begin(self, connection: socket.socket, size: int) -> None:
        """Say that a body of some bytes comes next."""
        self.look(connection)
        if size > SHORT or self._full:
            self._go_by_the_system(connection)
        if size > SHORT and self._full and not self._near and self._room is None:
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

    def _go_by_the_system(self, connection: socket.socket) -> None:
        if self._unpaced:
            tcp.pace(connection)
            self._unpaced = False

    def _bound(self, connection: socket.socket) -> None:
        """What the way holds may turn out to be more than it was when the body began."""
        grown = self._room is not None and self._held > self._room
        if grown and tcp.bound(connection, self._held):
            self._room = self._held
