"""Where a study is kept: its design, its sessions and each measurement, written once.

=============================================  ==============================================
``studies/{kind}/{name}/design.json``          what is to be measured
``…/sittings/{number}.json``                   its sessions: when and where it was gone on with
``…/measurements/{index}.json``                a combination's measurement
``…/warm-ups/{session}-{what}.json``           what is left out
``…/spoilt/{index}-{attempt}.json``            what failed or was disturbed
``…/report/…``                                 what `podline_studies.reports` made of it
=============================================  ==============================================

Folders, the field ``sitting`` and a run's parameter keep the names under which studies were stored.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store import keys
from podline_studies.machine import Machine
from podline_studies.reports.provenance import Circumstances

if TYPE_CHECKING:
    from podline.store import Store
    from podline_studies.reports.page import Report

STUDIES = "studies"
_AT_ONCE = 16  # requests


class StudyError(PodlineError):
    """There is no such study, or it has another design."""


@dataclass(frozen=True)
class Session(Json):
    """An uninterrupted time of measuring on one machine.

    Attributes:
        number: from 1.
        began: what began it: the study's DAG run, the combination's index and the try.
        started: when (epoch).
        after: how many combinations were measured by then; not none: it goes on after an
            interruption.
        about: the machine and its versions.
    """

    number: int
    began: tuple[str, ...]
    boot: str
    started: float
    after: int
    about: Machine = field(default_factory=Machine)


class Measured(Protocol):
    """What a measurement of any kind has.

    Attributes:
        index: which of the design's it is.
        attempt: at it, from 1.
        sitting: the number of its session.
        ended: when (epoch); None: it failed.
    """

    @property
    def index(self) -> int: ...
    @property
    def attempt(self) -> int: ...
    @property
    def sitting(self) -> int: ...
    @property
    def ended(self) -> float | None: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, text: str | bytes) -> Self: ...


class Planned(Protocol):
    """What a design of any kind has."""

    def items(self) -> Sequence[Any]:
        """What is to be measured, in order."""
        ...

    def adds_to(self, begun: Self) -> bool:
        """Whether it has all that another has, at the same place, and more after that."""
        ...

    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, text: str | bytes) -> Self: ...


DesignT = TypeVar("DesignT", bound=Planned)
MeasuredT = TypeVar("MeasuredT", bound=Measured)


@dataclass(frozen=True)
class Kind(Generic[DesignT, MeasuredT]):
    """A kind of studies.

    Attributes:
        name: the kind's.
        dag_id: the DAG that measures them.
        design, measurement: the types of these.
        make_report: makes the report of what a study has measured so far.
    """

    name: str
    dag_id: str
    design: type[DesignT]
    measurement: type[MeasuredT]
    make_report: Callable[["Study[DesignT, MeasuredT]"], "Report"]


class Study(Generic[DesignT, MeasuredT]):
    """A study in the store.

    Args:
        store: where it is.
        kind: of which kind.
        name: which.
    """

    def __init__(self, store: "Store", kind: Kind[DesignT, MeasuredT], name: str) -> None:
        self.store, self.kind, self.name = store, kind, name

    def key(self, *parts: str) -> str:
        """The key of an object of the study."""
        return keys.join(STUDIES, self.kind.name, self.name, *parts)

    # --- the design

    def begin(self, design: DesignT) -> None:
        """Keep the design, or go on with the one that is there, or with what adds to it.

        Raises:
            StudyError: the study was begun with another design.
        """
        key, text = self.key("design.json"), design.to_json().encode()
        if self.store.put_if_absent(key, text):
            return
        etag = self.store.head(key).etag
        if (begun := self.design()) == design:
            return
        if not design.adds_to(begun):
            raise StudyError(
                f"the study {self.name!r} was begun with another design: {begun.to_json()}. fix: "
                "give those parameters, or more repeats, to go on with it, or another name to "
                "begin a new one"
            )
        self.store.swap(key, text, etag)

    def design(self) -> DesignT:
        """The design that the study was begun with.

        Raises:
            StudyError: there is no such study.
        """
        from podline.store import ObjectMissing

        try:
            return self.kind.design.from_json(bytes(self.store.get(self.key("design.json"))))
        except ObjectMissing:
            raise StudyError(
                f"the store has no study {self.name!r} of {self.kind.name}. `podline report "
                f"{self.kind.name}` lists what it has"
            ) from None

    # --- what was measured

    def add(self, measurement: MeasuredT) -> None:
        """Keep a measurement."""
        self._add(measurement, "measurements", f"{measurement.index:04d}")

    def measured(self) -> set[int]:
        """The indices of what has a measurement."""
        return {int(name.removesuffix(".json")) for name in self._names("measurements")}

    def measurements(self) -> list[MeasuredT]:
        """The measurements, in the order of the design."""
        return self._read("measurements")

    def add_discarded(self, measurement: MeasuredT) -> None:
        """Keep what failed or was disturbed."""
        name = f"{measurement.index:04d}-{measurement.attempt}"
        self._add(measurement, "spoilt", name)

    def discarded(self) -> list[MeasuredT]:
        """What failed or was disturbed."""
        return self._read("spoilt")

    def attempts(self, index: int) -> int:
        """How often something of the design was measured in vain."""
        mine = f"{index:04d}-"
        return sum(name.startswith(mine) for name in self._names("spoilt"))

    def add_warm_up(self, measurement: MeasuredT, what: str) -> None:
        """Keep what was measured to warm up."""
        self._add(measurement, "warm-ups", f"{measurement.sitting:03d}-{what}")

    def is_warm(self, what: str, session: int) -> bool:
        """Whether something was warmed up in a session."""
        return self.store.exists(self.key("warm-ups", f"{session:03d}-{what}.json"))

    def warm_ups(self) -> list[MeasuredT]:
        """What was measured to warm up."""
        return self._read("warm-ups")

    def sessions(self) -> list[Session]:
        """The sessions so far."""
        return [Session.from_json(text) for text in self._texts("sittings")]

    def add_session(self, session: Session) -> None:
        """Keep a session."""
        key = self.key("sittings", f"{session.number:03d}.json")
        self.store.put_if_absent(key, session.to_json().encode())

    # --- objects

    def _add(self, measurement: MeasuredT, folder: str, name: str) -> None:
        key = self.key(folder, f"{name}.json")
        self.store.put_if_absent(key, measurement.to_json().encode())

    def _names(self, folder: str) -> list[str]:
        return sorted(keys.split(i.key)[-1] for i in self.store.list(self.key(folder)))

    def _texts(self, folder: str) -> list[bytes]:
        names = self._names(folder)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda n: bytes(self.store.get(self.key(folder, n))), names))

    def _read(self, folder: str) -> list[MeasuredT]:
        return [self.kind.measurement.from_json(text) for text in self._texts(folder)]


def studies(store: "Store", kind: str) -> list[str]:
    """The names of the studies of a kind."""
    return [keys.split(path)[-1] for path in store.list_folders(keys.join(STUDIES, kind))]


def circumstances(study: Study[Any, MeasuredT], measured: Sequence[MeasuredT]) -> Circumstances:
    """What a report says of how a study was measured: its name, sessions and interruptions.

    Args:
        study: which.
        measured: all that was measured in it, to warm up as well.
    """
    ends: dict[int, list[float]] = {}
    for one in measured:
        ends.setdefault(one.sitting, []).extend([] if one.ended is None else [one.ended])
    found = [one for one in study.sessions() if one.number in ends]
    return {
        "sweep": study.name,
        "sessions": [
            {
                "session": one.number,
                **one.about,
                "started": one.started,
                "ended": max(ends[one.number], default=one.started),
            }
            for one in found
        ],
        "interruptions": [
            {"started": one.started, "after": one.after, "session": one.number} for one in found[1:]
        ],
    }
