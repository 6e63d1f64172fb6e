"""How to send an object: in one request, or in parts."""

import math
from dataclasses import dataclass

MIB = 1024 * 1024
LEAST_PART = 5 * MIB  # S3's, but for the last
MOST_PARTS = 10_000  # S3's
LARGEST_PUT = 5 * 1024 * MIB  # S3's

_PART = 8 * MIB
_MOST_CONNECTIONS = 8
_LONG = 60.0  # seconds after which to begin anew would hurt
_LOSS = 0.0005  # below this a flow is not held back
# The algorithms that take each loss for a full queue.
_BY_LOSS = ("cubic", "reno", "bic", "htcp", "westwood")


@dataclass(frozen=True)
class Network:
    """What is known of the way to a store; None: not yet.

    Attributes:
        rtt: round trip, in seconds.
        loss: the share of segments that are lost.
        throughput: bytes a second that were reached.
        congestion: the algorithm of congestion control.
        mss: bytes a segment.
    """

    rtt: float | None = None
    loss: float = 0.0
    throughput: float | None = None
    congestion: str = ""
    mss: int = 1448


@dataclass(frozen=True)
class Plan:
    """How an object is sent; `parts` of 1: in one request. `part`: bytes of each but the last."""

    parts: int
    part: int
    connections: int


def plan(size: int, network: Network) -> Plan:
    """Say how an object is best sent.

    On a clean link one request comes nearest to the limit: parts cost two more round trips, and
    each connection of theirs starts slowly. Parts win where loss holds each connection back, or
    where the object takes so long that a break must not cost all of it.

    Args:
        size: bytes.
        network: what is known of the way.
    """
    if size <= 2 * LEAST_PART:
        return Plan(1, size, 1)
    lossy = _connections_for(network)
    long = network.throughput is not None and size / network.throughput > _LONG
    if lossy == 1 and not long and size <= LARGEST_PUT:
        return Plan(1, size, 1)
    connections = max(lossy, 2)  # while one waits for its answer, the other sends
    part = max(_PART, math.ceil(size / MOST_PARTS))
    if long and network.throughput:
        part = max(part, int(network.throughput * _LONG / 10) // MIB * MIB)
    parts = math.ceil(size / part)
    return Plan(parts, part, min(connections, parts))


def is_lossy(network: Network) -> bool:
    """Whether so many segments are lost that a flow is held back."""
    return network.loss >= _LOSS


def _connections_for(network: Network) -> int:
    """How many connections it takes to fill a link of which each loses some.

    One that goes by losses reaches mss/rtt · √(3/2)/√loss (M. Mathis and others, "The macroscopic
    behavior of the TCP congestion avoidance algorithm", 1997); together they are to reach eight
    times that, beyond which they crowd each other out.
    """
    if network.rtt is None or not is_lossy(network) or network.congestion not in _BY_LOSS:
        return 1
    one = network.mss / network.rtt * math.sqrt(1.5 / network.loss)
    wanted = network.throughput or _MOST_CONNECTIONS * one
    return max(1, min(_MOST_CONNECTIONS, math.ceil(max(wanted, 4 * one) / one)))
