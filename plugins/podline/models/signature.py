"""What a model takes and answers, in the words of the Open Inference Protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podline.contract import Json
from podline.exceptions import PodlineError

if TYPE_CHECKING:
    import numpy as np

ANY = -1  # a dimension of any length: the first one is that of the rows

# The protocol's types and numpy's.
_NUMPY = {
    "BOOL": "bool",
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BYTES": "object",
}
_DATATYPES = {name: datatype for datatype, name in _NUMPY.items()}


class InputError(PodlineError):
    """What a model was given is not what it takes."""


@dataclass(frozen=True)
class TensorSpec(Json):
    """An input or an output.

    Attributes:
        name: its name.
        datatype: its type, such as ``FP32``; texts are ``BYTES``.
        shape: the lengths of its dimensions, `ANY` where a length is free.
        columns: what its last dimension holds, by name; none: it was not told.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        shape = ", ".join("any" if length == ANY else str(length) for length in self.shape)
        columns = f" of {', '.join(self.columns)}" if self.columns else ""
        return f"{self.name} ({self.datatype}, shape [{shape}]{columns})"

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of this shape is one."""
        return len(shape) == len(self.shape) and all(
            mine in (ANY, its) for mine, its in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class Signature(Json):
    """What a model takes and answers."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def check(self, given: "Mapping[str, np.ndarray[Any, Any]]") -> None:
        """Check what a request gives.

        Raises:
            InputError: names, types or shapes are not those of the inputs.
        """
        if missing := [spec for spec in self.inputs if spec.name not in given]:
            raise InputError(f"the request lacks the input {missing[0]}")
        known = {spec.name: spec for spec in self.inputs}
        rows = set()
        for name, tensor in given.items():
            if (spec := known.get(name)) is None:
                raise InputError(
                    f"the model has no input {name!r}: it has {', '.join(map(str, self.inputs))}"
                )
            if (datatype := datatype_of(tensor)) != spec.datatype:
                raise InputError(f"the input {name!r} is {datatype}, and the model takes {spec}")
            if not spec.takes(tensor.shape):
                raise InputError(
                    f"the input {name!r} has the shape {[*tensor.shape]}, and the model takes "
                    f"{spec}"
                )
            rows.update(tensor.shape[:1])
        if len(rows) > 1:
            raise InputError(f"the inputs have different numbers of rows: {sorted(rows)}")


def datatype_of(tensor: "np.ndarray[Any, Any]") -> str:
    """The protocol's name of a tensor's type.

    Raises:
        InputError: it has none.
    """
    name = "object" if tensor.dtype.kind in "USO" else tensor.dtype.name
    if name not in _DATATYPES:
        raise InputError(f"the type {name} is none that a request can have")
    return _DATATYPES[name]


def dtype_of(datatype: str) -> str:
    """The name in numpy of the protocol's type.

    Raises:
        InputError: there is no such type.
    """
    if datatype not in _NUMPY:
        raise InputError(f"there is no type {datatype!r}: there are {', '.join(_NUMPY)}")
    return _NUMPY[datatype]
