"""Requests and answers of the Open Inference Protocol, in JSON and as bytes."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from podline.edge.protocol import ProtocolError, metadata, read_request, write_response
from podline.models.signature import ANY, InputError, Signature, TensorSpec

ROW = {"name": "input", "datatype": "FP32", "shape": [1, 3], "data": [1, 2.5, 3]}


def body(*inputs: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": [*inputs], **more}).encode()


def test_a_request_in_json() -> None:
    found = read_request(body(ROW, id="7"), None)
    assert found.id == "7"
    assert found.inputs["input"].dtype == "float32"
    assert found.inputs["input"].tolist() == [[1, 2.5, 3]]


def test_data_may_be_nested() -> None:
    nested = {**ROW, "shape": [2, 1], "data": [[1], [2]]}
    assert read_request(body(nested), None).inputs["input"].tolist() == [[1], [2]]


def test_texts() -> None:
    days = {"name": "day", "datatype": "BYTES", "shape": [2, 1], "data": ["mon", "dé"]}
    assert read_request(body(days), None).inputs["day"].tolist() == [["mon"], ["dé"]]


def test_a_request_with_bytes() -> None:
    numbers, texts = np.array([[1, 2.5, 3]], "float32").tobytes(), b""
    for text in (b"mon", "dé".encode()):
        texts += struct.pack("<I", len(text)) + text
    parts = [
        {**ROW, "data": None, "parameters": {"binary_data_size": len(numbers)}},
        {
            "name": "day",
            "datatype": "BYTES",
            "shape": [2, 1],
            "parameters": {"binary_data_size": len(texts)},
        },
    ]
    head = body(*parts)
    found = read_request(head + numbers + texts, str(len(head)))
    assert found.inputs["input"].tolist() == [[1, 2.5, 3]]
    assert found.inputs["day"].tolist() == [["mon"], ["dé"]]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "the request is no JSON: "),
        (b"\xff\xfe", "the request is no JSON: "),
        (b"[]", r"the request is \[\]: it must be an object"),
        (b"{}", "inputs is missing: it must be a list"),
        (body({**ROW, "name": 3}), "the name of an input is 3: it must be a text"),
        (body({**ROW, "shape": [1, -3]}), r"the shape of the input 'input' is \[1, -3\]: give le"),
        (body({**ROW, "shape": [1, True]}), "the shape of the input 'input' is"),
        (body({**ROW, "shape": [2, 3]}), r"has 3 values, which is not its shape \[2, 3\]"),
        (body({**ROW, "shape": [10**12, 10**12]}), "has 3 values, which is not its shape"),
        (body({**ROW, "data": ["a", 1, 2]}), "the data of the input 'input' is no FP32: could no"),
        (body({**ROW, "data": [[1], [2, 3]]}), "the data of the input 'input' is no FP32"),
        (body({**ROW, "data": "abc"}), "data of the input 'input' is \"abc\": it must be a list"),
        (body({**ROW, "datatype": "INT8", "data": [1, 2, 300]}), "is no INT8: "),
        (body({**ROW, "datatype": "BYTES"}), "the input 'input' is of texts, and has 1"),
        (body({**ROW, "parameters": {"binary_data_size": 12}}), "says 12 bytes, and has fewer"),
        (body({**ROW, "parameters": {"binary_data_size": True}}), "it must be a whole number"),
        (body({**ROW, "parameters": {"shared_memory_region": "a"}}), "shared memory is not served"),
        (body(ROW, outputs=[{}]), "the name of an output is missing"),
        (body(ROW, id=7), "id is 7: it must be a text"),
    ],
)
def test_what_is_no_request(raw: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        read_request(raw, None)


def test_a_type_that_there_is_not() -> None:
    with pytest.raises(InputError, match="there is no type 'FP8'"):
        read_request(body({**ROW, "datatype": "FP8"}), None)


@pytest.mark.parametrize("length", ["-1", "999999", "many", ""])
def test_a_length_that_is_none(length: str) -> None:
    with pytest.raises(ProtocolError, match="is no length within the"):
        read_request(body(ROW), length)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (b"\0\0\0\0\0", "5 bytes belong to no input"),
        (b"", "says 4 bytes, and has fewer"),
        (struct.pack("<I", 9), "the bytes of the input 'day' are no texts: it ends within a text"),
    ],
)
def test_bytes_that_do_not_fit(rest: bytes, said: str) -> None:
    size = 0 if len(rest) == 5 else 4
    day = {"name": "day", "datatype": "BYTES", "shape": [0 if size == 0 else 1]}
    head = body({**day, "parameters": {"binary_data_size": size}})
    with pytest.raises(ProtocolError, match=said):
        read_request(head + rest, str(len(head)))


# --- answers

OUTPUTS = {
    "label": np.array(["a", "b"], "object"),
    "probabilities": np.array([[0.25, 0.75], [0.5, 0.5]], "float32"),
}


def test_an_answer_in_json() -> None:
    raw, split = write_response("power", 3, read_request(body(ROW, id="7"), None), OUTPUTS)
    assert split is None
    assert json.loads(raw) == {
        "model_name": "power",
        "model_version": "3",
        "id": "7",
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [2, 2],
                "data": [0.25, 0.75, 0.5, 0.5],
            },
        ],
    }


def test_an_answer_with_bytes() -> None:
    asked = read_request(body(ROW, parameters={"binary_data_output": True}), None)
    raw, split = write_response("power", 3, asked, OUTPUTS)
    assert split
    sizes = [o["parameters"]["binary_data_size"] for o in json.loads(raw[:split])["outputs"]]
    assert sizes == [10, 16]
    assert raw[split : split + 10] == b"\1\0\0\0a\1\0\0\0b"
    assert raw[split + 10 :] == OUTPUTS["probabilities"].tobytes()


def test_only_what_is_asked_for() -> None:
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    raw, split = write_response("p", 1, read_request(body(ROW, outputs=wanted), None), OUTPUTS)
    assert [output["name"] for output in json.loads(raw[:split])["outputs"]] == ["probabilities"]
    asked = read_request(body(ROW, outputs=[{"name": "score"}]), None)
    with pytest.raises(ProtocolError, match="no output 'score': it has label, probabilities"):
        write_response("p", 1, asked, OUTPUTS)


def test_nan_is_no_json() -> None:
    nan = {"output": np.array([np.nan], "float32")}
    with pytest.raises(ProtocolError, match="NaN or infinity to this, which JSON has") as refused:
        write_response("p", 1, read_request(body(ROW), None), nan)
    assert refused.value.status == 500
    asked = read_request(body(ROW, parameters={"binary_data_output": True}), None)
    assert write_response("p", 1, asked, nan)[1]


def test_what_a_model_is() -> None:
    spec = TensorSpec("input", "FP32", (ANY, 2), ("power", "voltage"))
    found = metadata("power", 3, "onnx_onnxruntime", Signature((spec,), (spec,)))
    assert found["versions"] == ["3"]
    assert found["inputs"] == [
        {
            "name": "input",
            "datatype": "FP32",
            "shape": [-1, 2],
            "parameters": {"columns": ["power", "voltage"]},
        }
    ]
