"""The phases of a try: one table, from which contract, records, studies and page take theirs.

It lies below them all, since a stage measures its phases in its own pod: standard library only.
"""

from dataclasses import dataclass
from typing import Literal, get_args

_BeforeStage = Literal["scheduled", "queued", "adopted", "prepare", "submit", "schedule", "pull"]
# Those that the stage itself measures.
StagePhase = Literal["boot", "fetch", "imports", "load", "code", "dump", "store"]
_AfterStage = Literal["run", "defer", "notice", "resume", "finish", "cleanup"]
PhaseName = Literal[_BeforeStage, "start", StagePhase, _AfterStage]

Where = Literal["scheduler", "before", "worker", "cluster", "stage", "trigger", "after"]
Part = Literal["kubernetes", "transfer", "libraries", "pipeline", "code"]


@dataclass(frozen=True)
class PhaseKind:
    """What is known of a phase before it is measured.

    Attributes:
        name: what records call it.
        where: who spends it.
        part: of the try's time that it counts to, where ``code`` is the user's own work and all
            else overhead; None: it is outside Airflow's duration of the try.
        meaning: what happens in it.
    """

    name: PhaseName
    where: Where
    part: Part | None
    meaning: str


# Those with a part follow one upon the other, from the try's start to its end. `run` is what cannot
# be told apart: a task that is no stage, or a stage that died.
TABLE = (
    PhaseKind("scheduled", "scheduler", None, "ready to run, until the scheduler queues it"),
    PhaseKind("queued", "scheduler", None, "queued, until a worker starts it"),
    PhaseKind("adopted", "before", None, "what its pod did before this try took it over"),
    PhaseKind("prepare", "worker", "pipeline", "the task’s process starts and reads its DAG"),
    PhaseKind("submit", "worker", "pipeline", "plan and inputs are made, and the pod or process"),
    PhaseKind("schedule", "cluster", "kubernetes", "the cluster finds a node"),
    PhaseKind("pull", "cluster", "kubernetes", "the image comes to the node"),
    PhaseKind("start", "cluster", "kubernetes", "the container is made and started"),
    PhaseKind("boot", "stage", "pipeline", "Python and podline start in the stage"),
    PhaseKind("fetch", "stage", "transfer", "the inputs come from the store"),
    PhaseKind("imports", "stage", "libraries", "the notebook’s imports and functions"),
    PhaseKind("load", "stage", "transfer", "the inputs become objects"),
    PhaseKind("code", "stage", "code", "the stage’s own cells"),
    PhaseKind("dump", "stage", "transfer", "objects become files"),
    PhaseKind("store", "stage", "transfer", "the outputs go to the store"),
    PhaseKind("run", "stage", "code", "the task’s own work, undivided"),
    PhaseKind("defer", "trigger", "pipeline", "until the trigger runs"),
    PhaseKind("notice", "worker", "pipeline", "until the operator knows that the result is stored"),
    PhaseKind("resume", "trigger", "pipeline", "until a deferred task goes on"),
    PhaseKind("finish", "worker", "pipeline", "until Airflow has recorded the end"),
    PhaseKind("cleanup", "after", None, "the pod is deleted, after the end"),
)


def phases_of(*parts: Part | None) -> tuple[PhaseName, ...]:
    """Return the phases that count to any of some parts, in order."""
    return tuple(kind.name for kind in TABLE if kind.part in parts)


PHASES = tuple(kind.name for kind in TABLE)
STAGE_PHASES: tuple[StagePhase, ...] = get_args(StagePhase)
WHERE = {kind.name: kind.where for kind in TABLE}
OVERHEAD_PARTS: tuple[Part, ...] = tuple(part for part in get_args(Part) if part != "code")
OUTSIDE = phases_of(None)  # not within Airflow's duration of the try
OWN = phases_of("code")  # the user's own work
