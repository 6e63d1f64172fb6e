"""A module that only `sys.path` leads to."""


def twice(n: int) -> int:
    """The number, doubled."""
    return n * 2
