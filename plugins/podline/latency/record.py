"""The record of one try: where its time went. What a reader must take as untrusted input.

Times of day are seconds since the epoch by the worker's clock; `start` of a phase or cell is in
seconds after the try's start, negative before it.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from podline.phases import OUTSIDE, OWN, PhaseName
from podline.settings import Backend

VERSION = 1

_Text = Annotated[str, Field(max_length=2000)]
_Id = Annotated[str, Field(max_length=1000)]
_Length = Annotated[float, Field(ge=0, le=1e9)]
_Offset = Annotated[float, Field(ge=-1e9, le=1e9)]
_Time = Annotated[float, Field(ge=0, le=1e11)]
_Count = Annotated[int, Field(ge=0, le=1 << 62)]

# Why a record is not whole, as those who write records say it.
_WORKER_DIED = "its worker died"
ORPHAN = f"{_WORKER_DIED}: this is what its pod knows of it"
DEAD = f"{_WORKER_DIED}: this is what its pod and the next try know of it"
CUT = {part: f"its {part} are in the object store only" for part in ("events", "cells")}
_PARTIAL = "|".join(("", _WORKER_DIED, ORPHAN, DEAD, *CUT.values()))

Source = Literal["airflow", "worker", "watch", "status", "events", "stage", "trigger"]


def epoch(time: datetime | None) -> float | None:
    """A time as records have it; None: there is none."""
    return time.timestamp() if time else None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phase(_Model):
    """A part of a try.

    Attributes:
        name: of the table in `podline.phases`.
        start, seconds: where it lies.
        source: who measured its end.
        precision: seconds to which that is known.
    """

    name: PhaseName
    start: _Offset
    seconds: _Length
    source: Source
    precision: _Length


class Note(_Model):
    """What a try is at that goes on, since when (epoch), and the phases that it has behind it."""

    phase: PhaseName
    since: _Time
    phases: Annotated[tuple[Phase, ...], Field(max_length=30)] = ()


class Cell(_Model):
    """A cell of the phase `code`, by its number in the notebook."""

    number: Annotated[int, Field(ge=1, le=1_000_000)]
    start: _Offset
    seconds: _Length


class PodEvent(_Model):
    """What the cluster said of the pod: `count` times, last `at` (epoch, whole seconds)."""

    reason: _Id
    message: _Text
    at: _Time
    count: _Count = 1


class Skew(_Model):
    """How far the pod's clock is ahead of the worker's, in seconds.

    Attributes:
        seconds: the estimate, by which the pod's times were moved.
        low, high: what it must lie between, since the pod was created before its process started
            and its result was stored before the worker heard of it.
    """

    seconds: _Offset = 0.0
    low: _Offset | None = None
    high: _Offset | None = None


class AheadPod(_Model):
    """What the pod of a try was before the try: it was made ahead, and waited.

    Attributes:
        made: when it was made (epoch).
        begun: when its process began.
        ready: when that had imported the stage's libraries.
        claimed: when the try had it.
        idle: seconds that it was ready and waited.
        cpu_seconds: what it asked for, times the seconds that it was there.
        byte_seconds: the same of memory.
        void: why its libraries had to be imported anew, if so.
    """

    made: _Time
    begun: _Time | None = None
    ready: _Time | None = None
    claimed: _Time
    idle: _Length | None = None
    cpu_seconds: _Length | None = None
    byte_seconds: Annotated[float, Field(ge=0, le=1e21)] | None = None
    void: _Text = ""


class TryFields(_Model):
    """What is said of a try, in its record and in the API.

    Attributes:
        dag_id, run_id, task_id, map_index: which.
        kind: a stage, a whole notebook, a stock operator's pod, or any other task.
        backend: where a stage ran.
        state: how Airflow says it ended.
        start, end: Airflow's.
        run_start: the run's start.
        upstream: the tasks that it waited for.
        phases: in order.
        bytes_in, bytes_out: what the stage moved from and to the store.
        adopted_from: the try whose pod it took over.
        ahead: what its pod was before the try, if it was made ahead.
        executed_notebook: its key in the store.
        peak_memory: bytes.
        gone: when the stage's own process had ended, where that was seen (epoch).
        failure: why it failed.
        phase_now, phase_now_since: what a try that goes on is at, and since when (epoch): its
            reader knows that, and no record that is kept.
    """

    version: Literal[1]
    dag_id: _Id
    run_id: _Id
    task_id: _Id
    map_index: Annotated[int, Field(ge=-1, le=1_000_000)] = -1
    kind: Literal["stage", "notebook", "pod", "task"]
    backend: Backend | Literal[""] = ""
    state: Annotated[str, Field(max_length=30)]
    start: _Time | None
    end: _Time | None
    run_start: _Time | None = None
    upstream: Annotated[tuple[_Id, ...], Field(max_length=1000)] = ()
    phases: Annotated[tuple[Phase, ...], Field(max_length=30)] = ()
    cells: Annotated[tuple[Cell, ...], Field(max_length=10_000)] = ()
    events: Annotated[tuple[PodEvent, ...], Field(max_length=100)] = ()
    bytes_in: _Count | None = None
    bytes_out: _Count | None = None
    skew: Skew | None = None
    deferred: bool = False
    adopted_from: Annotated[int, Field(ge=0, le=100_000)] | None = None
    ahead: AheadPod | None = None
    executed_notebook: _Text = ""
    pod: _Id = ""
    namespace: _Id = ""
    node: _Id = ""
    image: _Id = ""
    peak_memory: _Count | None = None
    gone: _Time | None = None
    failure: _Text = ""
    phase_now: PhaseName | None = None
    phase_now_since: _Time | None = None


class Record(TryFields):
    """One try.

    Attributes:
        try_number: 0: of a task that was never tried.
        partial: why the record is not whole, if so.
    """

    try_number: Annotated[int, Field(ge=0, le=100_000)]
    partial: Annotated[str, Field(pattern=f"^({_PARTIAL})$")] = ""

    def seconds(self, *names: PhaseName) -> float:
        """The length of phases, in seconds."""
        return sum(phase.seconds for phase in self.phases if phase.name in names)

    def has(self, name: PhaseName) -> bool:
        """Whether the try had a phase."""
        return any(phase.name == name for phase in self.phases)

    @property
    def order(self) -> float:
        """What sorts a task instance's tries; that it was not tried is what is now."""
        return self.try_number or float("inf")

    @property
    def duration(self) -> float:
        """Airflow's duration of the try; what has not ended: as far as its phases go."""
        if self.start is not None and self.end is not None:
            return max(0.0, self.end - self.start)
        return sum(phase.seconds for phase in self.phases if phase.name not in OUTSIDE)

    @property
    def overhead(self) -> float:
        """All but the user's own work, in seconds."""
        return max(0.0, self.duration - self.seconds(*OWN))
