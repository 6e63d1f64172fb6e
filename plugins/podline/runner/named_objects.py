"""Objects that pickle as a name of their module, such as `UserId = NewType("UserId", int)`.

Their module is the notebook, whose names stand for other objects in the next stage: so they are
made again from what they are.
"""

import copyreg
from collections.abc import Callable
from typing import Any

_REDUCERS = {"__reduce__", "__reduce_ex__"}


def goes_by_name(obj: Any) -> bool:
    """Whether an object says that it is a global of the notebook: it would refer to itself."""
    own = any(vars(kind).keys() & _REDUCERS for kind in type(obj).__mro__[:-1])
    return own and isinstance(obj.__reduce_ex__(5), str)


def by_value(obj: Any) -> tuple[Any, ...]:
    """How to make such an object again, as `__reduce__` says it."""
    kind, state = type(obj), {"__module__": obj.__module__}
    if kind.__name__ == "NewType":
        state["__qualname__"] = obj.__qualname__
        return kind, (obj.__name__, obj.__supertype__), state
    if kind.__name__ in ("ParamSpec", "TypeVar", "TypeVarTuple"):
        options = {name: getattr(obj, f"__{name}__", None) for name in _OPTIONS}
        return _made, (kind, (obj.__name__,), {n: v for n, v in options.items() if v})
    if kind.__name__ == "TypeAliasType":
        named = {"type_params": obj.__type_params__}
        return _made, (kind, (obj.__name__, obj.__value__), named)
    return copyreg.__newobj__, (kind,), obj.__getstate__()  # type: ignore[attr-defined]


_OPTIONS = ("bound", "covariant", "contravariant")


def _made(kind: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Make an object of the notebook's, which takes its module from where it is called.

    Args:
        kind: its class.
        arguments: what that takes.
        named: the same, by name.
    """
    names = {"__name__": "__main__", "made": kind, "arguments": arguments, "named": named}
    return eval("made(*arguments, **named)", names)
