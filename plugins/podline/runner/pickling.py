"""Pickles within a run: objects refer to each other by id, functions keep the notebook's globals.

An object that other objects share is stored once; whoever holds it holds a reference. Functions
and classes of the preamble go by name, so that `isinstance` holds across stages; those of a
stage's own cells go by value, with the notebook's namespace as their globals:

    factor = 2
    def scale(x): return x * factor    # stage 1
    factor = 3; scale(1)               # stage 2 must show 3

A function that is pickled with copies of the globals that it reads, as cloudpickle does by
itself, would show 2 there.

Pickle's own limits stay: what it refuses, such as a lock or a generator, cannot leave its stage.
"""

import contextlib
import copyreg
import functools
import hashlib
import io
import pickle
import sys
import types
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, BinaryIO

import cloudpickle
from cloudpickle.cloudpickle import _extract_code_globals

from podline.runner import array_views, caches, lifetimes, named_objects, set_order

Namespace = dict[str, Any]  # a notebook's names and what they stand for
Objects = dict[str, Any]  # by id
# To an object by its id, or to one of a bundle by that and its place.
Reference = tuple[str, str] | tuple[str, str, int]

# Calls inside one another, by which pickle goes from object to object: four of them for each. The
# stack of 8 MB has room for 40,000.
_DEEPEST = 10_000

# Values without an identity that a program could notice.
_ATOMS = {bool, int, float, complex, str, bytes, range, slice}
_ATOMS |= {type(None), type(Ellipsis), type(NotImplemented)}
_ATOMS |= {types.BuiltinFunctionType, types.CodeType, types.ModuleType}
_VALUE_MODULES = {"datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo"}
# The same, but there may be objects in them that have one.
VALUES = {tuple, frozenset, types.MethodType, types.GetSetDescriptorType}


def has_identity(value: Any) -> bool:
    """Whether two names for this object could be told from two equal objects.

    Only such an object needs an id. After `a = b = []` a change by `a` shows in `b`, and must in
    later stages; after `a = b = 1` there is no way to change the number. Classes and functions
    of libraries have none either: each process imports its own.
    """
    kind: Any = type(value)
    if _is_value(kind):
        return False
    imported = isinstance(value, type) or (
        isinstance(value, types.FunctionType) and "<" not in value.__qualname__
    )
    return not (imported and value.__module__ != "__main__") and not caches.is_imported(value)


def is_constant(value: Any) -> bool:
    """Whether an object cannot change: it has no identity, and nothing inside that may."""
    return not has_identity(value) and not isinstance(value, tuple | frozenset)


@functools.cache
def _is_value(kind: type) -> bool:
    """Whether objects of a type have no identity."""
    module, name = kind.__module__, kind.__name__
    return (
        kind in _ATOMS
        or kind in VALUES
        or module.partition(".")[0] in _VALUE_MODULES
        or (module == "numpy" and hasattr(kind, "dtype") and name not in ("ndarray", "memmap"))
        or module.startswith("pandas._libs.tslibs")  # timestamps and their like
        or module == "pandas._libs.missing"
    )


class Bundle(list[Any]):
    """What several objects share, stored together: they refer to each part by its place."""


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
        memory: those that are the memory of data frames in it, and are changed through these.
        alone: ids of those of which pandas does not know that others share them: it writes there.
        inner: ids of those that no other object can hold.
        apart: ids of objects that are no parts: each holder is to get a copy.
        manager: what holds labels and cells of the object, if it is a frame of pandas.
        labels: the objects that are its labels, with the manager's number of the axis.
        opaque: ids of parts that cannot be stored apart from it, with what they are.
        weak: the objects in it that hold others weakly.
    """

    print: str = ""
    requires: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    parts: dict[int, Any] = field(default_factory=dict)
    repeated: bool = False
    placed: bool = False
    arrays: list[Any] = field(default_factory=list)
    memory: list[Any] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)
    inner: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)
    manager: Any = None
    labels: dict[str, int] = field(default_factory=dict)
    opaque: dict[int, Any] = field(default_factory=dict)
    weak: list[Any] = field(default_factory=list)


class Context:
    """What pickling must know of the notebook: its namespace, the preamble's definitions, objects.

    Objects are known by Python's id, so whoever fills these must keep them alive.

    Attributes:
        namespace: the notebook's names.
        folder: the working directory, which is another in each stage; "": paths stay as they are.
        annotations: whether those of functions count.
        forget: take caches of functions that only compute for empty.
        preamble: ids of what it made and each stage makes again, by Python's id.
        roots: references to stored objects, by Python's id.
        views: of arrays that share memory, the array that owns it, by Python's id.
    """

    def __init__(self, namespace: Namespace, folder: str = "", annotations: bool = True) -> None:
        self.namespace, self.folder, self.annotations = namespace, folder, annotations
        self.forget = False
        self.preamble: dict[int, str] = {}
        self.roots: dict[int, Reference] = {}
        self.views: dict[int, Any] = {}

    def refer(self, object_id: str, value: Any) -> None:
        """Refer to an object by its id from now on, and to the parts of a bundle by their places.

        What is in a bundle stays so, whatever other name it gets.
        """
        if isinstance(value, Bundle):
            for place, part in enumerate(value):
                self.roots.setdefault(id(part), ("object", object_id, place))
        self.roots.setdefault(id(value), ("object", object_id))

    def own(self, values: Objects) -> set[int]:
        """Python's ids of what is written out as these objects; to all else they refer.

        A further name for what is known already, such as what the preamble makes or a part of a
        bundle, is but a reference.
        """
        own = set()
        for object_id, value in values.items():
            known = self.roots.get(id(value), ("object", object_id)) != ("object", object_id)
            if not known and id(value) not in self.preamble:
                own.add(id(value))
                own.update(map(id, value) if isinstance(value, Bundle) else ())
        return own

    def id_of(self, value: Any) -> str:
        """The id that an object is stored under by itself; "": it is not."""
        _, object_id, *place = self.roots.get(id(value), ("", ""))
        return "" if place else str(object_id)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles what is an object's own, and refers to the rest.

    `own` are the objects to write out though they are known: those that this pickle is of.
    """

    def __init__(self, file: Any, context: Context, own: Set[int], walk: Walk) -> None:
        super().__init__(file, protocol=5)
        self.globals_ref[id(context.namespace)] = context.namespace
        self.context, self.own, self.walk = context, own, walk
        self.keep: list[Any] = []  # an id is only good while its object lives
        self.sets: dict[int, _Set] = {}

    def dump(self, obj: Any) -> None:
        """Pickle an object, in which as many objects may be inside one another as in Python 3.13.

        Raises:
            Exception: whatever pickling one of its parts raises.
        """
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, _DEEPEST))
        try:
            super().dump(obj)
        finally:
            sys.setrecursionlimit(limit)

    def persistent_id(self, obj: Any) -> Any:
        """What stands for an object in the pickle; None: the object is written out."""
        kind = type(obj)
        if kind in _ATOMS:
            if kind is str and self.context.folder and self.context.folder in obj:
                self.walk.placed = True
                return ("path", obj.split(self.context.folder))
            # `np.nan in values` is true only of the very object.
            return ("nan",) if kind is float and obj is _nan() else None
        known = id(obj)
        if obj is self.context.namespace:
            return ("name", None)
        if known not in self.own:
            if made := self.context.preamble.get(known):
                self.walk.requires.add(made)
                return ("made", made)
            if root := self.context.roots.get(known):
                self.walk.requires.add(root[1])
                return root
        return self.visit(obj)

    def visit(self, obj: Any) -> Any:
        """What stands for an object that nothing else refers to, if not itself."""
        # Not by reducer_override, which is not asked about sets.
        return ("set", self.sets.setdefault(id(obj), _Set(obj))) if type(obj) is set else None

    def reducer_override(self, obj: Any) -> Any:
        """How to make an object again, where pickle and cloudpickle would lose something.

        Raises:
            PicklingError: it is an open file, writes to one, is a class whose making has effects,
                or holds weakly what cannot be kept.
        """
        if lifetimes.is_weak(obj):
            self.walk.weak.append(obj)
            made_of, arguments, *filling = lifetimes.reduce(obj)
            return made_of, arguments, *filling, *([_fill_weak] if filling else [])
        if isinstance(obj, types.FunctionType):
            if obj.__code__ is _DISPATCHING.__code__:
                registry = dict(obj.registry)  # type: ignore[attr-defined]
                own = (registry.pop(object),)
                return functools.singledispatch, own, registry, None, None, _fill_dispatch
            if obj.__globals__ is self.context.namespace:
                self.walk.names |= set(_extract_code_globals(obj.__code__))
                return self.reduce_function(obj)
        elif isinstance(obj, PurePath):
            return type(obj), (str(obj),)  # one text, not one for each part
        elif isinstance(obj, io.IOBase) and not isinstance(obj, io.StringIO | io.BytesIO):
            raise pickle.PicklingError("an open file belongs to the process that opened it")
        elif isinstance(obj, functools.cached_property):
            return _cached_property, (obj.func, obj.attrname)
        elif isinstance(obj, caches.KIND) and (id(obj) in self.own or not caches.is_imported(obj)):
            made_of = obj.cache_parameters()
            state = caches.state_of(obj, self.context.forget)
            return caches.empty, tuple(made_of.values()), state, None, None, _fill
        elif isinstance(obj, type):
            _refuse_hooks(obj)
            if obj.__module__ == "__main__":  # what is made when it is first asked for
                getattr(obj, "__annotations__", copyreg._slotnames(obj))  # type: ignore[attr-defined]
        elif type(obj).__name__ == "memmap" and getattr(obj, "mode", "") in ("r+", "w+"):
            raise pickle.PicklingError("what is written to it would not reach its file")
        elif isinstance(obj, memoryview):
            raise pickle.PicklingError("it shows another object's memory, and would show a copy")
        elif id(obj) in self.context.views:
            owner = self.context.views[id(obj)]
            return array_views.make_view, (array_views.view_of(obj, owner), owner)
        elif is_array(obj) and not (obj.flags.writeable or obj.flags.forc):
            obj = obj.copy()  # of parts of others, numpy forgets that they are read-only
            obj.flags.writeable = False
            return obj.__reduce_ex__(5)
        elif isinstance(obj, types.CellType):
            contents: tuple[Any, ...] = ()
            with contextlib.suppress(ValueError):  # the variable is not bound yet
                contents = (obj.cell_contents,)
            return (types.CellType, (), contents, None, None, _fill_cell)
        elif type(obj).__module__[:7] == "pandas." and "_cache" in getattr(obj, "__dict__", ()):
            made, of, *state = obj.__reduce_ex__(5)
            if state and type(state[0]) is dict:
                # What was worked out since is no change; it is worked out again.
                state[0] = {n: v for n, v in state[0].items() if n != "_cache"}
            return made, of, *state
        elif isinstance(obj, types.ModuleType):
            return NotImplemented if obj.__name__ != "__main__" else (_main, ())
        elif getattr(obj, "__module__", "") == "__main__" and named_objects.goes_by_name(obj):
            return named_objects.by_value(obj)
        return super().reducer_override(obj)

    def reduce_function(self, function: types.FunctionType) -> Any:
        """By value, with the namespace itself as the globals and the cells as they are shared.

        The function is made first and filled afterwards, since a default, an attribute or a cell
        may hold the function itself.
        """
        state = {name: getattr(function, name) for name in _FUNCTION_STATE}
        if not self.context.annotations:
            del state["__annotations__"]
        name, closure = function.__name__, function.__closure__
        made_of = (function.__code__, self.context.namespace, name, None, closure)
        return types.FunctionType, made_of, (state, function.__dict__), None, None, _fill_function


class _Set:
    """Stands for a set, which comes back in the same order.

    It holds the set to fill before the elements are there, as one of them may hold the set.
    """

    __slots__ = ("values",)

    def __init__(self, values: set[Any] | None = None) -> None:
        self.values = set() if values is None else values

    def __reduce__(self) -> Any:
        return _Set, (), set_order.layout(self.values)

    def __setstate__(self, layout: tuple[int, list[int], list[Any]]) -> None:
        set_order.fill(self.values, *layout)


def _cached_property(function: Callable[..., Any], name: str) -> Any:
    made = functools.cached_property(function)
    made.__set_name__(object, name)
    return made


# What `singledispatch` makes of a function is a closure around weak references.
_DISPATCHING: Any = functools.singledispatch(lambda value: None)


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


_FUNCTION_STATE = [
    f"__{name}__" for name in ["qualname", "defaults", "kwdefaults", "annotations", "doc", "module"]
]


def _fill_function(function: types.FunctionType, state: Any) -> None:
    attributes, own = state
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(own)


def _fill(cache: Any, state: caches.State) -> None:
    """Stands for `caches.fill` in a pickle."""
    caches.fill(cache, state)


def _fill_weak(weak: Any, items: list[Any]) -> None:
    """Stands for `lifetimes.fill` in a pickle."""
    lifetimes.fill(weak, items)


_LAST: dict[str, Callable[..., None]] = {_fill.__name__: _fill, _fill_weak.__name__: _fill_weak}


def _fill_cell(cell: types.CellType, contents: tuple[Any, ...]) -> None:
    for value in contents:
        cell.cell_contents = value


def _nan() -> Any:
    """The one NaN of numpy, if numpy is there."""
    return getattr(sys.modules.get("numpy"), "nan", _nan)


def _main() -> types.ModuleType:
    import __main__

    return __main__


def is_array(obj: Any) -> bool:
    """Whether an object is an array of numpy's without Python objects, told without numpy."""
    kind = type(obj)
    is_array = kind.__name__ == "ndarray" and kind.__module__ == "numpy"
    return is_array and not obj.dtype.hasobject


def digest_array(obj: Any) -> Any:
    """Hash a numpy array's own bytes, since pickling would copy them; None: it is no such array.

    Their order in memory counts as well: it shows in the flags, and in the last bits of sums.
    """
    if not is_array(obj):
        return None
    order = "C" if obj.flags.c_contiguous else "F" if obj.flags.f_contiguous else ""
    data = obj if order == "C" else obj.T if order == "F" else obj.copy()
    digest = hashlib.sha256(data.reshape(-1).view("u1").data if data.size else b"").hexdigest()
    return ("array", digest, obj.dtype.str, repr(obj.dtype.descr), obj.shape, order)


def dump(values: Objects, context: Context, file: BinaryIO) -> Walk:
    """Pickle objects by id; those that are not among them are referred to.

    Args:
        values: the objects, by id.
        context: what is known of the notebook. What the preamble makes is referred to even if
            it is among the objects.
        file: where to.

    Returns:
        What the pickle refers to.

    Raises:
        Exception: whatever pickling one of their parts raises.
    """
    walk = Walk()
    Pickler(file, context, context.own(values), walk).dump(values)
    return walk


class _Unpickler(pickle.Unpickler):
    """Gives what `Pickler` referred to: see `load`."""

    def __init__(
        self,
        file: BinaryIO,
        name: Callable[[str | None], Any],
        resolve: Callable[[str], Any],
        folder: str,
    ) -> None:
        super().__init__(file)
        self.name, self.resolve, self.folder = name, resolve, folder
        self.last: list[Callable[[], None]] = []

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in _LAST:
            return lambda *filled: self.last.append(functools.partial(_LAST[name], *filled))
        if module == "__main__" and "." not in name:
            return self.name(name)
        return super().find_class(module, name)

    def persistent_load(self, reference: Any) -> Any:
        kind, *rest = reference
        if kind == "nan":
            import numpy as np

            return np.nan
        if kind in ("name", "made"):
            return self.name(rest[0])
        if kind == "set":
            return rest[0].values
        if kind == "path":
            return self.folder.join(rest[0])
        found = self.resolve(rest[0])
        return found[rest[1]] if rest[1:] else found


def load(
    file: BinaryIO,
    name: Callable[[str | None], Any],
    resolve: Callable[[str], Any],
    folder: str = "",
) -> Any:
    """Load objects by id.

    Args:
        file: what `dump` wrote; its hash must have been checked.
        name: gives what a name stands for, or an id of the preamble; for None, the namespace.
        resolve: gives the other objects that they refer to, by id.
        folder: the working directory.

    Returns:
        The objects by id, as `dump` got them.

    Raises:
        Exception: whatever making one of them again raises.
    """
    unpickler = _Unpickler(file, name, resolve, folder)
    loaded = unpickler.load()
    # Only now: to look up a key runs its methods, and those may be loaded after it.
    for fill in unpickler.last:
        fill()
    return loaded
