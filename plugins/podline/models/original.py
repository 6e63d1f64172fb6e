"""A model as it was trained: rows that it takes, and what it answers to them."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from podline.exceptions import PodlineError
from podline.frameworks import is_keras_model
from podline.models.runtimes import numbered
from podline.models.signature import ANY, TensorSpec, dtype_of

if TYPE_CHECKING:
    import numpy as np

    Tensors = dict[str, "np.ndarray[Any, Any]"]

_ROWS = 8  # of a sample
_NUMBERS = 65536  # that a sample may have, unless one row has more
_AUTOMATIC = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?")  # Keras' own names


class OriginalError(PodlineError):
    """A model cannot be asked for what an edge must know of it."""


def input_names(model: Any) -> list[str]:
    """The names of a Keras model's inputs, as every form of it has them.

    Names that Keras has made count on from model to model, so they are none to hold to.
    """
    names = [tensor.name for tensor in model.inputs]
    if len(names) > 1 and not any(map(_AUTOMATIC.fullmatch, names)):
        return names
    return numbered("input", len(names))


def output_names(model: Any) -> list[str]:
    """The names of a model's outputs, as every form of it has them."""
    if is_keras_model(model):
        return numbered("output", len(model.outputs))
    if hasattr(model, "classes_"):
        return ["label", "probabilities"] if hasattr(model, "predict_proba") else ["label"]
    return ["output"]


def answers(model: Any, rows: Any) -> "Tensors":
    """What a model answers.

    Args:
        model: a Keras model or a scikit-learn estimator.
        rows: as it takes them.
    """
    import numpy as np

    names = output_names(model)
    if is_keras_model(model):
        import keras

        found = keras.tree.flatten(model.predict(rows, verbose=0))
        return dict(zip(names, map(np.asarray, found), strict=True))
    if names[0] == "label":
        methods = (model.predict, getattr(model, "predict_proba", None))
        return {
            name: np.asarray(method(rows))
            for name, method in zip(names, methods, strict=False)
            if method
        }
    found = np.asarray(_own(model)(rows))
    column = found.ndim == 1 and found.dtype.kind == "f"  # in ONNX numbers are in columns
    return {"output": found[:, None] if column else found}


def predict(model: Any) -> Callable[[Any], Any]:
    """The model's own `predict`."""
    return partial(model.predict, verbose=0) if is_keras_model(model) else _own(model)


def some_rows(model: Any, example: Any) -> Any:
    """Rows for a sample: the first ones of the example, or else numbers at random.

    Args:
        model: what takes them; of a file its inputs.
        example: rows, if there are any.

    Raises:
        OriginalError: the model does not say what it takes, and there is no example.
    """
    if example is not None:
        return _first(example)
    if isinstance(model, tuple):
        return {spec.name: _random(spec.shape, dtype_of(spec.datatype)) for spec in model}
    if is_keras_model(model):
        rows = [
            _random([ANY if length is None else length for length in tensor.shape], tensor.dtype)
            for tensor in model.inputs
        ]
        return rows[0] if len(rows) == 1 else rows
    rows = _random((ANY, model.n_features_in_), "float32")
    columns = getattr(model, "feature_names_in_", None)
    if columns is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=columns)


def tensors(rows: Any, inputs: Sequence[TensorSpec]) -> "Tensors":
    """Rows as a request has them.

    Args:
        rows: as the original model takes them.
        inputs: what the request must have.

    Raises:
        OriginalError: these rows are not what the model takes.
    """
    import numpy as np

    names = [spec.name for spec in inputs]
    if hasattr(rows, "columns"):
        by_column = set(names) <= set(rows.columns)
        parts = [rows[[name]].to_numpy() for name in names] if by_column else [rows.to_numpy()]
    elif isinstance(rows, dict):
        parts = [np.asarray(rows[name]) for name in names]
    else:
        parts = [*rows] if isinstance(rows, list | tuple) and len(names) > 1 else [rows]
    if len(parts) != len(names):
        raise OriginalError(f"the model takes {', '.join(map(str, inputs))}: give rows of that")
    return {
        spec.name: np.ascontiguousarray(np.asarray(part).astype(dtype_of(spec.datatype)))
        for spec, part in zip(inputs, parts, strict=True)
    }


def columns_of(model: Any, rows: Any) -> tuple[str, ...]:
    """The names of the columns that a model takes, as far as it or its rows have any."""
    found: Any = getattr(model, "feature_names_in_", None)
    return tuple(map(str, getattr(rows, "columns", ()) if found is None else found))


def like(model: Any, outputs: Sequence[Any]) -> Any:
    """Answers in the form that the model's own `predict` gives them.

    Args:
        model: the original.
        outputs: what was answered, in the order of the outputs.
    """
    first = outputs[0]
    if is_keras_model(model):
        return first if len(outputs) == 1 else [*outputs]
    return first[:, 0] if first.ndim == 2 and first.shape[1] == 1 else first


def _own(model: Any) -> Callable[[Any], Any]:
    found: Callable[[Any], Any] = getattr(model, "predict", None) or model.transform
    return found


def _first(example: Any) -> Any:
    if isinstance(example, list | tuple):
        return [_first(part) for part in example]
    rows = _rows_of(example.shape[1:])
    return example.iloc[:rows] if hasattr(example, "columns") else example[:rows]


def _rows_of(shape: Sequence[int]) -> int:
    return max(1, min(_ROWS, _NUMBERS // max(1, math.prod(shape))))


def _random(shape: Sequence[int], dtype: str) -> Any:
    import numpy as np

    first, *others = shape
    if ANY in others or dtype == "object":
        raise OriginalError(
            f"the model takes {dtype} of the shape {[*shape]}, for which there are no rows at "
            "random: give some as example="
        )
    generator = np.random.default_rng(0)
    size = (_rows_of(others) if first == ANY else first, *others)
    if dtype.startswith("float"):
        return generator.normal(size=size).astype(dtype)
    return generator.integers(0, 2, size=size).astype(dtype)
