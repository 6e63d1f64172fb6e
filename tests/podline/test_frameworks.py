"""What podline knows of the libraries of models."""

from pathlib import Path
from typing import Any

import pytest

from podline.equality import equal
from podline.frameworks import undrawn_weights

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def keras() -> Any:
    return pytest.importorskip("keras")


def a_model(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((4, 2)), layers.LSTM(3), layers.Dense(1)])


def test_weights_that_are_read_are_not_drawn_first(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model(keras)
    model.save(tmp_path / "m.keras")

    def draw(*arguments: Any, **more: Any) -> None:
        raise AssertionError("weights were drawn")

    with monkeypatch.context() as patch:
        for kind in (keras.initializers.Orthogonal, keras.initializers.VarianceScaling):
            patch.setattr(kind, "__call__", draw)
        with undrawn_weights():
            loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert equal(loaded.get_weights(), model.get_weights())
    drawn_again = a_model(keras).get_weights()
    assert any(weights.any() for weights in drawn_again)
