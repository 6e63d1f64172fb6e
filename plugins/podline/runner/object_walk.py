"""What an object is made of, and a hash of it: by pickling it into nothing.

An object has changed where it would be stored otherwise, so the pickler itself is asked. On its
way it notes what later stages need with the object and what other objects could share with it:

    rows = []
    a = {"rows": rows, "read": lambda: source}

Of `a`, that is the list and the lambda as parts, and the name `source`. The arrays of numpy, the
frames of pandas and the models of Keras are not pickled but hashed, each in its own way.
"""

import functools
import hashlib
import json
import types
from collections.abc import Set
from typing import Any

from podline.frameworks import is_keras_model
from podline.runner import pandas_objects, process_bound
from podline.runner.pickling import (
    VALUES,
    Context,
    Namespace,
    Pickler,
    Walk,
    digest_array,
    has_identity,
)
from podline.runner.process_bound import BOUND

_PLAIN = {list, dict, set}  # in the most objects, there is nothing but these and values


@functools.cache
def _is_array(kind: Any) -> bool:
    """Whether a type is numpy's array, or a class of its kind."""
    return any(b.__name__ == "ndarray" and b.__module__ == "numpy" for b in kind.__mro__)


class _Walker(Pickler):
    """Pickles into a hash, and notes what it meets.

    Objects met for the first time are kept: pickle makes passing ones, whose Python id the next
    would get.
    """

    tolerant = False

    def visit(self, obj: Any) -> Any:
        kind: Any = type(obj)
        if kind in VALUES:
            return None
        if self.tolerant and BOUND.get(type(obj), True) and process_bound.is_bound(obj):
            return ("bound", type(obj), process_bound.state_of(obj))
        self.keep.append(obj)
        if kind in _PLAIN or (has_identity(obj) and id(obj) not in self.walk.apart):
            if id(obj) in self.walk.parts:
                self.walk.repeated = True
            self.walk.parts[id(obj)] = obj
        if kind in _PLAIN:
            return None
        if _is_array(kind) and id(obj) not in self.walk.inner:
            self.walk.arrays.append(obj)
        return digest_array(obj) or _digest_whole(obj, self.walk, self.context)


def _digest_whole(obj: Any, walk: Walk, context: Context) -> Any:
    """Hash what is not hashed by pickling it: an object of pandas, a model of Keras."""
    if type(obj).__module__.partition(".")[0] == "pandas":
        return pandas_objects.digest(obj, walk, context)
    if is_keras_model(obj):
        walk.names |= own_code(obj, context.namespace).keys()
        for part in [*obj._flatten_layers(include_self=False), getattr(obj, "optimizer", None)]:
            if part is not None:
                walk.opaque[id(part)] = part
        return ("keras", _digest_model(obj))
    return None


def own_code(model: Any, namespace: Namespace) -> Namespace:
    """The notebook's own classes and functions that a Keras model's description names.

    Keras stores them by their names, and must be given them to load the model.

    Args:
        model: the Keras model.
        namespace: the notebook's names.

    Returns:
        The classes and functions by their names.
    """
    text = description(model)
    return {
        name: value
        for name, value in namespace.items()
        if isinstance(value, type | types.FunctionType)
        and value.__module__ == "__main__"
        and f'"{value.__name__}"' in text
    }


def description(model: Any) -> str:
    """How Keras describes a model: its layers and how it is compiled, as JSON."""
    try:
        return f"{model.to_json()} {json.dumps(model.get_compile_config(), default=repr)}"
    except Exception:  # a model without a config: its weights tell
        return f'"{type(model).__name__}"'


def _digest_model(model: Any) -> str:
    digest = hashlib.sha256(description(model).encode())
    variables = list(model.variables)
    if getattr(model, "optimizer", None) is not None:
        variables += model.optimizer.variables
    for variable in variables:
        digest.update(repr(digest_array(variable.numpy())).encode())
    return digest.hexdigest()


def walk(value: Any, context: Context, own: Set[int] | None = None, tolerant: bool = False) -> Walk:
    """Look through an object.

    Args:
        value: the object.
        context: what is known of the notebook.
        own: Python's ids of the objects to look into though they are known, by default that of
            the object itself; the others are only referred to.
        tolerant: take what belongs to its process, such as a lock, for what it is; else it
            raises, as it cannot be stored.

    Raises:
        Exception: whatever pickling one of its parts raises.
    """
    result, digest = Walk(), hashlib.sha256()
    sink = types.SimpleNamespace(write=digest.update)
    if type(value).__module__.partition(".")[0] == "pandas":
        result.manager = getattr(value, "_mgr", None)
    walker = _Walker(sink, context, own if own is not None else frozenset({id(value)}), result)
    walker.tolerant = tolerant
    walker.dump(value)
    result.print = digest.hexdigest()
    result.parts.pop(id(value), None)
    return result
