"""What earlier runs tell of a stage: how long it takes, and what it needs to be ready.

It is kept in the store, an object a stage, by each try that succeeds; whoever makes a stage's pod
ahead reads it. A small object spares the reading of many records.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from podline.contract import Json
from podline.latency.observations import Observed
from podline.settings import Backend
from podline.store import Conflict, ObjectMissing, StoreError, keys

if TYPE_CHECKING:
    from podline.store import Store
    from podline.store.keys import TryKey

_KEPT = 20  # samples
_LIKE = 8  # of these count at most,
_FEW = 3  # and so many at least
_FAR = math.log(2)  # sizes that differ by more than that are not alike
_ATTEMPTS = 3
_LARGEST = 100_000  # bytes


@dataclass(frozen=True)
class Sample:
    """One try.

    Attributes:
        parameters: the run's, by name.
        seconds: from when its pod or process was made or claimed until its result was known.
        ready: seconds from when that was made until its libraries were imported.
        libraries: the modules that its inputs asked for.
        backend: where it ran: only pods are made just in time, by other pods' times.
    """

    parameters: dict[str, Any]
    seconds: float
    ready: float
    libraries: tuple[str, ...] = ()
    backend: str = Backend.KUBERNETES.value


@dataclass(frozen=True)
class StageProfile(Json):
    """What is known of a stage; the latest sample is the last."""

    samples: tuple[Sample, ...] = field(default=())

    def seconds(self, parameters: dict[str, Any]) -> float | None:
        """How long a try takes that is rather short; None: there are too few like it."""
        found = [sample.seconds for sample in self._like(parameters)]
        return quartile(found, 0) if found else None

    def ready(self, parameters: dict[str, Any]) -> float | None:
        """How long a pod takes to be ready that is rather slow; None: there are too few like it."""
        found = [sample.ready for sample in self._like(parameters)]
        return quartile(found, 2) if found else None

    @property
    def libraries(self) -> tuple[str, ...]:
        """The modules that the inputs of the latest try asked for."""
        return self.samples[-1].libraries if self.samples else ()

    def _like(self, parameters: dict[str, Any]) -> list[Sample]:
        """The samples of the nearest sizes; none: there are too few of them."""
        pods = [s for s in self.samples if s.backend == Backend.KUBERNETES]
        near = [(_distance(s.parameters, parameters), -n, s) for n, s in enumerate(pods)]
        alike = sorted((item for item in near if item[0] <= _FAR), key=lambda item: item[:2])
        found = [sample for _, _, sample in alike[:_LIKE]]
        return found if len(found) >= _FEW else []


def quartile(values: Sequence[float], which: int) -> float:
    """The first, second or third quartile (0, 1, 2) of two values or more."""
    return quantiles(values, n=4, method="inclusive")[which]


def _distance(some: dict[str, Any], others: dict[str, Any]) -> float:
    """How far the sizes of two runs are apart; infinite where they are not sizes."""
    distance = 0.0
    for name in some.keys() | others.keys():
        one, other = some.get(name), others.get(name)
        if one == other:
            continue
        both = [float(v) for v in (one, other) if isinstance(v, int | float) and v > 0]
        if len(both) < 2:
            return math.inf
        distance += abs(math.log(both[0] / both[1]))
    return distance


def sample_of(seen: Observed) -> Sample | None:
    """What a try tells of its stage; None: it failed, or was none of those that count."""
    at, result, parameters = seen.moments, seen.result, seen.parameters
    if parameters is None or result is None or not result.succeeded:
        return None
    if at.created is None or at.heard is None:
        return None
    ready = result.ahead.ready if result.ahead else _imported(result.started, result.phases)
    made = seen.ahead.made if seen.ahead else at.created
    seconds, ready = at.heard - at.created, max(ready - made, 0.0)
    return Sample(parameters, seconds, ready, result.libraries, seen.backend)


def _imported(started: float, phases: Sequence[Any]) -> float:
    return float(started + sum(p.seconds for p in phases if p.name in ("boot", "fetch", "imports")))


def read(store: "Store", dag_id: str, stage: str) -> StageProfile:
    """What is known of a stage.

    Args:
        store: where it is kept.
        dag_id: of its pipeline.
        stage: its name.

    Raises:
        StoreError: the store does not answer.
    """
    return _read(store, keys.profile_key(dag_id, stage))[0]


def libraries_of(store: "Store", dag_id: str, stage: str) -> tuple[str, ...]:
    """The modules that a stage's inputs asked for in its latest try; none, if the store is silent.

    Args:
        store: where they are kept.
        dag_id: of its pipeline.
        stage: its name.
    """
    try:
        return read(store.hasty, dag_id, stage).libraries
    except StoreError:  # they are a hint
        return ()


def note(store: "Store", where: "TryKey", sample: Sample) -> None:
    """Add a try to what is known of its stage.

    Args:
        store: where that is kept.
        where: the try.
        sample: what it tells.

    Raises:
        StoreError: the store does not answer.
    """
    key = keys.profile_key(where.dag_id, where.task_id)
    for _ in range(_ATTEMPTS):
        found, etag = _read(store, key)
        kept = StageProfile((*found.samples, sample)[-_KEPT:])
        try:
            store.swap(key, kept.to_json().encode(), etag)
            return
        except Conflict:  # another try has ended
            continue


def _read(store: "Store", key: str) -> tuple[StageProfile, str | None]:
    try:
        data, etag = store.get_version(key)
    except ObjectMissing:
        return StageProfile(), None
    try:
        return StageProfile.from_json(bytes(data[:_LARGEST])), etag
    except (ValueError, TypeError, KeyError, AttributeError):  # of another version of podline
        return StageProfile(), etag


Profiles = Callable[[str], StageProfile]  # by the stage's name
