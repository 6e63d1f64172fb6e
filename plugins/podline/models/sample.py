"""Rows with the original model's answers: whoever loads a form of the model asks it the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline.exceptions import PodlineError

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, "np.ndarray[Any, Any]"]

FILE = "sample.npz"
_INPUT, _OUTPUT = "input/", "output/"  # before a tensor's name in the file


class SampleError(PodlineError):
    """A sample cannot be read."""


@dataclass(frozen=True)
class Sample:
    """Inputs and the original model's outputs, by name."""

    inputs: "Tensors"
    outputs: "Tensors"

    def write(self, folder: Path) -> str:
        """Write it into a folder; returns the file's name."""
        import numpy as np

        named = {_INPUT + name: _plain(tensor) for name, tensor in self.inputs.items()}
        named |= {_OUTPUT + name: _plain(tensor) for name, tensor in self.outputs.items()}
        np.savez_compressed(folder / FILE, **named)
        return FILE


def read(path: Path) -> Sample:
    """Read a sample; nothing in it is run.

    Raises:
        SampleError: it is none.
    """
    import numpy as np

    found: dict[str, dict[str, Any]] = {_INPUT: {}, _OUTPUT: {}}
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            for name, tensor in file.items():
                kind = _INPUT if name.startswith(_INPUT) else _OUTPUT
                whole = tensor.astype(object) if tensor.dtype.kind == "U" else tensor
                found[kind][name.removeprefix(kind)] = whole
    except Exception as error:  # of any kind: of zip, of numpy
        raise SampleError(f"{path.name} is no sample: {error}") from None
    return Sample(found[_INPUT], found[_OUTPUT])


def difference(expected: "Tensors", found: "Tensors") -> float:
    """By how much answers differ at most, as a share of the largest number in that output.

    A text or a whole number that differs counts as 1, what is no number as infinite.

    Args:
        expected: the original model's, by name.
        found: what it is compared with.
    """
    return max((_apart(expected[name], found.get(name)) for name in expected), default=0.0)


def _apart(expected: Any, found: Any) -> float:
    import numpy as np

    if found is None or expected.shape != found.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    if expected.dtype.kind not in "fc" or found.dtype.kind not in "fc":
        return float(np.any(expected.astype(str) != found.astype(str)))
    apart = np.abs(expected.astype("float64") - found.astype("float64"))
    largest = float(np.max(apart)) / max(float(np.max(np.abs(expected))), 1e-6)
    return largest if np.isfinite(largest) else float("inf")


def is_finite(outputs: "Tensors") -> bool:
    """Whether all numbers are numbers."""
    import numpy as np

    return all(tensor.dtype.kind != "f" or np.isfinite(tensor).all() for tensor in outputs.values())


def _plain(tensor: Any) -> Any:
    return tensor.astype(str) if tensor.dtype.kind == "O" else tensor
