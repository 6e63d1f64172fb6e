"""The libraries of models: which one an object is of, told without importing it; skops' files."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from podline.equality import equal


def is_estimator(value: Any) -> bool:
    """Whether an object is an estimator of scikit-learn's kind."""
    return any(
        base.__name__ == "BaseEstimator" and base.__module__ == "sklearn.base"
        for base in type(value).__mro__
    )


def is_keras_model(value: Any) -> bool:
    """Whether an object is a Keras model."""
    keras = sys.modules.get("keras")
    return keras is not None and issubclass(type(value), keras.Model)


@contextmanager
def undrawn_weights() -> Iterator[None]:
    """Have Keras begin weights with zeros where it would draw them, as for a model that is read.

    Reading writes all of them at once. Of ten million, drawing took most of it: an orthogonal
    matrix is a decomposition.
    """
    import keras

    drawn = keras.initializers
    kinds = (drawn.Orthogonal, drawn.VarianceScaling, drawn.RandomNormal, drawn.RandomUniform)
    zeros, begin = drawn.Zeros(), keras.Variable._initialize_with_initializer

    def blank(variable: Any, initializer: Any) -> None:
        begin(variable, zeros if isinstance(initializer, kinds) else initializer)

    keras.Variable._initialize_with_initializer = blank
    try:
        yield
    finally:
        keras.Variable._initialize_with_initializer = begin


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The versions of Python and of libraries, as far as this process has imported them."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in libraries}
    python = {"python": sys.version.split()[0]}
    return python | {name: text for name, text in found.items() if isinstance(text, str)}


def dump_skops(model: Any, path: Path) -> bool:
    """Write an estimator as skops does; False: it has parts that skops does not know.

    Args:
        model: the estimator.
        path: the file; what is in it counts only where this returns True.
    """
    import skops.io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it cannot keep: we look
            skops.io.dump(model, path)
            return equal(load_skops(path), model)
    except Exception:  # of any kind: the parts' own
        return False


def load_skops(path: Path) -> Any:
    """Read an estimator back, trusting its file: whose hash was checked, or that was just written.

    Args:
        path: of `dump_skops`.
    """
    import skops.io

    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
