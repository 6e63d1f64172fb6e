"""What a link allows: the least time in which a file comes over it to who asks for it.

``size / goodput + rtt``: the request there and the bytes back, as in L. L. Peterson and B. S.
Davie, "Computer Networks: A Systems Approach", section 1.5: "TransferTime = RTT + 1/Bandwidth ×
TransferSize". No client is faster, whatever it does.

TCP is not there at once: a connection that was idle begins with ten segments (RFC 6928) and
doubles that in each round trip until the link is full (N. Cardwell, S. Savage and T. Anderson,
"Modeling TCP Latency", INFOCOM 2000). `from_a_start` has these round trips, too.
"""

INITIAL = 10 * 1448  # bytes: segments of Ethernet's length, with TCP's timestamps


def limit(size: float, goodput: float, rtt: float) -> float:
    """Seconds in which bytes that are asked for can have come.

    Args:
        size: bytes.
        goodput: bytes a second that plain TCP reaches over the link.
        rtt: round trip, in seconds.
    """
    return rtt + size / goodput


def from_a_start(size: float, goodput: float, rtt: float) -> float:
    """Seconds in which they can have come by TCP over a connection that was idle.

    Args:
        size: bytes.
        goodput: bytes a second that plain TCP reaches over the link.
        rtt: round trip, in seconds.
    """
    window, sent, seconds = float(INITIAL), 0.0, rtt
    while window < goodput * rtt and sent + window < size:
        sent, seconds, window = sent + window, seconds + rtt, 2 * window
    return seconds + (size - sent) / goodput
