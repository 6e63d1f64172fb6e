"""What a notebook changes that is no name: generators, the environment, where it stands.

In Jupyter one interpreter runs all cells, so what one sets, the next one goes by:

    random.seed(4); pd.set_option("display.max_rows", 7); os.chdir("data")    # stage 1
    print(random.random(), os.listdir())                                      # stage 2

Each kind of state has a way to take it and a way to put it back in another process. A kind is
stored only where the stage's cells changed it, which is told by comparing the bytes of a
snapshot before them with those after. A state as in a fresh process is `{}` where that can be
told, so that an import alone, or a generator that nobody has touched, is no change.

The order of putting back is the runner's: the environment before any import, settings after
the imports (which set them up), generators last of all (loading may draw).
"""

import logging
import os
import pickle
import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

_START = dict(os.environ)
_FOLDER = "{podline folder}"  # stands for the working directory, which is another in each stage


@dataclass(frozen=True)
class Kind:
    """A kind of state.

    Attributes:
        name: the key under which it is stored.
        module: the module that holds it; no state while that is not imported.
        take: return the state; {}: as it is in a fresh process.
        put: set it.
        generator: whether it is the state of a random generator.
        words: what stands in cells that use the module, where importing it for nothing would
            cost; none: it is cheap.
    """

    name: str
    module: str
    take: Callable[[Path], Any]
    put: Callable[[Any, Path], None]
    generator: bool = False
    words: tuple[str, ...] = ()


def snapshot(folder: Path) -> dict[str, bytes]:
    """Take every kind's state as bytes, as far as its module is imported.

    Args:
        folder: the stage's working directory, for paths in it.
    """
    # Options may be functions of the notebook.
    used = [kind for kind in KINDS if kind.module in sys.modules]
    return {kind.name: cloudpickle.dumps(kind.take(folder)) for kind in used}


def changes(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes]:
    """Return what differs; what was not there before counts as in a fresh process."""
    fresh = cloudpickle.dumps({})
    return {name: data for name, data in after.items() if before.get(name, fresh) != data}


def restore(name: str, data: bytes, folder: Path) -> None:
    """Set a kind's state from the bytes of a snapshot.

    Args:
        name: the kind's.
        data: the bytes, a pickle: their hash must have been checked.
        folder: the stage's working directory.

    Raises:
        KeyError: there is no such kind.
    """
    _BY_NAME[name].put(pickle.loads(data), folder)


def is_generator(name: str) -> bool:
    """Whether a kind of state is that of a random generator."""
    return name in _BY_NAME and _BY_NAME[name].generator


def module_of(name: str) -> str:
    """The module that holds a kind's state."""
    return _BY_NAME[name].module


# Set before anything is imported, which these may decide.
FIRST = frozenset({"environ", "sys.path"})


def is_used(name: str, sources: Sequence[str]) -> bool:
    """Whether a kind of state may matter to cells: whether its module is or will be imported.

    To put back the options of a library that a stage never uses would cost its import: seconds,
    with Keras.

    Args:
        name: the kind's.
        sources: the cells' texts.
    """
    kind = _BY_NAME[name]
    if not kind.words or kind.module in sys.modules:
        return True
    return any(word in source for word in kind.words for source in sources)


# -- the environment: only what the notebook changed, so that no secret of ours is stored


def _take_environ(folder: Path) -> dict[str, str | None]:
    changed: dict[str, str | None] = {
        name: value.replace(str(folder), _FOLDER)
        for name, value in os.environ.items()
        if _START.get(name) != value
    }
    return changed | dict.fromkeys(_START.keys() - os.environ.keys())


def _put_environ(state: dict[str, str | None], folder: Path) -> None:
    for name, value in state.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value.replace(_FOLDER, str(folder))
    if "TZ" in state:
        time.tzset()


def _take_cwd(folder: Path) -> str:
    here = Path.cwd()
    return str(here.relative_to(folder)) if here.is_relative_to(folder) else str(here)


def _put_cwd(state: str, folder: Path) -> None:
    os.chdir(folder / state)


def _take_path(folder: Path) -> list[str]:
    return [entry.replace(str(folder), _FOLDER) for entry in sys.path]


def _put_path(state: list[str], folder: Path) -> None:
    sys.path[:] = [entry.replace(_FOLDER, str(folder)) for entry in state]


# -- settings of the interpreter and the standard library


def _put_recursion_limit(state: int, folder: Path) -> None:
    sys.setrecursionlimit(state)


def _take_decimal(folder: Path) -> Any:
    import decimal

    def read(context: decimal.Context) -> dict[str, object]:
        names = ["prec", "rounding", "Emin", "Emax", "capitals", "clamp"]
        return {name: getattr(context, name) for name in names} | {"traps": dict(context.traps)}

    found = read(decimal.getcontext())
    return {} if found == read(decimal.DefaultContext) else found


def _put_decimal(state: Any, folder: Path) -> None:
    import decimal

    decimal.setcontext(decimal.Context(**state))


def _put_warnings(state: Any, folder: Path) -> None:
    main = sys.modules["__main__"]
    warnings.filters[:] = [  # type: ignore[index]
        # A category of the notebook's own is the class that this process has.
        (action, text, getattr(main, category.__name__, category), module, line)
        if category.__module__ == "__main__"
        else (action, text, category, module, line)
        for action, text, category, module, line in state
    ]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _take_logging(folder: Path) -> Any:
    loggers = {"": logging.getLogger(), **logging.root.manager.loggerDict}
    return {n: level for n, logger in loggers.items() if (level := getattr(logger, "level", 0))}


def _put_logging(state: Any, folder: Path) -> None:
    for name, level in state.items():
        logging.getLogger(name).setLevel(level)


# -- settings of libraries


def _take_numpy_settings(folder: Path) -> Any:
    import numpy as np

    return np.geterr(), np.get_printoptions()


def _put_numpy_settings(state: Any, folder: Path) -> None:
    import numpy as np

    errors, printing = state
    np.seterr(**errors)
    np.set_printoptions(**printing)


def _pandas_options() -> dict[str, tuple[Any, Any]]:
    """Each option's value and its default."""
    from pandas._config import config

    options: Any = config._registered_options  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are deprecated
        return {key: (config.get_option(key), option.defval) for key, option in options.items()}


def _take_pandas(folder: Path) -> Any:
    return {key: value for key, (value, default) in _pandas_options().items() if value != default}


def _put_pandas(state: Any, folder: Path) -> None:
    import pandas as pd

    for key, (value, default) in _pandas_options().items():
        if (wanted := state.get(key, default)) != value:
            pd.set_option(key, wanted)


_BACKEND = frozenset({"backend", "backend_fallback", "interactive", "toolbar"})


def _take_matplotlib(folder: Path) -> Any:
    import matplotlib as mpl

    default: Any = mpl.rcParamsDefault
    values = dict.items(mpl.rcParams)  # asking it for the backend would choose one
    return {k: v for k, v in values if k not in _BACKEND and v != dict.get(default, k)}


def _put_matplotlib(state: Any, folder: Path) -> None:
    import matplotlib as mpl

    default = {k: v for k, v in dict.items(mpl.rcParamsDefault) if k not in _BACKEND}
    dict.update(mpl.rcParams, {**default, **state})


def _take_sklearn(folder: Path) -> Any:
    import sklearn

    return sklearn.get_config()


def _put_sklearn(state: Any, folder: Path) -> None:
    import sklearn

    sklearn.set_config(**state)


def _take_keras_settings(folder: Path) -> Any:
    from keras import config
    from keras.src.backend.common import global_state

    policy = global_state.get_global_attribute("dtype_policy")  # None: not asked for yet
    return {
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "image_data_format": config.image_data_format(),
        "dtype_policy": policy.name if policy else config.floatx(),
    }


def _put_keras_settings(state: Any, folder: Path) -> None:
    from keras import config

    for name, value in state.items():
        getattr(config, f"set_{name}")(value)


# -- generators


def _take_numpy(folder: Path) -> Any:
    if "numpy.random" not in sys.modules:  # numpy imports it where it is used first
        return {}
    import numpy as np

    state: Any = np.random.get_state()
    _, key, position, has_gauss, _ = state
    # As the import leaves it: by chance, and nothing drawn.
    untouched = key[0] == 0x80000000 and position == key.size - 1 and not has_gauss
    return {} if untouched else state


def _put_numpy(state: Any, folder: Path) -> None:
    import numpy as np

    if state:
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
    random.setstate(state)


_KERAS = ("keras", "tensorflow")
_PLOTTING = ("matplotlib", "pyplot", "seaborn", "plot")

KINDS = (
    Kind("random", "random", lambda folder: random.getstate(), _put_random, generator=True),
    Kind("numpy.random", "numpy", _take_numpy, _put_numpy, generator=True),
    Kind("keras", "keras", _take_keras, _put_keras, generator=True, words=_KERAS),
    Kind("environ", "os", _take_environ, _put_environ),
    Kind("sys.path", "sys", _take_path, _put_path),
    Kind("cwd", "os", _take_cwd, _put_cwd),
    Kind("recursion limit", "sys", lambda folder: sys.getrecursionlimit(), _put_recursion_limit),
    Kind("decimal", "decimal", _take_decimal, _put_decimal),
    Kind("warnings", "warnings", lambda folder: list(warnings.filters), _put_warnings),
    Kind("logging", "logging", _take_logging, _put_logging),
    Kind("numpy.settings", "numpy", _take_numpy_settings, _put_numpy_settings),
    Kind("pandas", "pandas", _take_pandas, _put_pandas, words=("pandas",)),
    Kind("matplotlib", "matplotlib", _take_matplotlib, _put_matplotlib, words=_PLOTTING),
    Kind("sklearn", "sklearn", _take_sklearn, _put_sklearn, words=("sklearn",)),
    Kind("keras.settings", "keras", _take_keras_settings, _put_keras_settings, words=_KERAS),
)
_BY_NAME = {kind.name: kind for kind in KINDS}
