"""What a kind of state is: how it is taken, put back and compared, and which code it belongs to."""

import importlib
import io
import logging
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from cloudpickle.cloudpickle import _extract_code_globals

FOLDER = "{podline folder}"  # stands for the working directory, which is another in each stage


@dataclass(frozen=True)
class Kind:
    """A kind of state; two of its states are equal if their pickles are.

    Attributes:
        name: the key under which it is stored.
        module: the module that holds it; no state while that is not imported.
        take: return the state; {}: as it is in a fresh process.
        put: set it.
        generator: whether it is the state of a random generator.
        words: what stands in cells that use the module, where importing it for nothing would
            cost; none: it is cheap.
        split: the state is a dict, of which each item is stored and compared by itself.
        own: whether the notebook may have changed an item, where libraries change theirs when they
            are imported; given the item and the cells' text.
        deliberate: what stands in cells that mean to change it, a regular expression: side by side,
            only such a change counts.
        concerns: what stands in cells that go by it, a regular expression, where a change concerns
            no others; then two stages have set it alike where they mean to by the same text.
    """

    name: str
    module: str
    take: Callable[[Path], Any]
    put: Callable[[Any, Path], None]
    generator: bool = False
    words: tuple[str, ...] = ()
    split: bool = False
    own: Callable[[str, str], bool] = lambda item, source: True
    deliberate: str = ""
    concerns: str = ""


class Foreign(NamedTuple):
    """Stands in a state for a part that cannot be made again in another process.

    Attributes:
        what: the part, as a message calls it.
        mark: tells it from another one.
    """

    what: str
    mark: object = None


class State(NamedTuple):
    """A state as it is stored: its pickle, and the part of it that cannot be made again, if any."""

    data: bytes
    foreign: str = ""


FRESH = State(cloudpickle.dumps({}))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles a state, and notes what would come back as something else."""

    foreign = ""

    def reducer_override(self, obj: Any) -> Any:
        """Note what another stage would have a copy of, or other names for."""
        if isinstance(obj, Foreign):
            self.foreign = obj.what
        elif isinstance(obj, types.FunctionType) and _goes_by_names(obj):
            self.foreign = f"the function {obj.__qualname__!r}, which uses names of the notebook"
        elif _has_identity(obj):
            self.foreign = f"an object of the class {type(obj).__qualname__!r}"
        return super().reducer_override(obj)


def pickled(state: Any) -> State:
    """Return a state as it is stored."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(state)
    except Exception as error:
        return State(repr(error).encode(), f"what cannot be stored ({error})")
    return State(file.getvalue(), pickler.foreign)


def _goes_by_names(function: types.FunctionType) -> bool:
    """Whether a function of the notebook may see what changes: a copy of it would not."""
    if function.__module__ != "__main__":
        return False
    names = _extract_code_globals(function.__code__)
    values = [function.__globals__[name] for name in names if name in function.__globals__]
    values += [cell.cell_contents for cell in function.__closure__ or ()]
    fixed = types.ModuleType | type | str | int | float | bool | bytes | None
    return not all(isinstance(value, fixed) for value in values)


def _has_identity(obj: Any) -> bool:
    """Whether an object is the notebook's, which may change it: its class, or that of a method."""
    if isinstance(obj, types.BuiltinMethodType):  # `seen.append`, but not `"{:.1f}".format`
        return not isinstance(obj.__self__, types.ModuleType | type | str | None)
    if type(obj).__module__ != "__main__" or isinstance(obj, type | logging.Formatter):
        return False
    return bool(getattr(obj, "__dict__", True))


def module(name: str) -> Any:
    """Import a library that a kind of state is in; it need not be installed."""
    return importlib.import_module(name)
