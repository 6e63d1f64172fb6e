"""Where a stage runs as a pod: created, watched, followed and cleaned away."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from podline.operators.backend import TryContext
    from podline.operators.kubernetes.backend import PodBackend


def open_backend(wanted: "TryContext") -> "PodBackend":
    """The backend for one try; what it imports takes long, so only here."""
    from podline.operators.kubernetes.backend import PodBackend

    return PodBackend(wanted)
