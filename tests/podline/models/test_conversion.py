"""What an edge serves answers as the original does, or the model is not published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import numpy_helper
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from podline.models import formats, runtimes
from podline.models.conversion import ConversionError, Served, serve
from podline.models.original import OriginalError, some_rows
from podline.models.runtimes import RuntimeFailure
from podline.models.sample import difference, read
from podline.models.signature import ANY, TensorSpec

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),
]

ROWS = np.random.default_rng(1).normal(size=(80, 3)).astype("float32")
SUMS = ROWS.sum(axis=1)


def mean_error(predict: Callable[[Any], Any]) -> dict[str, float]:
    return {"mae": float(np.abs(np.ravel(predict(ROWS)) - SUMS).mean())}


def served(model: Any, folder: Path, *names: str, **arguments: Any) -> Served:
    edge = arguments.get("edge", ())
    written = formats.write(model, folder, names, arguments.get("example"), onnx=bool(edge))
    found = serve(model, folder, written, **arguments)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def network() -> MLPRegressor:
    layers = (64, 64)
    return MLPRegressor(hidden_layer_sizes=layers, max_iter=300, tol=0.01, random_state=1).fit(
        ROWS, SUMS
    )


# --- signatures


def test_a_regression(tmp_path: Path) -> None:
    found = served(make_pipeline(StandardScaler(), Ridge()).fit(ROWS, SUMS), tmp_path, "onnx")
    assert found.signature.inputs == (TensorSpec("input", "FP32", (ANY, 3)),)
    assert found.signature.outputs == (TensorSpec("output", "FP32", (ANY, 1)),)
    (form,) = found.forms
    assert (form.name, form.path, form.tolerance) == ("onnx", "model.onnx", 1e-3)
    assert 0 <= form.difference < 1e-5


def test_columns_have_their_names(tmp_path: Path) -> None:
    table = pd.DataFrame(ROWS, columns=["power", "voltage", "current"])
    found = served(LogisticRegression().fit(table, SUMS > 0), tmp_path, "onnx")
    assert found.signature.inputs == (
        TensorSpec("input", "FP32", (ANY, 3), ("power", "voltage", "current")),
    )
    assert [spec.name for spec in found.signature.outputs] == ["label", "probabilities"]


def test_columns_of_several_types_are_inputs(tmp_path: Path) -> None:
    rows = pd.DataFrame({"day": ["mon", "tue", "mon", "sun"], "power": [1.0, 2.0, 3.0, 4.0]})
    columns = make_column_transformer((OneHotEncoder(), ["day"]), (StandardScaler(), ["power"]))
    model = make_pipeline(columns, LogisticRegression()).fit(rows, ["a", "b", "a", "b"])
    found = served(model, tmp_path, "onnx", example=rows)
    assert [str(spec) for spec in found.signature.inputs] == [
        "day (BYTES, shape [any, 1])",
        "power (FP32, shape [any, 1])",
    ]
    assert found.signature.outputs[0].datatype == "BYTES"
    assert read(tmp_path / found.sample).outputs["label"].tolist() == list(model.predict(rows))


def test_clusters(tmp_path: Path) -> None:
    found = served(KMeans(3, n_init=1, random_state=1).fit(ROWS), tmp_path, "onnx")
    assert found.signature.outputs == (TensorSpec("output", "INT64", (ANY,)),)


@pytest.mark.slow
def test_networks_of_keras_in_both_forms(tmp_path: Path) -> None:
    """Recurrent layers, and inputs in the order that the model has them."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = [keras.Input((24, 8)), keras.layers.LSTM(32), keras.layers.Dense(1)]
    found = served(keras.Sequential(layers), tmp_path, "onnx", "tflite")
    assert found.signature.inputs == (TensorSpec("input", "FP32", (ANY, 24, 8)),)
    assert found.signature.outputs == (TensorSpec("output", "FP32", (ANY, 1)),)
    assert [form.name for form in found.forms] == ["onnx", "tflite"]

    weather, meter = keras.Input((3,), name="weather"), keras.Input((5,), name="meter")
    both = keras.layers.Dense(1)(keras.layers.Concatenate()([weather, meter]))
    (tmp_path / "two").mkdir()
    found = served(keras.Model([meter, weather], both), tmp_path / "two", "onnx", "tflite")
    assert [(spec.name, spec.shape) for spec in found.signature.inputs] == [
        ("meter", (ANY, 5)),
        ("weather", (ANY, 3)),
    ]


def test_a_scaling_within_a_network_is_no_input(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    rows = np.random.default_rng(0).normal(5, 2, (100, 4)).astype("float32")
    scaling = keras.layers.Normalization(mean=rows.mean(axis=0), variance=rows.var(axis=0))
    layers = [keras.Input((4,)), scaling, keras.layers.Dense(1)]
    found = served(keras.Sequential(layers), tmp_path, "onnx", "tflite")
    assert found.signature.inputs == (TensorSpec("input", "FP32", (ANY, 4)),)


def test_a_file_is_its_own_original(network: MLPRegressor, tmp_path: Path) -> None:
    served(network, tmp_path, "onnx")
    (tmp_path / "there").mkdir()
    found = served(tmp_path / "model.onnx", tmp_path / "there")
    assert found.signature.inputs == (TensorSpec("input", "FP32", (ANY, 3)),)
    assert found.forms[0].difference == 0


def test_a_model_without_a_form_for_an_edge(tmp_path: Path) -> None:
    model = Ridge().fit(ROWS, SUMS)
    assert serve(model, tmp_path, formats.write(model, tmp_path, ["skops"])) is None


# --- samples


def test_the_sample_has_the_originals_answers(network: MLPRegressor, tmp_path: Path) -> None:
    found = served(network, tmp_path, "onnx", example=ROWS[10:])
    sample = read(tmp_path / found.sample)
    np.testing.assert_array_equal(sample.inputs["input"], ROWS[10:18])
    np.testing.assert_allclose(sample.outputs["output"][:, 0], network.predict(ROWS[10:18]), 1e-5)
    answered = runtimes.load(tmp_path / "model.onnx").run(sample.inputs)
    assert difference(sample.outputs, answered) < 1e-5


# --- smaller forms


def test_smaller_forms_are_measured(network: MLPRegressor, tmp_path: Path) -> None:
    found = served(network, tmp_path, "onnx", edge=["int8", "float16"], evaluate=mean_error)
    assert [form.name for form in found.forms] == ["onnx-int8", "onnx-float16", "onnx"]
    int8, half, whole = (form for form in found.forms)
    sizes = {form.name: (tmp_path / form.path).stat().st_size for form in found.forms}
    assert sizes["onnx-int8"] < sizes["onnx-float16"] < 0.7 * sizes["onnx"]
    original = mean_error(network.predict)["mae"]
    for form in found.forms:
        assert form.changes["mae"] == pytest.approx(form.metrics["mae"] - original)
    assert abs(whole.changes["mae"]) < abs(half.changes["mae"])
    assert whole.difference < half.difference < int8.difference < int8.tolerance


def test_a_smaller_form_that_is_none(tmp_path: Path) -> None:
    model = Ridge().fit(ROWS, SUMS)
    with pytest.raises(ConversionError, match="the model has no form int8: its weights are no te"):
        served(model, tmp_path, "onnx", edge=["int8"], evaluate=mean_error)


def test_a_metric_that_is_no_number(network: MLPRegressor, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="the metric 'mae' of the form onnx is no number"):
        served(network, tmp_path, "onnx", evaluate=lambda predict: {"mae": float("nan")})


# --- what is refused


def change_weights(path: Path, by: float) -> None:
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = (numpy_helper.to_array(tensor) * by).astype("float32")
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, path)


@pytest.mark.parametrize(("by", "said"), [(1.01, r"by 0\.0\d+"), (np.nan, "by inf")])
def test_a_form_that_answers_otherwise(
    network: MLPRegressor, tmp_path: Path, by: float, said: str
) -> None:
    written = formats.write(network, tmp_path, ["onnx"])
    change_weights(tmp_path / "model.onnx", by)
    with pytest.raises(ConversionError, match=rf"otherwise than the model: {said} of its largest"):
        serve(network, tmp_path, written)


def test_an_original_that_answers_nan(network: MLPRegressor, tmp_path: Path) -> None:
    served(network, tmp_path, "onnx")
    change_weights(tmp_path / "model.onnx", np.nan)
    (tmp_path / "there").mkdir()
    with pytest.raises(ConversionError, match=r"file model.onnx itself answers NaN or infinity"):
        served(tmp_path / "model.onnx", tmp_path / "there")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    for name in ("model.onnx", "model.tflite"):
        path = tmp_path / name
        path.write_bytes(b"weights")
        with pytest.raises(RuntimeFailure, match=f"{name} cannot be loaded: "):
            serve(path, tmp_path, {path.suffix[1:]: name})


def test_texts_need_an_example(tmp_path: Path) -> None:
    with pytest.raises(
        OriginalError, match=r"takes object of the shape \[-1, 1\], for which there"
    ):
        some_rows((TensorSpec("day", "BYTES", (ANY, 1)),), None)
