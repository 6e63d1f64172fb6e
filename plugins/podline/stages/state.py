"""What a notebook changes that is no name: generators, the environment, where it stands.

Each kind has a way to take its state, as plain values, and a way to put it back in another
process. A kind is stored where the stage's cells changed it.
"""

import decimal
import os
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START = dict(os.environ)


@dataclass(frozen=True)
class Kind:
    """A kind of state.

    Attributes:
        module: the module that holds it; no state while that is not imported.
        take: return the state, plain enough for a pickle of the standard library.
        put: set it.
        generator: whether it is the state of a random generator.
    """

    name: str
    module: str
    take: Callable[[Path], Any]
    put: Callable[[Any, Path], None]
    generator: bool = False


def take_all(folder: Path) -> dict[str, Any]:
    """Take every kind's state, as far as its module is imported.

    Args:
        folder: the stage's working directory, for paths in it.
    """
    return {kind.name: kind.take(folder) for kind in KINDS if kind.module in sys.modules}


def put(name: str, state: Any, folder: Path) -> None:
    """Set a kind's state.

    Raises:
        KeyError: there is no such kind.
    """
    next(kind for kind in KINDS if kind.name == name).put(state, folder)


def is_generator(name: str) -> bool:
    """Whether a kind of state is that of a random generator."""
    return any(kind.name == name and kind.generator for kind in KINDS)


def module_of(name: str) -> str:
    """The module that holds a kind's state."""
    return next(kind.module for kind in KINDS if kind.name == name)


# -- the environment: only what the notebook changed, so that no secret of ours is stored


def _take_environ(folder: Path) -> dict[str, str | None]:
    changed: dict[str, str | None] = {
        name: value for name, value in os.environ.items() if _START.get(name) != value
    }
    return changed | dict.fromkeys(_START.keys() - os.environ.keys())


def _put_environ(state: dict[str, str | None], folder: Path) -> None:
    for name, value in state.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _take_cwd(folder: Path) -> str:
    here = Path.cwd()
    return str(here.relative_to(folder)) if here.is_relative_to(folder) else str(here)


def _put_cwd(state: str, folder: Path) -> None:
    os.chdir(folder / state)


def _take_path(folder: Path) -> list[str]:
    return [entry.replace(str(folder), "{folder}") for entry in sys.path]


def _put_path(state: list[str], folder: Path) -> None:
    sys.path[:] = [entry.replace("{folder}", str(folder)) for entry in state]


# -- how libraries report


def _take_errstate(folder: Path) -> Any:
    import numpy as np

    return np.geterr()


def _put_errstate(state: Any, folder: Path) -> None:
    import numpy as np

    np.seterr(**state)


def _take_warnings(folder: Path) -> Any:
    return list(warnings.filters)


def _put_warnings(state: Any, folder: Path) -> None:
    warnings.filters[:] = state  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


# -- generators


def _take_numpy(folder: Path) -> Any:
    import numpy as np

    return np.random.get_state()


def _put_numpy(state: Any, folder: Path) -> None:
    import numpy as np

    np.random.set_state(state)


def _take_keras(folder: Path) -> Any:
    """Keras' own seed, its global generator, and TensorFlow's seed with its counter."""
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    state = {
        "seed": global_state.get_global_attribute(rng_utils.GLOBAL_RANDOM_SEED),
        "generator": None if generator is None else generator.state.numpy().tolist(),
    }
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        eager = context.context()
        rng = getattr(eager, "_rng", None)
        state["tensorflow"] = (eager._seed, rng.getstate() if rng else None)
    return state


def _put_keras(state: Any, folder: Path) -> None:
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    if state["seed"] is not None:
        global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, state["seed"])
    if state["generator"] is not None:
        generator = seed_generator.SeedGenerator(0)
        generator.state.assign(state["generator"])
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, generator)
    seed, rng = state.get("tensorflow", (None, None))
    if seed is not None:
        import tensorflow as tf
        from tensorflow.python.eager import context

        tf.random.set_seed(seed)
        if rng is not None:
            context.context()._rng.setstate(rng)


def _put_random(state: Any, folder: Path) -> None:
    version, internal, gauss = state
    random.setstate((version, tuple(internal), gauss))


KINDS = (
    Kind("random", "random", lambda folder: random.getstate(), _put_random, generator=True),
    Kind("numpy.random", "numpy", _take_numpy, _put_numpy, generator=True),
    Kind("keras", "keras", _take_keras, _put_keras, generator=True),
    Kind(
        "decimal", "decimal",
        lambda folder: decimal.getcontext().copy(), lambda state, folder: decimal.setcontext(state),
    ),
    Kind("numpy.errstate", "numpy", _take_errstate, _put_errstate),
    Kind("warnings", "warnings", _take_warnings, _put_warnings),
    Kind("environ", "os", _take_environ, _put_environ),
    Kind("sys.path", "sys", _take_path, _put_path),
    Kind("cwd", "os", _take_cwd, _put_cwd),
)  # fmt: skip
