"""Kubernetes' quantities as numbers."""

import re

_DECIMAL = {name: 10.0 ** (3 * power) for power, name in enumerate(("", *"kMGTPE"))}
_SMALL = {"m": 1e-3, "u": 1e-6, "n": 1e-9}
_BINARY = {f"{name}i": 1024.0**power for power, name in enumerate("KMGTPE", start=1)}
_FACTORS = {**_DECIMAL, **_SMALL, **_BINARY}


def quantity(text: str) -> float:
    """The number that a quantity means: ``100m`` is 0.1, and ``1Ki`` 1024.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)([a-zA-Z]*)", text)
    if found is None or found[2] not in _FACTORS:
        raise ValueError(f"{text!r} is not a quantity of Kubernetes")
    return float(found[1]) * _FACTORS[found[2]]
