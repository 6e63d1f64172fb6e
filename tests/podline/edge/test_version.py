"""A version is loaded in the form that it names, and tried before it answers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from podline.edge.version import VersionRefused, load
from podline.models import formats, sample
from podline.models.conversion import serve
from podline.models.manifest import Lineage, Manifest, ServedForm
from podline.models.signature import InputError
from tests.support.edge import write_line

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning"),
]

ROWS = np.random.default_rng(1).normal(size=(80, 3)).astype("float32")


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Manifest]:
    """Writes a model into a folder as a version has it."""

    def version(model: Any, *names: str) -> Manifest:
        written = formats.write(model, tmp_path, names)
        served = serve(model, tmp_path, written)
        assert served
        return Manifest(
            "power", 1, "2026-01-01T00:00:00+00:00", "", written, (), {}, {}, Lineage(), {},
            signature=served.signature, sample=served.sample, served=served.forms,
        )  # fmt: skip

    return version


def test_a_classifier(made: Callable[..., Manifest], tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, ROWS[:, 0] > 0)
    found = load(made(model, "onnx"), tmp_path, 1)
    found.try_out(sample.read(tmp_path / "sample.npz"))
    assert 0 < found.run_seconds < 1
    answered = found.infer({"input": ROWS})
    np.testing.assert_array_equal(answered["label"], model.predict(ROWS))
    np.testing.assert_allclose(answered["probabilities"], model.predict_proba(ROWS), 1e-4)
    with pytest.raises(InputError, match="the request lacks the input input"):
        found.infer({})


@pytest.mark.slow
def test_litert(made: Callable[..., Manifest], tmp_path: Path) -> None:
    """Any number of rows, though a recurrent layer takes one at a time there."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = [keras.Input((5, 3)), keras.layers.LSTM(8), keras.layers.Dense(2)]
    model = keras.Sequential(layers)
    found = load(made(model, "tflite"), tmp_path, 1)
    assert (found.form.name, found.platform) == ("tflite", "tflite_litert")
    found.try_out(sample.read(tmp_path / "sample.npz"))
    series = np.random.default_rng(2).normal(size=(7, 5, 3)).astype("float32")
    answered = found.infer({"input": series})["output"]
    np.testing.assert_allclose(answered, model.predict(series, verbose=0), rtol=1e-4, atol=1e-6)
    assert found.infer({"input": series[:0]})["output"].shape == (0, 2)


def test_a_form_that_this_edge_does_not_run(made: Callable[..., Manifest], tmp_path: Path) -> None:
    manifest = made(write_line(tmp_path / "line.onnx", 1))
    newer = replace(manifest, served=(ServedForm("onnx-int2", "model.onnx", 0, 1),))
    with pytest.raises(VersionRefused, match="is onnx-int2, which this edge does not run"):
        load(newer, tmp_path, 1)


def test_how_long_requests_took(made: Callable[..., Manifest], tmp_path: Path) -> None:
    found = load(made(write_line(tmp_path / "line.onnx", 1)), tmp_path, 1)
    assert found.quantile(0.5) is None
    found.times.extend([0.1, 0.3, 0.2, 0.9])
    assert (found.quantile(0.5), found.quantile(0.99)) == (0.3, 0.9)
