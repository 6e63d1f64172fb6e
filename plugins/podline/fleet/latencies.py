"""Counts of latencies that can be added up and subtracted, over nodes and over time.

Each count is of a bucket; a bucket's bounds lie 9 % apart, so that a quantile is known to 5 %.
"""

from collections.abc import Iterable, Mapping
from math import log2

_PER_OCTAVE = 8
_FIRST = -160  # bucket: a microsecond

Latencies = Mapping[int, int]


def bucket(seconds: float) -> int:
    """The bucket that counts a latency."""
    return max(_FIRST, round(_PER_OCTAVE * log2(seconds))) if seconds > 0 else _FIRST


def added(counts: Iterable[Latencies]) -> dict[int, int]:
    """All of them together."""
    total: dict[int, int] = {}
    for one in counts:
        for number, count in one.items():
            total[number] = total.get(number, 0) + count
    return total


def since(later: Latencies, earlier: Latencies) -> dict[int, int]:
    """What was counted between two looks at one count."""
    apart = {number: count - earlier.get(number, 0) for number, count in later.items()}
    return {number: count for number, count in apart.items() if count}


def quantile(counts: Latencies, share: float) -> float | None:
    """Seconds within which a share of requests was answered; None: there were none.

    Args:
        counts: of the requests.
        share: of them, 0 to 1.
    """
    left: float = share * sum(counts.values())
    for number in sorted(counts):
        left -= counts[number]
        if left <= 0:
            return float(2 ** (number / _PER_OCTAVE))
    return None
