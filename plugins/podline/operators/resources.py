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
        # Where only a limit is said, a larger request would contradict it.
        asked = {k: v for k, v in others.requests.items() if k not in self.limits}
        return Resources({**asked, **self.requests}, {**others.limits, **self.limits})
