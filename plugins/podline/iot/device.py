"""What a device is: readings at their times, and what its forecasts are worth."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.exceptions import PodlineError
from podline.models.manifest import Manifest
from podline.models.signature import TensorSpec

if TYPE_CHECKING:
    import numpy as np

Value = float | str


class DeviceError(PodlineError):
    """A device cannot be replayed, or does not have what a model takes."""


@dataclass(frozen=True)
class Reading:
    """A moment at which a device asks its edge.

    Attributes:
        time: when, by the device's clock.
        known: when it sees what is true.
        truth: that.
        baseline: what it would say without a model.
        columns: what it has measured, by name.
        tensor: the same as its sensors gave it; None: it has columns alone.
    """

    time: datetime
    known: datetime
    truth: Value
    baseline: Value
    columns: Mapping[str, float]
    tensor: "np.ndarray[Any, Any] | None" = None

    def row(self, spec: TensorSpec) -> "np.ndarray[Any, Any]":
        """The one row that a model takes.

        Args:
            spec: what it takes.

        Raises:
            DeviceError: the device does not have that.
        """
        import numpy as np

        if spec.columns:
            if missing := [name for name in spec.columns if name not in self.columns]:
                raise DeviceError(f"the model takes {missing[0]!r}, which the device does not have")
            return np.array([[self.columns[name] for name in spec.columns]], "float32")
        if self.tensor is None:
            raise DeviceError(
                "the model does not say which columns it takes: publish it with rows of a data "
                "frame as example="
            )
        return self.tensor[None].astype("float32")


class Device(ABC):
    """Recordings of a device, replayed.

    Attributes:
        model: the name of the model that it asks by default.
        unit: of its errors.
        window: readings over which an error is told by default.
    """

    model: str
    unit: str
    window: int

    @abstractmethod
    def readings(self) -> Iterator[Reading]:
        """What it asked, in order."""

    @abstractmethod
    def answer(self, outputs: Mapping[str, Sequence[float]]) -> Value:
        """What a model's outputs for one row say."""

    @abstractmethod
    def loss(self, answer: Value, truth: Value) -> float:
        """By how much an answer is off, such that losses have a mean."""

    @abstractmethod
    def error(self, mean: float) -> float:
        """The error, in the device's unit, of a mean loss."""

    @abstractmethod
    def expected(self, manifest: Manifest) -> float | None:
        """The error that a version had in its own evaluation; None: it does not say."""


def notebook(name: str) -> Path:
    """The notebook that a device's model is made by.

    Raises:
        DeviceError: it is not there.
    """
    path = settings.notebooks_folder() / f"{name}.ipynb"
    if not path.is_file():
        raise DeviceError(
            f"{path} is not there, and the device makes a model's inputs as that notebook does: "
            "name its folder with [podline] notebooks_folder"
        )
    return path


def metric(manifest: Manifest, name: str) -> float | None:
    """A metric of the form that an edge serves, or else of the original.

    Args:
        manifest: the version's.
        name: the metric's.
    """
    form = manifest.served[0].metrics if manifest.served else {}
    return form.get(name, manifest.metrics.get(name))
