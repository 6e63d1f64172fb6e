"""What podline knows of the libraries of models."""

from pathlib import Path
from typing import Any

import pytest

from podline.equality import equal
from podline.frameworks import undrawn_weights

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def a_model() -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((4, 2)), layers.LSTM(3), layers.Dense(1)])


def test_weights_that_are_read_are_not_drawn_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model()
    model.save(tmp_path / "m.keras")

    def draw(*arguments: Any, **more: Any) -> None:
        raise AssertionError("weights were drawn")

    with monkeypatch.context() as patch:
        for kind in (keras.initializers.Orthogonal, keras.initializers.VarianceScaling):
            patch.setattr(kind, "__call__", draw)
        with undrawn_weights():
            loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert equal(loaded.get_weights(), model.get_weights())
    assert any(weights.any() for weights in a_model().get_weights())  # drawn again from here on
