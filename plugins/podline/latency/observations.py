"""What a worker, and the trigger of a deferred try, see of a try as it goes."""

from dataclasses import dataclass, field
from typing import Any

from podline.contract import Json, StageResult
from podline.phases import StagePhase


@dataclass
class Moments:
    """When something happened in a try, in seconds since the epoch; None: it did not, or unseen."""

    # By the worker's clock:
    execute: float | None = None  # the task's own work began
    created: float | None = None  # the pod, or the process, was made
    adopted: float | None = None  # or the pod of an earlier try was taken over
    resumed: float | None = None  # a worker goes on with the deferred task
    heard: float | None = None  # of the result, or of the end (in a deferred try: by the trigger)
    deleting: float | None = None  # the pod is about to be deleted
    deleted: float | None = None  # that was asked for
    gone: float | None = None  # the process had ended
    # As a watch brought it:
    bound: float | None = None  # the pod had a node
    running: float | None = None  # its container ran
    # By the triggerer's clock:
    triggered: float | None = None  # the trigger began
    # By the stage's clock:
    stored: float | None = None  # its result was in the store

    def known(self) -> dict[str, float]:
        """Those that there are, by name."""
        return {name: at for name, at in vars(self).items() if at is not None}


@dataclass(frozen=True)
class PodTimes:
    """When a pod came how far, as its own status says: in whole seconds since the epoch."""

    created: float | None = None
    bound: float | None = None  # the kubelet has seen it
    running: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class PodFacts:
    """What a pod is called, where it runs, and from which image."""

    pod: str = ""
    uid: str = ""
    namespace: str = ""
    node: str = ""
    image: str = ""


@dataclass(frozen=True)
class PodAhead:
    """What a pod was before a task claimed it that it was made for ahead.

    Attributes:
        made: when it was made, by its maker's clock (epoch).
        claimed: when the task had it (epoch).
        requests: what it asks for: Kubernetes' quantities, by resource.
    """

    made: float
    claimed: float
    requests: dict[str, str]


@dataclass(frozen=True)
class Event:
    """What the cluster said of a pod, `count` times, last `at` (epoch)."""

    reason: str
    message: str
    at: float
    count: int


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
class Observed(Json):
    """Times and facts of one try of a stage; as JSON, the process that resumes it gets them.

    Attributes:
        moments: when what happened.
        status: the same of a pod, as its own status says.
        backend: where the stage runs.
        prefix: the folder of this try in the store.
        parameters: the run's; None: nobody asks how long the stage takes.
        adopted_from: the try whose pod this one took over.
        deferred: it left its worker while the pod ran.
        pod: what it is called, where it ran.
        events: what the cluster said of it.
        pull: what the node said of the image; None: nothing.
        lost: earlier tries whose worker died, as their pods tell.
        ahead: what its pod was before; None: it was made for this try.
        made_ahead: the names of the pods that it made for the stages that follow it.
        result: what the stage measured.
        ended: when phases of the stage did, as it said on its way (epoch, by its clock).
    """

    moments: Moments = field(default_factory=Moments)
    status: PodTimes = PodTimes()
    backend: str = ""
    prefix: str = ""
    parameters: dict[str, Any] | None = None
    adopted_from: int | None = None
    deferred: bool = False
    pod: PodFacts = PodFacts()
    events: tuple[Event, ...] = ()
    pull: Pull | None = None
    lost: tuple["LostTry", ...] = ()
    ahead: PodAhead | None = None
    made_ahead: tuple[str, ...] = ()
    result: StageResult | None = None
    ended: dict[StagePhase, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LostTry:
    """What a pod tells of a try whose worker died: its number, and its start (epoch)."""

    number: int
    start: float
    seen: Observed
