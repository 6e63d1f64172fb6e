"""The formats of stored objects: each type in the format that others can read as well.

A format is taken only if the object comes back equal: same types, index, time zones, keys. A
format that cannot promise it by its rules alone reads back what it wrote and compares. Where
nothing fits, the object is pickled (`podline.runner.pickling`), for this run only.
"""

import contextlib
import importlib
import json
import sys
import types
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podline.equality import equal
from podline.frameworks import dump_skops, is_estimator, is_keras_model, load_skops
from podline.runner.pickling import own_code

PICKLE = "pickle"
VIEW = "view"
MODULE = "module"


@dataclass(frozen=True)
class Format:
    """A way to store objects of some types.

    Attributes:
        name: the kind that the artifact gets; `suffix`: the ending of its key.
        fits: whether an object is of a type that this format stores.
        dump: write an object to a file; True if it will come back equal.
        load: read it back.
        libraries: modules that loading imports.
    """

    name: str
    suffix: str
    fits: Callable[[Any], bool]
    dump: Callable[[Any, Path], bool]
    load: Callable[[Path, dict[str, Any]], Any]
    libraries: tuple[str, ...] = ()


def store_typed(value: Any, folder: Path, name: str) -> tuple[Format, Path] | None:
    """Write an object in the first format that keeps it; None where none does.

    Raises:
        Exception: it is a Keras model that Keras cannot save or load.
    """
    for form in FORMATS:
        if form.fits(value):
            path = folder / f"{name}{form.suffix}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a format cannot keep: we look
                kept = form.dump(value, path)
            if kept:
                return form, path
            path.unlink(missing_ok=True)
    return None


def load_typed(kind: str, path: Path, namespace: dict[str, Any]) -> Any:
    """Read an object back; `namespace` has the notebook's own classes.

    Raises:
        KeyError: there is no format of that name.
    """
    return next(form for form in FORMATS if form.name == kind).load(path, namespace)


def libraries_of(kind: str) -> tuple[str, ...]:
    """The modules that loading an artifact of this kind imports."""
    return next((form.libraries for form in FORMATS if form.name == kind), ())


def _is(value: Any, module: str, *names: str) -> bool:
    kind = type(value)
    return kind.__module__.partition(".")[0] == module and kind.__name__ in names


# -- plain values


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind is float:
        return bool(value == value)  # np.nan is in a list only while it is that very object
    if kind is int:
        return bool(value.bit_length() < 10_000)  # Python limits the digits that it converts
    if kind is str:
        return bool(value.isascii() or _encodes(value))
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return False


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dump_json(value: Any, path: Path) -> bool:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return True


def _load_json(path: Path, namespace: dict[str, Any]) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# -- numpy


def _is_array(value: Any) -> bool:
    return _is(value, "numpy", "ndarray") and not value.dtype.hasobject and value.flags.writeable


def _dump_npy(value: Any, path: Path) -> bool:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, value, allow_pickle=False)
    contiguous = value.flags.c_contiguous or value.flags.f_contiguous
    return bool(contiguous and value.dtype.metadata is None)


def _load_npy(path: Path, namespace: dict[str, Any]) -> Any:
    import numpy as np

    return np.load(path, allow_pickle=False)


def _is_scalar(value: Any) -> bool:
    bases = type(value).__mro__
    return bases[0].__module__ == "numpy" and any(base.__name__ == "generic" for base in bases)


def _load_scalar(path: Path, namespace: dict[str, Any]) -> Any:
    return _load_npy(path, namespace)[()]


def _dump_scalar(value: Any, path: Path) -> bool:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, np.asarray(value), allow_pickle=False)
    return type(_load_scalar(path, {})) is type(value)


def _is_array_dict(value: Any) -> bool:
    return (
        type(value) is dict
        and bool(value)
        and all(type(key) is str and key.isidentifier() for key in value)
        and not value.keys() & {"file", "args", "kwds", "allow_pickle"}  # np.savez' own
        and all(map(_is_array, value.values()))
    )


def _dump_npz(value: Any, path: Path) -> bool:
    import numpy as np

    with path.open("wb") as file:
        np.savez(file, **value, allow_pickle=False)
    return equal(_load_npz(path, {}), value)


def _load_npz(path: Path, namespace: dict[str, Any]) -> Any:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


# -- pandas and Arrow


def is_frame(value: Any) -> bool:
    """Whether an object is a data frame or a series of pandas."""
    return _is(value, "pandas", "DataFrame", "Series")


def _dump_parquet(value: Any, path: Path) -> bool:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = value
    labels = (
        [value.name, *value.index.names]
        if value.ndim == 1
        else [*value.columns, *value.index.names]
    )
    if any(type(label) is not str and label is not None for label in labels):
        return False  # Parquet knows no other labels than text
    if isinstance(value, pd.Series):
        frame = value.to_frame("value" if value.name is None else value.name)
    about = {"type": type(value).__name__, "name": getattr(value, "name", "") is not None}
    freq = getattr(value.index, "freqstr", None)
    try:
        table = pa.Table.from_pandas(frame)
        about_bytes = json.dumps({**about, "freq": freq}).encode()
        table = table.replace_schema_metadata({**table.schema.metadata, b"podline": about_bytes})
        pq.write_table(table, path, compression="lz4")
        return _same_frame(_load_parquet(path, {}), value)
    except (pa.ArrowException, TypeError, ValueError, KeyError, NotImplementedError):
        return False


def _load_parquet(path: Path, namespace: dict[str, Any]) -> Any:
    import pandas as pd
    import pyarrow.parquet as pq

    importlib.import_module("pandas.core.arrays.arrow.extension_types")  # periods, intervals
    table = pq.read_table(path, partitioning=None)
    about = json.loads(table.schema.metadata[b"podline"])
    frame = table.to_pandas()
    if about["freq"] and isinstance(frame.index, pd.DatetimeIndex | pd.TimedeltaIndex):
        frame.index.freq = about["freq"]  # type: ignore[misc]
    if about["type"] == "DataFrame":
        return frame
    series = frame.iloc[:, 0]
    return series if about["name"] else series.rename(None)


def _same_frame(first: Any, second: Any) -> bool:
    import pandas as pd

    compare: Any = pd.testing.assert_frame_equal
    if isinstance(second, pd.Series):
        compare = pd.testing.assert_series_equal
    elif type(first.columns) is not type(second.columns):
        return False
    try:
        compare(first, second, check_exact=True, check_freq=True, check_flags=True)
    except AssertionError:
        return False
    for mine, other in zip(_object_columns(first), _object_columns(second), strict=True):
        if list(map(type, mine)) != list(map(type, other)):
            return False
        if not all(type(item) in _SCALARS for item in other):
            return False  # containers would come back as copies of another type
    return type(first.index) is type(second.index) and first.attrs == second.attrs


_SCALARS = (str, bytes, bool, int, float, type(None))


def _object_columns(value: Any) -> list[Any]:
    columns = [value] if value.ndim == 1 else [value.iloc[:, i] for i in range(value.shape[1])]
    levels = getattr(value.index, "levels", [value.index])
    return [column for column in [*columns, *levels] if column.dtype == object]


def _is_table(value: Any) -> bool:
    return _is(value, "pyarrow", "Table")


def _dump_table(value: Any, path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(value, path, compression="lz4", use_compliant_nested_type=False)
        loaded = _load_table(path, {})
    except pa.ArrowException:
        return False
    return bool(loaded.equals(value, check_metadata=True))


def _load_table(path: Path, namespace: dict[str, Any]) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path, partitioning=None)


# -- models

_SEEDS = "podline-seeds.json"  # in the .keras file: what dropout and its like draw next


def _dump_keras(value: Any, path: Path) -> bool:
    own = own_code(value, vars(sys.modules["__main__"]))
    import zipfile

    value.save(path)
    states = [generator.state.numpy().tolist() for generator in _seed_generators(value)]
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(_SEEDS, json.dumps(states))
    if type(value).__name__ in ("Sequential", "Functional") and not own:
        return True  # Keras' own promise
    loaded = _load_keras(path, own)
    return type(loaded) is type(value) and equal(loaded.get_weights(), value.get_weights())


def _load_keras(path: Path, namespace: dict[str, Any]) -> Any:
    import zipfile

    import keras

    own = {n: v for n, v in namespace.items() if isinstance(v, type | types.FunctionType)}
    model = keras.saving.load_model(path, custom_objects=own)
    with zipfile.ZipFile(path) as file:
        states = json.loads(file.read(_SEEDS))
    for generator, drawn in zip(_seed_generators(model), states, strict=True):
        generator.state.assign(drawn)
    return model


def _seed_generators(model: Any) -> list[Any]:
    return [g for layer in model._flatten_layers() for g in layer._seed_generators]


def _load_skops(path: Path, namespace: dict[str, Any]) -> Any:
    return load_skops(path)  # the hash that the control plane holds vouches for the file


FORMATS = (
    Format("json", ".json", _is_plain, _dump_json, _load_json),
    Format("npy", ".npy", _is_array, _dump_npy, _load_npy, ("numpy",)),
    Format("npy-scalar", ".npy", _is_scalar, _dump_scalar, _load_scalar, ("numpy",)),
    Format("npz", ".npz", _is_array_dict, _dump_npz, _load_npz, ("numpy",)),
    Format(
        "parquet", ".parquet", is_frame, _dump_parquet, _load_parquet,
        ("pandas", "pyarrow.parquet"),
    ),
    Format("arrow", ".parquet", _is_table, _dump_table, _load_table, ("pyarrow.parquet",)),
    Format("keras", ".keras", is_keras_model, _dump_keras, _load_keras, ("keras", "tensorflow")),
    Format("skops", ".skops", is_estimator, dump_skops, _load_skops, ("skops.io",)),
)  # fmt: skip


# -- figures


def draw_figures(values: Iterable[Any], folder: Path, name: str) -> tuple[Path, ...]:
    """Draw the matplotlib figures among objects as PNG, for people; they flow as pickles."""
    found = {id(figure): figure for value in values if (figure := _figure_of(value)) is not None}
    paths = []
    for number, figure in enumerate(found.values(), start=1):
        path = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            figure.savefig(path, format="png")
            paths.append(path)
    return tuple(paths)


def _figure_of(value: Any) -> Any:
    """The figure that a value is or, if it is axes, stands in."""
    names = {f"{base.__module__}.{base.__name__}" for base in type(value).__mro__}
    if "matplotlib.figure.Figure" in names:
        return value
    if "matplotlib.axes._base._AxesBase" in names:
        return value.get_figure(root=True)
    return None


# -- what is no value of its own: a module, a part of another array


def load_module(path: Path) -> Any:
    """Import the module that the file names."""
    return importlib.import_module(json.loads(path.read_text()))


def view_of(array: Any, owner: Any) -> dict[str, Any]:
    """Describe an array as a part of the memory of its owner.

    Returns:
        offset (bytes), shape, strides (bytes) and dtype.
    """
    start = owner.__array_interface__["data"][0]
    return {
        "offset": array.__array_interface__["data"][0] - start,
        "shape": list(array.shape),
        "strides": list(array.strides),
        "dtype": array.dtype.descr if array.dtype.fields else array.dtype.str,
        "writeable": bool(array.flags.writeable),
    }


def make_view(view: dict[str, Any], owner: Any) -> Any:
    """Make the array that `view_of` described, in the memory of the loaded owner."""
    import numpy as np

    dtype = view["dtype"]
    if isinstance(dtype, list):
        dtype = [tuple(field) for field in dtype]
    array = np.ndarray(
        tuple(view["shape"]), np.dtype(dtype), owner, view["offset"], tuple(view["strides"])
    )
    array.flags.writeable = view["writeable"]
    return array


def part_of(array: Any, frame: Any) -> dict[str, int] | None:
    """Which part of a data frame's (or series') memory a read-only array is, as `to_numpy` gives.

    Returns:
        first row, number of `rows` and the step between them, first column, number of `columns`
        (0: the array has one dimension) and the step between them. None: it is no part of it.
    """
    if array.flags.writeable or array.base is None or not array.size or array.ndim > 2:
        return None
    columns = [frame] if frame.ndim == 1 else [frame.iloc[:, i] for i in range(frame.shape[1])]
    memory = [c.to_numpy().__array_interface__ if c.dtype == array.dtype else None for c in columns]
    start, across = array.__array_interface__["data"][0], (*array.strides, 0)[1]
    number = array.shape[1] if array.ndim == 2 else 0
    places = [_place(start + i * across, memory, len(frame)) for i in range(max(number, 1))]
    (column, row), step = places[0] or (-1, 0), 1
    if number > 1 and places[1]:
        step = places[1][0] - column
    expected = [(column + i * step, row) for i in range(len(places))]
    if column < 0 or step < 1 or places != expected:
        return None
    del columns
    if _is_shared(frame, column):
        return None
    every = array.strides[0] // ((memory[column] or {})["strides"] or (array.itemsize,))[0]
    return {
        "row": row, "rows": array.shape[0], "every": every,
        "column": column, "columns": number, "step": step,
    }  # fmt: skip


def _is_shared(frame: Any, column: int) -> bool:
    """Whether a column's memory is another frame's too: who writes first, writes to a copy."""
    manager = frame._mgr
    block = manager.blocks[manager.blknos[column] if frame.ndim == 2 else 0]
    return bool(block.refs.has_reference())


def _place(address: int, memory: list[dict[str, Any] | None], rows: int) -> tuple[int, int] | None:
    """The column and the row that lie at an address."""
    for column, about in enumerate(memory):
        if about is not None:
            stride = (about["strides"] or (int(about["typestr"][2:]),))[0]
            row, rest = divmod(address - about["data"][0], stride)
            if 0 <= row < rows and not rest:
                return column, row
    return None


def make_part(frame: Any, part: dict[str, int]) -> Any:
    """Take the part of a loaded data frame that `part_of` described."""
    row, column = part["row"], part["column"]
    rows = slice(row, row + part["rows"] * part["every"], part["every"])
    if frame.ndim == 1:
        return frame.iloc[rows].to_numpy()
    if not part["columns"]:
        return frame.iloc[rows, column].to_numpy()
    across = slice(column, column + part["columns"] * part["step"], part["step"])
    return frame.iloc[rows, across].to_numpy()
