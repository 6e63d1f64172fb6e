"""What a pod asks for and may use, as several say it, each over the one before."""

from collections.abc import Mapping
from typing import NamedTuple

Quantities = Mapping[str, str]  # of Kubernetes, by resource


class Resources(NamedTuple):
    """What a pod asks for and may use at most."""

    requests: Quantities
    limits: Quantities

    def over(self, others: "Resources") -> "Resources":
        """These, and what the others say where these say nothing."""
        # Where only a limit is said, a larger request would contradict it; and the other way round.
        asked = {k: v for k, v in others.requests.items() if k not in self.limits}
        allowed = {k: _larger(v, self.requests.get(k, v)) for k, v in others.limits.items()}
        return Resources({**asked, **self.requests}, {**allowed, **self.limits})


def _larger(one: str, other: str) -> str:
    """The larger of two quantities."""
    if one == other:
        return one
    from kubernetes.utils.quantity import parse_quantity

    return max(one, other, key=parse_quantity)
