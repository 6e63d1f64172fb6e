"""A sample keeps rows and answers, and tells by how much other answers differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podline.models.sample import Sample, SampleError, difference, is_finite, read


def test_there_and_back(tmp_path: Path) -> None:
    texts = np.array([["mon"], ["sun"]], dtype="object")
    numbers = np.array([[0.1], [2]], "float32")
    name = Sample({"day": texts, "power": numbers}, {"output": numbers}).write(tmp_path)
    found = read(tmp_path / name)
    assert found.inputs["day"].dtype == "object"
    assert found.inputs["day"].tolist() == texts.tolist()
    np.testing.assert_array_equal(found.inputs["power"], numbers)
    np.testing.assert_array_equal(found.outputs["output"], numbers)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_what_is_no_sample(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sample.npz"
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"sample\.npz is no sample: "):
        read(path)


def test_a_sample_runs_no_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "sample.npz", **{"input/a": np.array([Path("x")], dtype="object")})
    with pytest.raises(SampleError, match="Object arrays cannot be loaded"):
        read(tmp_path / "sample.npz")


@pytest.mark.parametrize(
    ("found", "apart"),
    [
        ([[10.0], [-20.0]], 0.0),
        ([[10.0], [-19.0]], 0.05),
        ([[10.0], [np.nan]], np.inf),
        ([[10.0], [np.inf]], np.inf),
        ([[10.0]], np.inf),
    ],
    ids=["the same", "a twentieth", "NaN", "infinity", "another shape"],
)
def test_by_how_much_numbers_differ(found: Any, apart: float) -> None:
    expected = {"output": np.array([[10.0], [-20.0]])}
    assert difference(expected, {"output": np.array(found)}) == pytest.approx(apart)


def test_by_how_much_words_differ() -> None:
    labels = {"label": np.array(["a", "b"], dtype="object")}
    assert difference(labels, {"label": np.array(["a", "b"], dtype="object")}) == 0
    assert difference(labels, {"label": np.array(["a", "c"], dtype="object")}) == 1
    assert difference({"label": np.array([1, 2])}, {"label": np.array([1, 3])}) == 1
    assert difference(labels, {}) == np.inf


def test_whether_all_are_numbers() -> None:
    assert is_finite({"label": np.array(["a"], dtype="object"), "output": np.ones(2)})
    assert not is_finite({"output": np.array([1, np.nan])})
