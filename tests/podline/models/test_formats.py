"""In whichever form a model is published, it answers the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from podline.models.formats import FormatError, write

# What Keras and TensorFlow say of NumPy, and of themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),
    pytest.mark.timeout(240),
]

ROWS = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")


@pytest.fixture(scope="module")
def network() -> Any:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def test_a_network_in_all_forms(network: Any, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    formats = ("keras", "savedmodel", "tflite", "onnx")
    written = write(network, tmp_path, formats)
    paths = ("model.keras", "savedmodel", "model.tflite", "model.onnx")
    assert written == dict(zip(formats, paths, strict=True))
    assert (tmp_path / "savedmodel" / "saved_model.pb").is_file()
    expected = network.predict(ROWS, verbose=0)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(ROWS, verbose=0), expected, rtol=1e-5, atol=1e-6)
    served = tf.saved_model.load(str(tmp_path / "savedmodel"))
    np.testing.assert_allclose(served.serve(ROWS).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_tflite(tmp_path / "model.tflite"), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(by_onnx(tmp_path / "model.onnx"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def by_tflite(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], ROWS.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], ROWS)
    interpreter.invoke()
    return interpreter.get_tensor(answered["index"])


def by_onnx(path: Path, **columns: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes())
    (first, *_) = session.get_inputs()
    return session.run(None, columns or {first.name: ROWS})[0]


def test_an_estimator_in_both_forms(tmp_path: Path) -> None:
    import skops.io

    ridge = make_pipeline(StandardScaler(), Ridge()).fit(ROWS, ROWS.sum(axis=1))
    written = write(ridge, tmp_path, ("skops", "onnx"))
    assert written == {"skops": "model.skops", "onnx": "model.onnx"}
    expected = ridge.predict(ROWS)
    np.testing.assert_allclose(skops.io.load(tmp_path / "model.skops").predict(ROWS), expected)
    found = by_onnx(tmp_path / "model.onnx")[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_columns_of_several_types_need_an_example(tmp_path: Path) -> None:
    rows = pd.DataFrame({"day": ["mon", "tue", "mon", "sun"], "power": [1.0, 2.0, 3.0, 4.0]})
    columns = make_column_transformer((OneHotEncoder(), ["day"]), (StandardScaler(), ["power"]))
    model = make_pipeline(columns, LogisticRegression()).fit(rows, [0, 1, 0, 1])
    write(model, tmp_path, ["onnx"], example=rows)
    day = rows[["day"]].to_numpy(dtype=object)
    power = rows[["power"]].to_numpy(dtype="float32")
    found = by_onnx(tmp_path / "model.onnx", day=day, power=power)
    assert list(found) == list(model.predict(rows))


def test_files_are_taken_as_they_are(network: Any, tmp_path: Path) -> None:
    network.save(tmp_path / "mine.keras")
    network.export(tmp_path / "mine", verbose=False)
    for name, target in (("mine.keras", "model.keras"), ("mine", "savedmodel")):
        folder = tmp_path / f"from-{target}"
        folder.mkdir()
        assert list(write(tmp_path / name, folder, ()).values()) == [target]
    assert (tmp_path / "from-savedmodel" / "savedmodel" / "saved_model.pb").is_file()


# --- what is refused


def test_a_form_that_the_model_does_not_have(tmp_path: Path) -> None:
    ridge = Ridge().fit(ROWS, ROWS.sum(axis=1))
    with pytest.raises(
        FormatError, match="Ridge cannot be published as 'tflite': give some of sko"
    ):
        write(ridge, tmp_path, ["tflite"])


def test_a_lambda_in_a_network(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    with pytest.raises(FormatError, match="has a lambda, which is stored as code"):
        write(model, tmp_path, ())
    model.save(tmp_path / "mine.keras")
    with pytest.raises(FormatError, match="has a lambda, which is stored as code"):
        write(tmp_path / "mine.keras", tmp_path / "there", ())


def test_a_function_in_an_estimator(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda x: x * 2), Ridge()).fit(ROWS, ROWS[:, 0])
    with pytest.raises(FormatError, match="has parts that skops cannot store"):
        write(model, tmp_path, ())


def test_an_estimator_that_does_not_know_its_input(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match="does not say how many features it takes: give some rows"
    ):
        write(Ridge(), tmp_path, ["onnx"])
