"""The formats of stored objects: each type in the format that others can read as well.

A format is taken only if the object comes back equal: same types, index, time zones, keys. A
notebook must not be able to tell that its object went through a file. So JSON does not fit a
tuple or a dict with numbers as keys, which it would bring back as a list and with texts:

    limits = {1: (0, 5)}       # stage 1: a pickle
    limits[1]                  # stage 2: (0, 5); from JSON it would be a KeyError

A format that cannot promise this by its rules alone reads back what it wrote and compares. Where
nothing fits, the object is pickled (`podline.runner.pickling`), for this run only.
"""

import importlib
import json
import os
import re
import struct
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from podline.equality import equal
from podline.frameworks import (
    dump_skops,
    is_estimator,
    is_keras_model,
    load_skops,
    undrawn_weights,
)
from podline.runner.object_walk import description, own_code
from podline.runner.pickling import Namespace

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

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
        load: read it back from its path.
        libraries: modules that loading imports.
        needs_code: whether `load` also takes the notebook's own classes and functions.
    """

    name: str
    suffix: str
    fits: Callable[[Any], bool]
    dump: Callable[[Any, Path], bool]
    load: Callable[..., Any]
    libraries: tuple[str, ...] = ()
    needs_code: bool = False


def store_typed(value: Any, folder: Path, name: str) -> tuple[str, Path] | None:
    """Write an object in the first format that keeps it.

    Args:
        value: the object.
        folder: where to.
        name: the file's, without its ending.

    Returns:
        The format's name and the file; None where no format keeps the object.

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
                return form.name, path
            path.unlink(missing_ok=True)
    return None


def load_typed(kind: str, path: Path, namespace: Namespace) -> Any:
    """Read an object back.

    Args:
        kind: the format's name.
        path: the file.
        namespace: the notebook's own classes and functions, which a Keras model may need.

    Raises:
        StopIteration: there is no format of that name.
    """
    form = next(form for form in FORMATS if form.name == kind)
    return form.load(path, namespace) if form.needs_code else form.load(path)


def load_module(path: Path) -> Any:
    """Import the module that the file names."""
    return importlib.import_module(json.loads(path.read_text()))


def libraries_of(kind: str) -> tuple[str, ...]:
    """The modules that loading an artifact of this kind imports."""
    return next((form.libraries for form in FORMATS if form.name == kind), ())


def _is(value: Any, module: str, *names: str) -> bool:
    kind = type(value)
    return kind.__module__.partition(".")[0] == module and kind.__name__ in names


# -- plain values


_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which no file can hold


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind is float:
        return bool(value == value)  # np.nan is in a list only while it is that very object
    if kind is int:
        return bool(value.bit_length() < 10_000)  # Python limits the digits that it converts
    if kind is str:
        return bool(value.isascii() or not _SURROGATES.search(value))
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_is_plain, value.values()))
    return False


def _dump_json(value: Any, path: Path) -> bool:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return True


def _load_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# -- numpy


def _is_array(value: Any) -> bool:
    return _is(value, "numpy", "ndarray") and not value.dtype.hasobject and value.flags.writeable


def _dump_npy(value: Any, path: Path) -> bool:
    import numpy as np

    np.save(path, value, allow_pickle=False)
    contiguous = value.flags.c_contiguous or value.flags.f_contiguous
    return bool(contiguous and value.dtype.metadata is None)


def _load_npy(path: Path) -> Any:
    import numpy as np

    return np.load(path, allow_pickle=False)


def _is_scalar(value: Any) -> bool:
    bases = type(value).__mro__
    return bases[0].__module__ == "numpy" and any(base.__name__ == "generic" for base in bases)


def _load_scalar(path: Path) -> Any:
    return _load_npy(path)[()]


def _dump_scalar(value: Any, path: Path) -> bool:
    import numpy as np

    np.save(path, np.asarray(value), allow_pickle=False)
    return type(_load_scalar(path)) is type(value)


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

    np.savez(path, **value, allow_pickle=False)
    return equal(_load_npz(path), value)


def _load_npz(path: Path) -> Any:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


# -- pandas and Arrow


def is_frame(value: Any) -> bool:
    """Whether an object is a data frame or a series of pandas."""
    return _is(value, "pandas", "DataFrame", "Series")


def _dump_parquet(value: Any, path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels = [*(value.columns if value.ndim == 2 else [value.name]), *value.index.names]
    if any(type(label) is not str and label is not None for label in labels):
        return False  # Parquet knows no other labels than text
    named = getattr(value, "name", "") is not None
    frame = value if value.ndim == 2 else value.to_frame(value.name if named else "value")
    freq = getattr(value.index, "freqstr", None)
    about = {"type": type(value).__name__, "name": named, "freq": freq}
    try:
        table = pa.Table.from_pandas(frame)
        metadata = {**table.schema.metadata, b"podline": json.dumps(about).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), path, compression="lz4")
        return _same_frame(_load_parquet(path), value)
    except (pa.ArrowException, TypeError, ValueError, KeyError, NotImplementedError):
        return False


def _load_parquet(path: Path) -> Any:
    import pandas as pd

    importlib.import_module("pandas.core.arrays.arrow.extension_types")  # periods, intervals
    table = _load_table(path)
    about = json.loads(table.schema.metadata[b"podline"])
    frame = table.to_pandas()
    if about["freq"] and isinstance(frame.index, pd.DatetimeIndex | pd.TimedeltaIndex):
        frame.index.freq = about["freq"]  # type: ignore[misc]
    for number, dtype in enumerate(frame.dtypes):
        if dtype == "category":  # its codes are Arrow's memory, which nobody may write to
            frame.isetitem(number, frame.iloc[:, number].array.copy())
    if about["type"] == "DataFrame":
        return frame
    series = frame.iloc[:, 0]
    return series if about["name"] else series.rename(None)


def _same_frame(first: Any, second: Any) -> bool:
    import pandas as pd

    compare: Any = pd.testing.assert_series_equal
    if second.ndim == 2:
        compare = pd.testing.assert_frame_equal
        if type(first.columns) is not type(second.columns):
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
        loaded = _load_table(path)
    except pa.ArrowException:
        return False
    return bool(loaded.equals(value, check_metadata=True))


def _load_table(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path, partitioning=None)


# -- models

_SEEDS = "podline-seeds.json"  # in the .keras file: what dropout and its like draw next
_WEIGHTS = "model.weights.h5"
_LENGTHS_AT = 26  # bytes into a file's header in an archive (APPNOTE.TXT of ZIP, 4.3.7)


# How Keras describes a lambda: with its byte code, which it does not load.
_LAMBDA = re.compile(r'"class_name": "__lambda__"|: \{"value": \["')


def _dump_keras(value: Any, path: Path) -> bool:
    import zipfile

    own, text = own_code(value, vars(sys.modules["__main__"])), description(value)
    if _LAMBDA.search(text):
        raise TypeError(
            "a lambda is in it, which Keras does not load again; define it by a def in a cell "
            "tagged functions, and give the layer that function"
        )
    value.save(path)
    states = [generator.state.numpy().tolist() for generator in _seed_generators(value)]
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(_SEEDS, json.dumps(states))
    of_keras = type(value).__name__ in ("Sequential", "Functional")
    if of_keras and not own and '"class_name": "function"' not in text:
        return True  # Keras' own promise
    loaded = _load_keras(path, own)
    return type(loaded) is type(value) and equal(loaded.get_weights(), value.get_weights())


def _load_keras(path: Path, namespace: Namespace) -> Any:
    import zipfile

    import keras

    own = {n: v for n, v in namespace.items() if isinstance(v, type | types.FunctionType)}
    with zipfile.ZipFile(path) as file, TemporaryDirectory(dir=path.parent) as folder:
        states = json.loads(file.read(_SEEDS))
        for info in file.infolist():
            if info.filename != _SEEDS:
                _extract(file, info, Path(folder))
        with undrawn_weights():
            model = keras.saving.load_model(folder, custom_objects=own)
    for generator, drawn in zip(_seed_generators(model), states, strict=True):
        generator.state.assign(drawn)
    return model


def _extract(archive: "ZipFile", info: "ZipInfo", folder: Path) -> None:
    """Take a file out of an archive; weights, which lie there as they are, by the kernel alone.

    Keras checks and copies them three times: half of what loading a large model takes.
    """
    if info.filename != _WEIGHTS or info.compress_type or sys.platform != "linux":
        archive.extract(info, folder)
        return
    with open(str(archive.filename), "rb") as source, (folder / _WEIGHTS).open("wb") as target:
        source.seek(info.header_offset + _LENGTHS_AT)
        lengths = struct.unpack("<HH", source.read(4))  # of the name and of what else is in front
        start, left = source.tell() + sum(lengths), info.file_size
        while left:
            sent = os.sendfile(target.fileno(), source.fileno(), start, left)
            start, left = start + sent, left - sent


def _seed_generators(model: Any) -> list[Any]:
    return [g for layer in model._flatten_layers() for g in layer._seed_generators]


_PARQUET, _KERAS = ("pandas", "pyarrow.parquet"), ("keras", "tensorflow")

FORMATS = (
    Format("json", ".json", _is_plain, _dump_json, _load_json),
    Format("npy", ".npy", _is_array, _dump_npy, _load_npy, ("numpy",)),
    Format("npy-scalar", ".npy", _is_scalar, _dump_scalar, _load_scalar, ("numpy",)),
    Format("npz", ".npz", _is_array_dict, _dump_npz, _load_npz, ("numpy",)),
    Format("parquet", ".parquet", is_frame, _dump_parquet, _load_parquet, _PARQUET),
    Format("arrow", ".parquet", _is_table, _dump_table, _load_table, ("pyarrow.parquet",)),
    Format("keras", ".keras", is_keras_model, _dump_keras, _load_keras, _KERAS, needs_code=True),
    Format("skops", ".skops", is_estimator, dump_skops, load_skops, ("skops.io",)),
)
