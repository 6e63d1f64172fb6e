"""Where a study is kept: its design, its sittings and each measurement, written once.

=============================================  ==============================================
``studies/{kind}/{name}/design.json``          what is to be measured
``…/sittings/{number}.json``                   when and where it was gone on with
``…/measurements/{index}.json``                a combination's measurement
``…/warm-ups/{sitting}-{notebook}-{backend}``  runs that are left out
``…/spoilt/{index}-{attempt}.json``            runs that failed or were disturbed
``…/report/…``                                 what `podline.reports` made of it
=============================================  ==============================================
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store import keys
from podline.studies.design import Combination, Design
from podline.studies.measuring import Measurement

if TYPE_CHECKING:
    from podline.store import Store

STUDIES = "studies"
_AT_ONCE = 16  # requests


class StudyError(PodlineError):
    """There is no such study, or it has another design."""


@dataclass(frozen=True)
class Sitting(Json):
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
    about: dict[str, Any] = field(default_factory=dict)


class Study:
    """A study in the store.

    Args:
        store: where it is.
        kind: ``overhead`` or ``uploads``.
        name: which.
    """

    def __init__(self, store: "Store", kind: str, name: str) -> None:
        self.store, self.kind, self.name = store, kind, name

    def key(self, *parts: str) -> str:
        """The key of an object of the study."""
        return keys.join(STUDIES, self.kind, self.name, *parts)

    # --- the design

    def begin(self, design: Design) -> None:
        """Keep the design, or go on with the one that is there.

        Raises:
            StudyError: the study was begun with another design.
        """
        if self.store.put_if_absent(self.key("design.json"), design.to_json().encode()):
            return
        if (begun := self.design()) != design:
            raise StudyError(
                f"the study {self.name!r} was begun with another design: {begun.to_json()}. fix: "
                "give those parameters to go on with it, or another name to begin a new one"
            )

    def design(self) -> Design:
        """The design that the study was begun with.

        Raises:
            StudyError: there is no such study.
        """
        from podline.store import ObjectMissing

        try:
            return Design.from_json(bytes(self.store.get(self.key("design.json"))))
        except ObjectMissing:
            raise StudyError(
                f"the store has no study {self.name!r} of {self.kind}. `podline report "
                f"{self.kind}` lists what it has"
            ) from None

    # --- what was measured

    def add(self, measurement: Measurement) -> None:
        """Keep the measurement of a combination."""
        self._add(measurement, "measurements", f"{measurement.combination.index:04d}")

    def measured(self) -> set[int]:
        """The indices of the combinations that have a measurement."""
        return {int(name.removesuffix(".json")) for name in self._names("measurements")}

    def measurements(self) -> list[Measurement]:
        """The measurements, in the order of the design."""
        return self._read("measurements")

    def add_spoilt(self, measurement: Measurement) -> None:
        """Keep a run that failed or was disturbed."""
        name = f"{measurement.combination.index:04d}-{measurement.attempt}"
        self._add(measurement, "spoilt", name)

    def spoilt(self) -> list[Measurement]:
        """The runs that failed or were disturbed."""
        return self._read("spoilt")

    def attempts(self, combination: Combination) -> int:
        """How often a combination was run in vain."""
        mine = f"{combination.index:04d}-"
        return sum(name.startswith(mine) for name in self._names("spoilt"))

    def add_warm_up(self, measurement: Measurement) -> None:
        """Keep a run that warmed up its backend."""
        self._add(measurement, "warm-ups", _warm(measurement.combination, measurement.sitting))

    def is_warm(self, combination: Combination, sitting: int) -> bool:
        """Whether a combination's notebook and backend were warmed up in a sitting."""
        return self.store.exists(self.key("warm-ups", f"{_warm(combination, sitting)}.json"))

    def warm_ups(self) -> list[Measurement]:
        """The runs that warmed up."""
        return self._read("warm-ups")

    def sittings(self) -> list[Sitting]:
        """The sittings so far."""
        return [Sitting.from_json(text) for text in self._texts("sittings")]

    def add_sitting(self, sitting: Sitting) -> None:
        """Keep a sitting."""
        key = self.key("sittings", f"{sitting.number:03d}.json")
        self.store.put_if_absent(key, sitting.to_json().encode())

    # --- objects

    def _add(self, measurement: Measurement, folder: str, name: str) -> None:
        key = self.key(folder, f"{name}.json")
        self.store.put_if_absent(key, measurement.to_json().encode())

    def _names(self, folder: str) -> list[str]:
        return sorted(keys.split(i.key)[-1] for i in self.store.list(self.key(folder)))

    def _texts(self, folder: str) -> list[bytes]:
        names = self._names(folder)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda n: bytes(self.store.get(self.key(folder, n))), names))

    def _read(self, folder: str) -> list[Measurement]:
        return [Measurement.from_json(text) for text in self._texts(folder)]


def _warm(combination: Combination, sitting: int) -> str:
    return f"{sitting:03d}-{combination.notebook}-{combination.backend}"


def studies(store: "Store", kind: str) -> list[str]:
    """The names of the studies of a kind."""
    return [keys.split(path)[-1] for path in store.list_folders(keys.join(STUDIES, kind))]
