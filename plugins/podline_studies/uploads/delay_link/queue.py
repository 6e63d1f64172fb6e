"""One direction of a delay link: when each packet is due, and which segments are lost."""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.delay_link.packets import Packet
from podline_studies.uploads.delay_link.sink import PORT


@dataclass
class Counts:
    """Segments that came; of these, those lost on the way, and those that found the queue full.

    Of the first and the last, those of probes are counted apart as well.
    """

    segments: int = 0
    lost: int = 0
    dropped: int = 0
    probes: int = 0
    probes_dropped: int = 0


class Direction:
    """Packets on their way, in order.

    Args:
        spec: what the link is like.
        seed: of losses and jitter.

    Attributes:
        closed_until: before that moment nothing gets in.
    """

    def __init__(self, spec: LinkSpec, seed: int) -> None:
        self.spec = spec
        self._random = random.Random(seed)
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._free = self._last = 0.0  # when the line is free; when the last packet is due
        self._until_loss = self._gap()
        self.counts = Counts()
        self.closed_until = 0.0

    def change(self, spec: LinkSpec) -> None:
        """Have packets from now on take another kind of link."""
        self.spec = spec
        self._until_loss = self._gap()

    def take_counts(self) -> Counts:
        """What happened since this was asked before."""
        counts, self.counts = self.counts, Counts()
        return counts

    def take(self, data: bytes, now: float) -> None:
        """Take a packet that came at `now` (seconds, of a monotonic clock)."""
        packet = Packet(data)
        spec = self.spec
        probing = packet.segments if PORT in packet.ports else 0
        self.counts.segments += packet.segments
        self.counts.probes += probing
        backlog = (self._free - now) * spec.rate / 8
        if backlog > spec.queue_bytes or now < self.closed_until:
            self.counts.dropped += packet.segments
            self.counts.probes_dropped += probing
            return
        if spec.rate:
            self._free = max(self._free, now) + packet.wire_bytes * 8 / spec.rate
        else:
            self._free = now
        late = self._random.uniform(0, spec.jitter) if spec.jitter else 0.0
        self._last = max(self._last, self._free + spec.rtt / 2 + late)
        for piece in self._survivors(packet):
            self._waiting.append((self._last, piece))

    def _survivors(self, packet: Packet) -> Iterator[bytes]:
        """The packet, or what is left of it where a segment is lost."""
        first = 0
        while self._until_loss < packet.segments - first:
            lost = first + self._until_loss
            self.counts.lost += 1
            self._until_loss = self._gap()
            if lost > first:
                yield packet.piece(first, lost)
            first = lost + 1
        self._until_loss -= packet.segments - first
        if first < packet.segments:
            yield packet.piece(first, packet.segments)

    def _gap(self) -> int:
        """How many segments pass before the next one is lost: geometrically distributed."""
        if not self.spec.loss:
            return 1 << 62
        return int(math.log(1 - self._random.random()) / math.log(1 - self.spec.loss))

    @property
    def due(self) -> float:
        """When the next packet is due; infinite: none is on its way."""
        return self._waiting[0][0] if self._waiting else math.inf

    def leave(self) -> tuple[float, bytes]:
        """The next packet, and when it was due."""
        return self._waiting.popleft()
