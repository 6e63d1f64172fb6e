"""Objects whose end a program can notice, by weak references or a `__del__`, and what keeps them.

In one kernel an object ends when nothing holds it any more. Here a stage's objects end with its
process, and what it loaded is held until then:

    seen = WeakSet(); a = Node(); seen.add(a)    # the next stage gets `seen`, and `a` along with it
    del a; print(len(seen))                      # 0; but here `a` would live on

So what is only weakly held is handed on with a name that keeps it, or refused; and a stage that
lets go of such an object is refused, too.
"""

import gc
import pickle
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_CONTAINERS = (weakref.WeakSet, weakref.WeakValueDictionary, weakref.WeakKeyDictionary)
_HOLDING = frozenset({weakref.ref, *_CONTAINERS})
_PROXIES = (weakref.ProxyType, weakref.CallableProxyType)
_WEAK = frozenset({*_HOLDING, *_PROXIES, weakref.finalize})
_PLAIN = frozenset({"__main__", "_weakrefset", "builtins", "collections", "types", "weakref"})
# What leads to all that there is.
_OURS = frozenset({"IPython", "ipykernel", "podline", "traitlets"})

_restored: list[type] = []  # of what was made again that holds weakly


def is_weak(obj: Any) -> bool:
    """Whether an object holds others weakly."""
    return type(obj) in _WEAK


def held(obj: Any) -> list[Any]:
    """The objects that a weak one holds and that are still there."""
    if isinstance(obj, weakref.ref):
        return [value for value in [obj()] if value is not None]
    return [*(obj.values() if isinstance(obj, weakref.WeakValueDictionary) else obj)]


def reduce(obj: Any) -> tuple[Any, ...]:
    """How to make a weak object again; what it holds must be kept by others.

    Raises:
        PicklingError: it is a proxy, or calls back.
    """
    if isinstance(obj, _PROXIES):
        raise pickle.PicklingError("a weak proxy cannot be told from what it stands for")
    if isinstance(obj, weakref.finalize):
        if obj.alive:
            raise pickle.PicklingError("what it calls at an object's end would not be called")
        return _ended, ()
    if isinstance(obj, weakref.ref):
        if obj.__callback__ is not None:
            raise pickle.PicklingError("what it calls at its object's end would not be called")
        return refer, (obj(),)
    items = [*(obj if isinstance(obj, weakref.WeakSet) else obj.items())]
    return type(obj), (), items, None, None


def refer(value: Any) -> Any:
    """Refer weakly to an object; None: to one that is gone."""
    made = weakref.ref(set() if value is None else value)
    _restored.append(type(made))
    return made


def _ended() -> Any:
    ended: Any = weakref.finalize(set(), print)
    ended.detach()
    return ended


def fill(weak: Any, items: list[Any]) -> None:
    """Fill a container of weak references."""
    _restored.append(type(weak))
    for item in items:
        weak.add(item) if isinstance(weak, weakref.WeakSet) else weak.__setitem__(*item)


# -- what keeps what


def reach(roots: Iterable[Any], own: bool = False) -> dict[int, Any]:
    """What objects hold and so keep, those themselves among it, by Python's id.

    Args:
        roots: the objects. What modules and libraries hold, and a notebook's namespace where
            functions lead to it, is left out.
        own: leave out what is in libraries' objects.
    """
    seen: dict[int, Any] = {}
    queue = [*roots]
    while queue:
        one = queue.pop()
        if id(one) in seen or _leads_out(one) or (own and type(one).__module__ not in _PLAIN):
            continue
        seen[id(one)] = one
        queue += _holds(one)
    return seen


def _leads_out(one: Any) -> bool:
    kind: Any = type(one)
    if kind is types.FunctionType or issubclass(kind, type):
        return bool(one.__module__ != "__main__")
    frames = kind is types.ModuleType or kind is types.FrameType
    return frames or str(kind.__module__).partition(".")[0] in _OURS


def _holds(one: Any) -> list[Any]:
    if isinstance(one, types.FunctionType):
        return [one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__]
    if type(one).__name__ == "ndarray" and one.dtype.hasobject:  # unknown to the collector
        return [*one.ravel().tolist()]
    return gc.get_referents(one)


def let_go(namespace: Mapping[str, Any], loaded: Iterable[Any], source: str, preamble: str) -> Any:
    """Return an object that cells let go of, where a program could notice; None: there is none.

    Args:
        namespace: the notebook's names.
        loaded: what the stage loaded, which is still there.
        source: the text of its cells.
        preamble: that of the statements that it ran before.
    """
    ends = any(map(_notices_end, namespace.values()))
    asks = "weakref" in source
    if not (ends or asks or _restored or "weakref" in preamble):
        return None
    kept, left = reach(namespace.values()), reach(loaded)
    weak = [one for one in reach(namespace.values(), own=True).values() if type(one) in _HOLDING]
    gone = [o for one in weak for o in held(one) if id(o) in left and id(o) not in kept]
    # Cells that refer weakly to something may have let go of the reference, too.
    gone += [
        one
        for key, one in left.items()
        if key not in kept and (_notices_end(type(one)) or (asks and type(one).__weakrefoffset__))
    ]
    return gone[0] if gone else None


def _notices_end(kind: Any) -> bool:
    """Whether it is a class of the notebook whose instances have a `__del__`."""
    own = isinstance(kind, type) and kind.__module__ == "__main__"
    return own and isinstance(getattr(kind, "__del__", None), Callable)  # type: ignore[arg-type]


def finalized() -> list[Any]:
    """The objects at whose end a function is to be called, unless it is a library's."""
    alive = [finalizer.peek() for finalizer in [*weakref.finalize._registry]]  # type: ignore[attr-defined]
    own = (None, "builtins", "__main__")
    return [found[0] for found in alive if found and getattr(found[1], "__module__", None) in own]
