"""Pickles within a run: objects refer to each other by id, functions keep the notebook's globals.

An object that other objects share is stored once; whoever holds it holds a reference. Functions
and classes of carried cells go by name, so that `isinstance` holds across stages; those of a
stage's own cells go by value, with the notebook's namespace as their globals.
"""

import copyreg
import functools
import hashlib
import io
import json
import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, BinaryIO

import cloudpickle
from cloudpickle.cloudpickle import _extract_code_globals

from podline.frameworks import is_keras_model
from podline.runner import set_order

Namespace = dict[str, Any]  # a notebook's names and what they stand for

# Values without an identity that a program could notice.
_ATOMS = frozenset({
    type(None), bool, int, float, complex, str, bytes, range, type(Ellipsis), type(NotImplemented),
    types.BuiltinFunctionType, types.CodeType, types.ModuleType, slice,
})  # fmt: skip
_VALUES = frozenset({tuple, frozenset, types.MethodType, types.GetSetDescriptorType})


def has_identity(value: Any) -> bool:
    """Whether two names for this object could be told from two equal objects."""
    kind = type(value)
    if kind in _ATOMS or kind in _VALUES:
        return False
    module = kind.__module__
    if module in ("datetime", "decimal", "fractions", "uuid", "pathlib") or (
        module == "numpy" and hasattr(value, "dtype") and kind.__name__ not in ("ndarray", "memmap")
    ):
        return False
    return not (isinstance(value, type) and value.__module__ != "__main__")


@dataclass
class Walk:
    """What an object is made of.

    Attributes:
        print: a hash of its content.
        requires: ids of the objects that it refers to.
        names: the global names that functions in it read.
        parts: the objects in it that others could share, in the order met, by Python's id.
        repeated: whether one of them is met twice, so that the object is no tree.
        placed: whether it holds a path of the working directory.
        arrays: the numpy arrays in it, as far as their memory could be shared.
        opaque: ids of parts that cannot be stored apart from it, with what they are.
    """

    print: str = ""
    requires: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    parts: dict[int, Any] = field(default_factory=dict)
    repeated: bool = False
    placed: bool = False
    arrays: list[Any] = field(default_factory=list)
    opaque: dict[int, Any] = field(default_factory=dict)


class Context:
    """What pickling must know of the notebook: its namespace, carried definitions, objects.

    Attributes:
        namespace: the notebook's names.
        folder: the working directory, which is another in each stage; "": paths stay as they are.
        carried: names of carried functions and classes, by Python's id.
        roots: ids of stored objects, by Python's id.
    """

    def __init__(self, namespace: Namespace, folder: str = "") -> None:
        self.namespace, self.folder = namespace, folder
        self.carried: dict[int, str] = {}
        self.roots: dict[int, str] = {}


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, file: Any, context: Context, own: frozenset[int], walk: Walk) -> None:
        super().__init__(file, protocol=5)
        self.globals_ref[id(context.namespace)] = context.namespace
        self.context, self.own, self.walk = context, own, walk
        self.keep: list[Any] = []  # an id is only good while its object lives
        self.sets: dict[int, _Set] = {}

    def persistent_id(self, obj: Any) -> Any:
        if type(obj) in _ATOMS:
            if type(obj) is str and self.context.folder and self.context.folder in obj:
                self.walk.placed = True
                return ("path", obj.split(self.context.folder))
            # `np.nan in values` is true only of the very object.
            return ("nan",) if obj is _nan() else None
        known = id(obj)
        if obj is self.context.namespace:
            return ("namespace",)
        if known in self.context.carried and known not in self.own:
            self.walk.names.add(self.context.carried[known])
            return ("name", self.context.carried[known])
        if known in self.context.roots and known not in self.own:
            self.walk.requires.add(self.context.roots[known])
            return ("object", self.context.roots[known])
        return self.visit(obj)

    def visit(self, obj: Any) -> Any:
        # Not by reducer_override, which is not asked about sets.
        return ("set", self.sets.setdefault(id(obj), _Set(obj))) if type(obj) is set else None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, types.FunctionType):
            if obj.__code__ is _DISPATCHING.__code__:
                registry = dict(obj.registry)  # type: ignore[attr-defined]
                return _dispatch, (registry.pop(object),), registry, None, None, _fill_dispatch
            if obj.__globals__ is self.context.namespace:
                self.walk.names |= set(_extract_code_globals(obj.__code__))
                return self.reduce_function(obj)
        elif isinstance(obj, PurePath):
            return type(obj), (str(obj),)  # one text, not one for each part
        elif isinstance(obj, io.IOBase) and not isinstance(obj, io.StringIO | io.BytesIO):
            raise pickle.PicklingError("an open file belongs to the process that opened it")
        elif isinstance(obj, functools.cached_property):
            return _cached_property, (obj.func, obj.attrname)
        elif isinstance(obj, _CACHED):
            # What is in the cache cannot be had: it is computed again.
            return _cache, (obj.__wrapped__, obj.cache_parameters())
        elif isinstance(obj, type):
            _refuse_hooks(obj)
        elif type(obj).__name__ == "memmap" and getattr(obj, "mode", "") in ("r+", "w+"):
            raise pickle.PicklingError("what is written to it would not reach its file")
        elif _is_array(obj) and not (obj.flags.writeable or obj.flags.forc):
            obj = obj.copy()  # of parts of others, numpy forgets that they are read-only
            obj.flags.writeable = False
            return obj.__reduce_ex__(5)
        elif isinstance(obj, types.CellType):
            contents = (obj.cell_contents,) if _is_filled(obj) else ()
            return (types.CellType, (), contents, None, None, _fill_cell)
        elif isinstance(obj, types.ModuleType):
            return NotImplemented if obj.__name__ != "__main__" else (_main, ())
        return super().reducer_override(obj)

    def reduce_function(self, function: types.FunctionType) -> Any:
        """By value, with the namespace itself as the globals and the cells as they are shared."""
        state = {name: getattr(function, name) for name in _FUNCTION_STATE}
        namespace = self.context.namespace
        arguments = (function.__code__, namespace, function.__name__, function.__closure__)
        return (_make_function, arguments, (state, function.__dict__), None, None, _fill_function)


class _Set:
    """Stands for a set, which comes back in the same order."""

    __slots__ = ("values",)

    def __init__(self, values: set[Any] | None = None) -> None:
        self.values = set() if values is None else values

    def __reduce__(self) -> Any:
        return _Set, (), set_order.layout(self.values)

    def __setstate__(self, layout: tuple[int, list[int], list[Any]]) -> None:
        set_order.fill(self.values, *layout)


_CACHED = type(functools.lru_cache(lambda: None))


def _cached_property(function: Callable[..., Any], name: str) -> Any:
    made = functools.cached_property(function)
    made.__set_name__(object, name)
    return made


def _cache(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


# What `singledispatch` makes of a function is a closure around weak references.
_DISPATCHING: Any = functools.singledispatch(lambda value: None)


def _dispatch(function: Callable[..., Any]) -> Any:
    return functools.singledispatch(function)


def _fill_dispatch(dispatching: Any, registry: dict[type, Callable[..., Any]]) -> None:
    for kind, function in registry.items():
        dispatching.register(kind, function)


def _refuse_hooks(kind: type) -> None:
    """Refuse a class whose making has effects: to load it is to make it a second time."""
    hooked = type(kind).__module__ == "__main__" or any(
        "__init_subclass__" in vars(base) and base.__module__ == "__main__"
        for base in kind.__mro__[1:]
    )
    if kind.__module__ == "__main__" and hooked:
        raise pickle.PicklingError(
            f"to load the class {kind.__name__!r} would run its metaclass or __init_subclass__ "
            "again; move both to a cell tagged functions"
        )


_FUNCTION_STATE = (
    "__qualname__", "__defaults__", "__kwdefaults__", "__annotations__", "__doc__", "__module__",
)  # fmt: skip


def _make_function(
    code: types.CodeType, namespace: Namespace, name: str, closure: Any
) -> types.FunctionType:
    return types.FunctionType(code, namespace, name, None, closure)


def _fill_function(function: types.FunctionType, state: Any) -> None:
    attributes, own = state
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(own)


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises where the variable is not bound yet
    except ValueError:
        return False
    return True


def _fill_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    for value in contents:
        cell.cell_contents = value


def _nan() -> Any:
    """The one NaN of numpy, if numpy is there."""
    return getattr(sys.modules.get("numpy"), "nan", _nan)


def _main() -> types.ModuleType:
    import __main__

    return __main__


class _Walker(_Pickler):
    """Pickles into a hash, and notes what it meets."""

    def visit(self, obj: Any) -> Any:
        if type(obj) in _VALUES:
            return None
        self.keep.append(obj)
        if has_identity(obj):
            if id(obj) in self.walk.parts:
                self.walk.repeated = True
            self.walk.parts[id(obj)] = obj
        if (digest := _digest_array(obj, self.walk)) is not None:
            return digest
        return _digest_whole(obj, self.walk, self.context)


def _is_array(obj: Any) -> bool:
    """Whether an object is an array of numpy's without Python objects, told without numpy."""
    kind = type(obj)
    is_array = kind.__name__ == "ndarray" and kind.__module__ == "numpy"
    return is_array and not obj.dtype.hasobject


def _digest_array(obj: Any, walk: Walk) -> Any:
    """Hash a numpy array's own bytes: pickling would copy them."""
    if not _is_array(obj):
        return None
    walk.arrays.append(obj)
    order = "C" if obj.flags.c_contiguous else "F" if obj.flags.f_contiguous else ""
    data = obj if order == "C" else obj.T if order == "F" else obj.copy()
    digest = hashlib.sha256(data.reshape(-1).view("u1").data if data.size else b"").hexdigest()
    return ("array", digest, obj.dtype.str, repr(obj.dtype.descr), obj.shape, order)


def _digest_whole(obj: Any, walk: Walk, context: Context) -> Any:
    """Hash what is stored whole: its inner arrays are nobody else's business."""
    module = type(obj).__module__.partition(".")[0]
    if module == "pandas" and hasattr(obj, "_mgr"):
        # Copy-on-write: frames that share memory do not show it.
        data = pickle.dumps(obj, protocol=5)
        if context.folder and context.folder.encode() in data:
            raise pickle.PicklingError(
                "it holds paths of the working directory, which is another in each stage; use "
                "paths relative to it"
            )
        return ("pandas", hashlib.sha256(data).hexdigest())
    if is_keras_model(obj):
        walk.names |= own_code(obj, context.namespace).keys()
        for part in [*obj._flatten_layers(include_self=False), getattr(obj, "optimizer", None)]:
            if part is not None:
                walk.opaque[id(part)] = part
        return ("keras", _digest_model(obj))
    return None


def own_code(model: Any, namespace: Namespace) -> dict[str, Any]:
    """The notebook's own classes and functions that a Keras model's description names."""
    text = _description(model)
    return {
        name: value
        for name, value in namespace.items()
        if isinstance(value, type | types.FunctionType)
        and value.__module__ == "__main__"
        and f'"{value.__name__}"' in text
    }


def _description(model: Any) -> str:
    try:
        return f"{model.to_json()} {json.dumps(model.get_compile_config(), default=repr)}"
    except Exception:  # a model without a config: its weights tell
        return f'"{type(model).__name__}"'


def _digest_model(model: Any) -> str:
    digest = hashlib.sha256(_description(model).encode())
    variables = list(model.variables)
    if getattr(model, "optimizer", None) is not None:
        variables += model.optimizer.variables
    for variable in variables:
        digest.update(bytes(memoryview(variable.numpy())))
    return digest.hexdigest()


class _HashFile:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)


def walk(value: Any, context: Context, own: frozenset[int] | None = None) -> Walk:
    """Look through an object.

    Raises:
        Exception: whatever pickling one of its parts raises.
    """
    result, sink = Walk(), _HashFile()
    if isinstance(value, type):
        copyreg._slotnames(value)  # type: ignore[attr-defined]  # pickling an instance notes these
    walker = _Walker(sink, context, own if own is not None else frozenset({id(value)}), result)
    walker.dump(value)
    result.print = sink.hash.hexdigest()
    result.parts.pop(id(value), None)
    result.arrays = [array for array in result.arrays if array is not value] + (
        [value] if any(array is value for array in result.arrays) else []
    )
    return result


def dump(values: dict[str, Any], context: Context, file: BinaryIO) -> None:
    """Pickle objects by id; those that are not among them are referred to."""
    own = frozenset(map(id, values.values())) - context.carried.keys()
    _Pickler(file, context, own, Walk()).dump(values)


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        file: BinaryIO,
        name: Callable[[str | None], Any],
        resolve: Callable[[str], Any],
        folder: str,
    ) -> None:
        super().__init__(file)
        self.name, self.resolve, self.folder = name, resolve, folder

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__" and "." not in name:
            return self.name(name)
        return super().find_class(module, name)

    def persistent_load(self, reference: Any) -> Any:
        kind, *rest = reference
        if kind == "namespace":
            return self.name(None)
        if kind == "nan":
            import numpy as np

            return np.nan
        if kind == "name":
            return self.name(rest[0])
        if kind == "set":
            return rest[0].values
        if kind == "path":
            return self.folder.join(rest[0])
        return self.resolve(rest[0])


def load(
    file: BinaryIO,
    name: Callable[[str | None], Any],
    resolve: Callable[[str], Any],
    folder: str = "",
) -> Any:
    """Load objects by id.

    Args:
        file: what `dump` wrote; its hash must have been checked.
        name: gives what a name stands for; for None, the namespace itself.
        resolve: gives the other objects that they refer to, by id.
        folder: the working directory.
    """
    return _Unpickler(file, name, resolve, folder).load()
