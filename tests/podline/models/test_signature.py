"""A signature says what a request lacks, and what is wrong with it."""

from typing import Any

import numpy as np
import pytest

from podline.models.signature import ANY, InputError, Signature, TensorSpec, datatype_of, dtype_of

POWER = TensorSpec("power", "FP32", (ANY, 3), ("a", "b", "c"))
DAY = TensorSpec("day", "BYTES", (ANY, 1))
SIGNATURE = Signature((POWER, DAY), (TensorSpec("output", "FP32", (ANY, 1)),))


def given(**tensors: Any) -> dict[str, Any]:
    rows = {"power": np.ones((2, 3), "float32"), "day": np.array([["mon"], ["sun"]], "object")}
    return {name: value for name, value in (rows | tensors).items() if value is not None}


def test_what_the_model_takes() -> None:
    SIGNATURE.check(given())


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"day": None}, r"the request lacks the input day \(BYTES, shape \[any, 1\]\)"),
        ({"night": np.ones(2)}, r"the model has no input 'night': it has power \(FP32, .*, day"),
        ({"power": np.ones((2, 3))}, r"'power' is FP64, and the model takes power \(FP32"),
        (
            {"power": np.ones((2, 2), "float32")},
            r"'power' has the shape \[2, 2\], and the model takes power \(FP32, shape \[any, 3\] of a, b, c\)",
        ),
        ({"power": np.ones(3, "float32")}, r"has the shape \[3\]"),
        ({"power": np.ones((5, 3), "float32")}, r"different numbers of rows: \[2, 5\]"),
    ],
    ids=["missing", "unknown", "type", "columns", "dimensions", "rows"],
)
def test_what_it_does_not_take(tensors: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SIGNATURE.check(given(**tensors))


def test_types_by_the_protocols_names() -> None:
    for datatype in ("BOOL", "UINT8", "INT64", "FP16", "FP32", "FP64", "BYTES"):
        assert datatype_of(np.empty(0, dtype_of(datatype))) == datatype
    assert datatype_of(np.array(["text"])) == "BYTES"
    with pytest.raises(InputError, match="there is no type 'FP128': there are BOOL, "):
        dtype_of("FP128")
    with pytest.raises(InputError, match="the type complex64 is none that a request can have"):
        datatype_of(np.empty(0, "complex64"))


def test_there_and_back() -> None:
    assert Signature.from_json(SIGNATURE.to_json()) == SIGNATURE
