"""State of the libraries of arrays and tables, and of scikit-learn."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from podline.runner.interpreter_state.kind import Kind, module

# -- numpy


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


def _take_numpy_settings(folder: Path) -> Any:
    import numpy as np

    return np.geterr(), np.get_printoptions(), np.geterrcall()


def _put_numpy_settings(state: Any, folder: Path) -> None:
    import numpy as np

    errors, printing, call = state
    np.seterr(**errors)
    np.set_printoptions(**printing)
    np.seterrcall(call)


# -- pandas


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


def _take_progress(folder: Path) -> Any:
    """What `tqdm.pandas()` was given, which adds `progress_apply` to the classes of pandas."""
    added = getattr(module("pandas").DataFrame, "progress_apply", None)
    if added is None:
        return {}
    of = dict(zip(added.__code__.co_freevars, added.__closure__ or (), strict=True))
    bar, options = of["cls"].cell_contents, of["tqdm_kwargs"].cell_contents
    return {"module": bar.__module__, "name": bar.__name__, "options": options}


def _put_progress(state: Any, folder: Path) -> None:
    if state:
        getattr(module(state["module"]), state["name"]).pandas(**state["options"])


# -- polars


def _take_polars(folder: Path) -> Any:
    """Its settings; those in the environment are the environment's."""
    return json.loads(module("polars").Config.save(if_set=True)).get("direct", {})


def _put_polars(state: Any, folder: Path) -> None:
    module("polars").Config.load(json.dumps({"environment": {}, "direct": state}))


# -- xarray, scikit-learn


def _take_xarray(folder: Path) -> Any:
    return dict(module("xarray.core.options").OPTIONS)


def _put_xarray(state: Any, folder: Path) -> None:
    module("xarray.core.options").OPTIONS.update(state)


def _take_sklearn(folder: Path) -> Any:
    import sklearn

    return sklearn.get_config()


def _put_sklearn(state: Any, folder: Path) -> None:
    import sklearn

    sklearn.set_config(**state)


_PANDAS = ("pandas",)

KINDS = (
    Kind("numpy.random", "numpy", _take_numpy, _put_numpy, generator=True),
    Kind("numpy.settings", "numpy", _take_numpy_settings, _put_numpy_settings),
    Kind("pandas", "pandas", _take_pandas, _put_pandas, words=_PANDAS),
    Kind("tqdm.pandas", "pandas", _take_progress, _put_progress, words=_PANDAS),
    Kind("polars", "polars", _take_polars, _put_polars, words=("polars",)),
    Kind("xarray", "xarray", _take_xarray, _put_xarray, words=("xarray",)),
    Kind("sklearn", "sklearn", _take_sklearn, _put_sklearn, words=("sklearn",)),
)
