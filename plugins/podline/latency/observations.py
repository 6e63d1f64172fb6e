"""What a worker, and the trigger of a deferred try, see of a try as it goes."""

from dataclasses import asdict, dataclass, field
from typing import Any

from podline.contract import StageResult


@dataclass(frozen=True)
class Pull:
    """How long a pod's image took to come, as the node said.

    Attributes:
        seconds: of the pull that succeeded, 0 if the image was there; None: it did not come.
        until: when it was there (epoch), where that took several attempts.
    """

    seconds: float | None
    until: float | None = None


@dataclass
class Observed:
    """Times and facts of one try of a stage.

    Attributes:
        marks: when something happened, in seconds since the epoch. By the worker's clock:
            ``execute`` was called, the pod or process was ``created`` or ``adopted``, what it
            named as its result was ``heard`` (or its end), the pod was ``deleting`` and
            ``deleted``, the process ``gone``, the task ``resumed``. As a watch brought it:
            ``bound`` to a node, ``running``. By the triggerer's clock: ``triggered``. By the
            stage's: ``stored``.
        status: when a pod was created, bound, running and ended, as its own status says: in whole
            seconds.
        backend: where the stage runs.
        prefix: the folder of this try in the store.
        adopted_from: the try whose pod this one took over.
        deferred: it left its worker while the pod ran.
        pod: what it is called, where it ran.
        events: what the cluster said of it.
        pull: what the node said of the image; None: nothing.
        lost: earlier tries whose worker died, as their pods tell: their `number`, when they had
            their `start` (epoch), and what can be `seen` of them, as fields of this class.
        result: what the stage measured.
    """

    marks: dict[str, float] = field(default_factory=dict)
    status: dict[str, float] = field(default_factory=dict)
    backend: str = ""
    prefix: str = ""
    adopted_from: int | None = None
    deferred: bool = False
    pod: dict[str, str] = field(default_factory=dict)
    lost: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    pull: Pull | None = None
    result: StageResult | None = None

    def noted(self) -> dict[str, Any]:
        """What the process in which a deferred try goes on must know, as JSON."""
        known = asdict(self)
        return {name: known[name] for name in known if name not in ("events", "pull", "result")}
