"""Describe variables so that two processes can compare them: values, types, and who shares what.

Runs inside notebooks under test, so it is one module of the standard library.
"""

import types
from typing import Any

_PLAIN = (bool, int, str, bytes, complex, type(None), range)


class _Describer:
    """Numbers the objects that it meets, so that shared ones show."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.keep: list[Any] = []

    def describe(self, value: Any) -> Any:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("__main__.")
        if isinstance(value, float):
            return [kind, repr(value)]
        if type(value) in _PLAIN:
            return [kind, repr(value)]
        if isinstance(
            value, types.ModuleType | types.FunctionType | type | types.BuiltinFunctionType
        ):
            return [kind, value.__name__]
        if id(value) in self.seen:
            return ["seen", self.seen[id(value)]]
        # Tuples have no identity that two processes would have to agree on.
        if type(value) is not tuple:
            self.seen[id(value)] = len(self.seen)
            self.keep.append(value)
        return [kind, self.content(value, kind)]

    def content(self, value: Any, kind: str) -> Any:
        root = kind.partition(".")[0]
        if root == "numpy":
            return self.numpy(value)
        if root == "pandas":
            return self.pandas(value)
        if root == "keras" and hasattr(value, "get_weights"):
            return [self.describe(w) for w in value.get_weights()]
        if root == "matplotlib":
            return [len(getattr(value, "axes", []) or [])]
        if isinstance(value, dict):
            return [[self.describe(k), self.describe(v)] for k, v in value.items()]
        if isinstance(value, set | frozenset):
            return sorted(repr(self.describe(item)) for item in value)
        if isinstance(value, list | tuple) or type(value).__name__ == "deque":
            return [self.describe(item) for item in value]
        if kind == "logging.Logger":  # it knows all loggers of its process
            return [value.name, value.level]
        if hasattr(value, "__dict__"):
            # Python 3.12 and newer give every wrapped function this; pods and tests may differ.
            names = sorted(vars(value).keys() - {"__type_params__"})
            return [[name, self.describe(vars(value)[name])] for name in names]
        return repr(value)

    def numpy(self, value: Any) -> Any:
        if not hasattr(value, "dtype"):
            return repr(getattr(value, "bit_generator", value) and _state_of(value))
        if value.dtype.hasobject:
            return [str(value.dtype), list(value.shape), [self.describe(v) for v in value.flat]]
        writeable = bool(getattr(value, "flags", None) is not None and value.flags.writeable)
        return [str(value.dtype), list(value.shape), value.tobytes().hex(), writeable]

    def pandas(self, value: Any) -> Any:
        if hasattr(value, "columns"):
            columns = [self.describe(list(value.iloc[:, i])) for i in range(value.shape[1])]
            types_ = [str(dtype) for dtype in value.dtypes]
            return [columns, types_, self.index(value.columns), self.index(value.index)]
        if hasattr(value, "index") and hasattr(value, "dtype"):
            return [[self.describe(v) for v in value], str(value.dtype), self.index(value.index)]
        if hasattr(value, "dtype") and hasattr(value, "names"):
            return self.index(value)
        return repr(value)

    def index(self, index: Any) -> Any:
        about = [type(index).__name__, str(index.dtype), repr(getattr(index, "freq", None))]
        return [*about, [self.describe(v) for v in index], repr(list(index.names))]


def _state_of(value: Any) -> Any:
    generator = getattr(value, "bit_generator", None)
    return generator.state if generator is not None else value


def describe(variables: dict[str, Any]) -> dict[str, Any]:
    """Return a description of variables, by name, that JSON can hold."""
    describer = _Describer()
    return {name: describer.describe(variables[name]) for name in sorted(variables)}
