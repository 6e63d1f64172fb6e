"""Numbers, each given once."""

_last = 0


def take() -> int:
    """The next number."""
    global _last
    _last += 1
    return _last
