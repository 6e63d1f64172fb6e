"""Every object comes back as it went in: in a format of its type, or else as a pickle."""

import io
import json
import math
import pickle
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from podline.runner import array_views, figures, pickling, serializers
from tests.support.describe import describe as describe_values

generated = settings(
    # One folder serves all examples; the first of them imports what makes the others.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)


def describe(value: Any) -> Any:
    """Types and bits, by other means than those under test."""
    return describe_values({"value": value})


class Back(NamedTuple):
    """What came back, in which format, from which file."""

    value: Any
    kind: str
    path: Path


def there_and_back(value: Any, parent: Path) -> Back:
    folder = Path(tempfile.mkdtemp(dir=parent))
    stored = serializers.store_typed(value, folder, "value")
    if stored is not None:
        kind, path = stored
        return Back(serializers.load_typed(kind, path, {}), kind, path)
    assert list(folder.iterdir()) == []  # a format that did not fit has left nothing
    file = io.BytesIO()
    pickling.dump({"value": value}, pickling.Context({}), file)
    file.seek(0)
    loaded = pickling.load(file, lambda name: None, lambda name: None)
    return Back(loaded["value"], "pickle", folder)


def kind_of(value: Any, folder: Path) -> str:
    """Check that a value comes back, and return its format."""
    before = describe(value)
    back = there_and_back(value, folder)
    assert type(back.value) is type(value)
    assert describe(back.value) == before
    assert describe(value) == before  # to store it has not changed it
    return back.kind


# --- plain values -------------------------------------------------------------------------------

PLAIN: list[Any] = [
    *(None, True, 0, -(2**80), 0.1, -0.0, math.inf, 5e-324, "", "ü\u2028\x00", [], {}),
    *([[], {}], {"a": [1, {"b": None}]}, {"": 1}, [True, 1, 1.0]),
]
CHANGED_BY_JSON: list[Any] = [
    *((1, 2), [(1,)], {1: "a"}, {None: 1}, {True: 1}, {("a",): 1}, {1.5: 1}, {1, 2}),
    *(frozenset("a"), b"bytes", 1 + 2j, math.nan, [math.nan], "\ud800", 10**4000, range(3), ...),
    *(OrderedDict(a=1), Decimal("1.10"), date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)),
    Path("a/b"),
]


@pytest.mark.parametrize("value", PLAIN, ids=ascii)
def test_plain_values_are_json(value: Any, tmp_path: Path) -> None:
    assert kind_of(value, tmp_path) == "json"


@pytest.mark.parametrize("value", CHANGED_BY_JSON, ids=lambda value: ascii(value)[:20])
def test_what_json_would_change(value: Any, tmp_path: Path) -> None:
    assert kind_of(value, tmp_path) == "pickle"


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes()
_LEAVES |= st.binary(max_size=3) | st.complex_numbers(allow_nan=False)
_LEAVES |= st.decimals(allow_nan=False)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


@generated
@given(_VALUES)
def test_any_plain_value(tmp_path: Path, value: Any) -> None:
    kind_of(value, tmp_path)


def test_json_can_be_read_by_others(tmp_path: Path) -> None:
    back = there_and_back({"ä": [1, 2.5]}, tmp_path)
    assert back.path.name == "value.json"
    assert back.path.read_text(encoding="utf-8") == '{"ä": [1, 2.5]}'


# --- numpy --------------------------------------------------------------------------------------


def _frozen() -> Any:
    array = np.arange(3)
    array.flags.writeable = False
    return array


ARRAYS: dict[str, tuple[Any, str]] = {
    "1-d": (np.arange(3), "npy"),
    "0-d": (np.array(1.5), "npy"),
    "empty": (np.zeros((2, 0, 3)), "npy"),
    "fortran": (np.asfortranarray(np.arange(6.0).reshape(2, 3)), "npy"),
    "big-endian": (np.array([1, 2], ">i4"), "npy"),
    "bool": (np.array([True, False]), "npy"),
    "text": (np.array(["a", "übung"]), "npy"),
    "bytes": (np.array([b"a", b"bc"]), "npy"),
    "dates": (np.array(["2020-01-01", "NaT"], "M8[s]"), "npy"),
    "spans": (np.array([1, 2], "m8[D]"), "npy"),
    "structured": (np.array([(1, "a")], [("i", "i4"), ("s", "U3")]), "npy"),
    "nested fields": (np.zeros(2, [("a", [("b", "f4", (2,))])]), "npy"),
    "nan and signs": (np.array([np.nan, -np.nan, np.inf, -0.0]), "npy"),
    "half": (np.array([1.5], "f2"), "npy"),
    "complex": (np.array([1 + 2j], "c8"), "npy"),
    "objects": (np.array([{"a": 1}, None], dtype=object), "pickle"),
    "read-only": (_frozen(), "pickle"),
    "with gaps": (np.arange(6)[::2], "pickle"),
    "masked": (np.ma.masked_array([1, 2], [False, True]), "pickle"),
    "records": (np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "pickle"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str, tmp_path: Path) -> None:
    value, kind = ARRAYS[name]
    assert kind_of(value, tmp_path) == kind


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_the_elements_in_memory(order: Any, tmp_path: Path) -> None:
    value = np.array(np.arange(6.0).reshape(2, 3), order=order)
    back = there_and_back(value, tmp_path).value
    assert back.flags.c_contiguous is value.flags.c_contiguous
    assert back.flags.f_contiguous is value.flags.f_contiguous


def test_the_metadata_of_a_dtype(tmp_path: Path) -> None:
    value = np.zeros(2, np.dtype("i4", metadata={"unit": "m"}))
    back = there_and_back(value, tmp_path)
    assert back.kind == "pickle"
    assert back.value.dtype.metadata == {"unit": "m"}


@generated
@given(
    st_numpy.arrays(
        st_numpy.scalar_dtypes() | st_numpy.array_dtypes(max_size=3),
        st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_any_array(tmp_path: Path, value: Any) -> None:
    assert kind_of(value, tmp_path) in ("npy", "pickle")


SCALARS = [
    *(np.float32(1.5), np.int64(-1), np.bool_(True), np.str_("a"), np.bytes_(b"a")),
    *(np.datetime64("2020-01-01T00:00", "m"), np.timedelta64(3, "D"), np.complex64(1j)),
    *(np.float64("nan"), np.float16(1), np.complex128(1), np.void(b"ab")),
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars(value: Any, tmp_path: Path) -> None:
    assert kind_of(value, tmp_path) == "npy-scalar"
    assert there_and_back(value, tmp_path).value.dtype == value.dtype


def test_a_structured_scalar(tmp_path: Path) -> None:
    assert kind_of(np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])[0], tmp_path) != "json"


def test_dicts_of_arrays(tmp_path: Path) -> None:
    value = {"x": np.arange(3), "y": np.zeros((2, 2))}
    assert kind_of(value, tmp_path) == "npz"
    assert list(there_and_back(value, tmp_path).value) == ["x", "y"]
    assert kind_of({"x y": np.arange(3)}, tmp_path) == "pickle"
    assert kind_of({1: np.arange(3)}, tmp_path) == "pickle"
    assert kind_of({"file": np.arange(3), "args": np.arange(2)}, tmp_path) == "pickle"


# --- pandas and Arrow ---------------------------------------------------------------------------

AS_PARQUET: dict[str, Callable[[], Any]] = {
    "numbers": lambda: pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]}),
    "text": lambda: pd.DataFrame({"a": ["x", None, "ü"]}),
    "bools": lambda: pd.DataFrame({"a": [True, False]}),
    "small types": lambda: pd.DataFrame({"a": np.array([1], "i1"), "b": np.array([1], "f4")}),
    "nullable": lambda: pd.DataFrame({"a": pd.array([1, None], "Int64")}),
    "categories": lambda: pd.DataFrame({"a": pd.Categorical(["x", "y"], ["y", "x"], ordered=True)}),
    "unused category": lambda: pd.Series(pd.Categorical(["x"], ["x", "z"])),
    "time zone": lambda: pd.DataFrame({"a": pd.date_range("2020", periods=2, tz="Europe/Berlin")}),
    "fixed offset": lambda: pd.Series(pd.to_datetime(["2020-01-01T00:00+02:00"])),
    "spans": lambda: pd.Series(pd.to_timedelta([1, 2], unit="s")),
    "frequency": lambda: pd.Series([1, 2, 3], pd.date_range("2020", periods=3, freq="2h")),
    "periods": lambda: pd.DataFrame({"a": [1, 2]}, pd.period_range("2020-01", periods=2, freq="M")),
    "intervals": lambda: pd.Series([1, 2], pd.interval_range(0, 2)),
    "range with a step": lambda: pd.DataFrame({"a": [1, 2]}, pd.RangeIndex(0, 4, 2, name="n")),
    "several levels": lambda: pd.DataFrame(
        {"a": [1, 2]}, pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", None])
    ),
    "same label twice in the index": lambda: pd.Series([1, 2], ["a", "a"]),
    "named columns": lambda: pd.DataFrame({"a": [1]}).rename_axis(columns="metric"),
    "no rows": lambda: pd.DataFrame({"a": pd.Series([], dtype="float32")}),
    "a series": lambda: pd.Series([1.0, 2.0], name="s"),
    "a series without a name": lambda: pd.Series([1.0, 2.0]),
    "attributes": lambda: _with_attrs({"unit": "m"}),
}
AS_PICKLE: dict[str, Callable[[], Any]] = {
    "seconds": lambda: pd.Series(np.array(["2020-01-01"], "M8[s]")),
    "no columns": lambda: pd.DataFrame(index=[1, 2]),
    "nothing": lambda: pd.DataFrame(),
    "a series with a number as name": lambda: pd.Series([1.0], name=3),
    "attributes of other types": lambda: _with_attrs({1: (2,)}),
    "flags": lambda: pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    "integer labels": lambda: pd.DataFrame({0: [1], 1: [2]}),
    "range labels": lambda: pd.DataFrame([[1, 2]]),
    "same label twice": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "labels of several levels": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    ),
    "lists in cells": lambda: pd.DataFrame({"a": [[1], [2, 3]]}),
    "dicts in cells": lambda: pd.DataFrame({"a": [{"k": 1}, {"l": 2}]}),
    "tuples in cells": lambda: pd.DataFrame({"a": [(1, 2), (3,)]}),
    "mixed types": lambda: pd.DataFrame({"a": [1, "a", None, 2.5]}, dtype=object),
    "decimals": lambda: pd.DataFrame({"a": [Decimal("1.10")]}),
    "dates": lambda: pd.DataFrame({"a": [date(2020, 1, 1)]}),
    "NA among objects": lambda: pd.DataFrame({"a": ["x", pd.NA]}, dtype=object),
    "complex": lambda: pd.DataFrame({"a": [1 + 2j]}),
    "sparse": lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}),
}


def _with_attrs(attrs: dict[Any, Any]) -> Any:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = attrs
    return frame


@pytest.mark.parametrize("name", [*AS_PARQUET, *AS_PICKLE])
def test_frames(name: str, tmp_path: Path) -> None:
    value = (AS_PARQUET | AS_PICKLE)[name]()
    assert kind_of(value, tmp_path) == ("parquet" if name in AS_PARQUET else "pickle")
    back = there_and_back(value, tmp_path).value
    assert back.attrs == value.attrs
    assert back.flags == value.flags
    if isinstance(value, pd.DataFrame):
        assert type(back.columns) is type(value.columns)
        assert list(back.columns.names) == list(value.columns.names)
    else:
        assert type(back.name) is type(value.name)


_TYPES = ["int64", "int8", "float64", "float32", "bool", "str", "Int64", "category", "object"]
_TIMES = ["datetime64[ns]", "datetime64[us]", "timedelta64[ns]", "datetime64[ns, UTC]"]
_COLUMNS = st.sampled_from([*_TYPES, *_TIMES])


def _series(numbers: list[int], kind: Any) -> Any:
    return pd.Series(numbers).astype(kind)


@generated
@given(st.data())
def test_any_frame(tmp_path: Path, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 4))
    columns = data.draw(st.lists(_COLUMNS, max_size=4))
    numbers = st.lists(st.integers(-100, 100), min_size=rows, max_size=rows)
    frame = pd.DataFrame(
        {f"c{i}": _series(data.draw(numbers), kind) for i, kind in enumerate(columns)},
        index=data.draw(st.none() | numbers),
    )
    assert kind_of(frame, tmp_path) in ("parquet", "pickle")


def test_an_index_and_other_pieces_of_pandas(tmp_path: Path) -> None:
    index = (pd.Index([3, 1], name="n"), pd.date_range("2020", periods=2, freq="D"))
    times = (pd.Timestamp("2020", tz="UTC"), pd.Timedelta("1D"), pd.Period("2020-01"))
    for value in (*index, *times, pd.NA, pd.NaT, pd.Interval(0, 1)):
        assert kind_of(value, tmp_path) == "pickle"


def test_tables(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None], "b": [[1], []], "c": ["x", "y"]}, metadata={"k": "v"})
    back = there_and_back(table, tmp_path)
    assert back.kind == "arrow"
    assert back.value.equals(table, check_metadata=True)
    spans = pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    back = there_and_back(spans, tmp_path)  # which Parquet does not know
    assert back.kind == "pickle"
    assert back.value.equals(spans)


def test_parquet_can_be_read_by_others(tmp_path: Path) -> None:
    back = there_and_back(pd.DataFrame({"a": [1, 2]}), tmp_path)
    assert pd.read_parquet(back.path)["a"].tolist() == [1, 2]


# --- models, figures, views ---------------------------------------------------------------------


def test_estimators(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    rows = np.arange(6.0).reshape(3, 2)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(rows, rows.sum(axis=1))
    back = there_and_back(model, tmp_path)
    assert back.kind == "skops"
    assert back.value.predict(rows).tolist() == model.predict(rows).tolist()
    assert there_and_back(FunctionTransformer(lambda x: x * 2), tmp_path).kind == "pickle"


def test_a_forest(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier

    rows = np.random.default_rng(0).random((40, 3))
    model = RandomForestClassifier(4, random_state=0).fit(rows, rows[:, 0] > rows[:, 1])
    back = there_and_back(model, tmp_path)
    assert back.kind == "skops"  # though its nodes have gaps between their fields
    assert back.value.predict_proba(rows).tolist() == model.predict_proba(rows).tolist()


def test_figures_are_drawn_for_people(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    other = Figure()
    found = figures.draw_figures([figure, axes, 3, other], tmp_path, "1-fig")
    assert [path.name for path in found] == ["1-fig.png", "1-fig-2.png"]
    assert found[0].read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_drawn_is_no_failure(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0, 0, "$\\nonsense{$")
    assert figures.draw_figures([figure], tmp_path, "fig") == ()


@pytest.mark.parametrize(
    "part",
    [
        lambda a: a[1:],
        lambda a: a[::-2],
        lambda a: a.T,
        lambda a: a[:, 1],
        lambda a: a[1, 2],
        lambda a: a.reshape(-1)[3:7],
        lambda a: a[1:1],
        lambda a: a.view("u1"),
    ],
)
def test_views(part: Callable[[Any], Any]) -> None:
    owner = np.arange(12).reshape(3, 4)
    array = np.asarray(part(owner))
    if array.base is None:
        return
    copy = owner.copy()
    made = array_views.make_view(array_views.view_of(array, owner), copy)
    assert describe(made) == describe(array)
    if made.size:
        made.flat[0] = 77
        assert np.shares_memory(made, copy)
        assert copy.tobytes() != owner.tobytes()


def test_views_of_fields_and_those_that_must_not_be_written() -> None:
    owner = np.zeros(3, [("a", "i4"), ("b", "f8")])
    array = owner["b"]
    array.flags.writeable = False
    made = array_views.make_view(array_views.view_of(array, owner), owner.copy())
    assert (made.dtype, made.flags.writeable) == (np.dtype("f8"), False)
    rows = owner[1:]
    made = array_views.make_view(array_views.view_of(rows, owner), owner.copy())
    assert made.dtype == rows.dtype


def test_what_loading_imports() -> None:
    assert serializers.libraries_of("parquet") == ("pandas", "pyarrow.parquet")
    assert serializers.libraries_of("pickle") == ()
    with pytest.raises(StopIteration):
        serializers.load_typed("nonsense", Path(), {})


# --- parts of a data frame's memory --------------------------------------------------------------


@pytest.mark.parametrize(
    "take",
    [
        lambda df: df.to_numpy(),
        lambda df: df["b"].to_numpy(),
        lambda df: df.iloc[1:4, 1:].to_numpy(),
        lambda df: df.iloc[::2, ::2].values,
        lambda df: df["c"].iloc[1::2].to_numpy(),
    ],
)
def test_parts_of_a_frame(take: Callable[[Any], Any]) -> None:
    frame = pd.DataFrame(np.arange(15.0).reshape(5, 3), columns=[*"abc"])
    array, loaded = take(frame), pickle.loads(pickle.dumps(frame))
    part = array_views.part_of(array, frame)
    assert part is not None
    again = array_views.make_part(loaded, json.loads(json.dumps(part)))
    assert np.array_equal(again, array)
    frame.iloc[:, :] = loaded.iloc[:, :] = -1.0
    assert (array == -1).all()
    assert (again == -1).all()


def test_a_part_of_a_series() -> None:
    series = pd.Series([1, 2, 3, 4])
    part = array_views.part_of(series.to_numpy()[1::2], series)
    assert part is not None
    assert array_views.make_part(series.copy(), part).tolist() == [2, 4]


def test_what_is_no_part_of_a_frame() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "n": [1, 2], "b": [3.0, 4.0], "t": ["x", "y"]})
    for array in (frame[["b", "a"]].to_numpy(), np.array([1.0, 2.0]), frame["t"].to_numpy()):
        assert array_views.part_of(array, frame) is None
    array = frame["a"].to_numpy()
    other = frame.drop(columns="t")  # whichever of the two is written to first takes a copy
    assert array_views.part_of(array, frame) is array_views.part_of(array, other) is None


def test_a_keras_model_comes_back_with_its_vocabulary_and_its_optimizer(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    words = keras.layers.TextVectorization(output_sequence_length=2)
    words.adapt(["warm cold", "cold"])
    layers = [keras.Input((1,), dtype="string"), words, keras.layers.Embedding(4, 3)]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for number, variable in enumerate(model.optimizer.variables):
        variable.assign(np.full(variable.shape, number))

    kind, path = serializers.store_typed(model, tmp_path, "model") or ("", tmp_path)
    assert kind == "keras"
    loaded = serializers.load_typed(kind, path, {})
    assert loaded.layers[0].get_vocabulary() == ["", "[UNK]", "cold", "warm"]
    assert describe(loaded.get_weights()) == describe(model.get_weights())
    for mine, other in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(mine, other)
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]
