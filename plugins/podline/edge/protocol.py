"""The Open Inference Protocol, version 2: requests and answers in JSON, tensors also as bytes."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import numpy as np

from podline.exceptions import PodlineError
from podline.models.signature import Signature, TensorSpec, dtype_of

HEADER_LENGTH = "inference-header-content-length"  # of the JSON before the tensors' bytes
_SIZE = struct.Struct("<I")  # before each text

Tensor = np.ndarray[Any, Any]
Tensors = Mapping[str, Tensor]


class ProtocolError(PodlineError):
    """A request that is refused, with its status and what is wrong.

    Args:
        message: what is wrong.
        status: of the answer.
    """

    def __init__(self, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class InferRequest:
    """What is asked of a model.

    Attributes:
        id: the request's, which its answer repeats.
        inputs: the tensors by name.
        wanted: the outputs that are asked for, and whether as bytes; none: all.
        binary: whether all outputs are asked for as bytes.
    """

    id: str
    inputs: Tensors
    wanted: Mapping[str, bool] = field(default_factory=dict)
    binary: bool = False


def read_request(body: bytes, header_length: str | None) -> InferRequest:
    """Read the body of a request.

    Args:
        body: all of it.
        header_length: the header that says how long its JSON is; None: it is JSON alone.

    Raises:
        ProtocolError: it is no such request.
        InputError: a type is none of the protocol's.
    """
    head, rest = _split(body, header_length)
    try:
        value = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the request is no JSON: {error}") from None
    request = _of(dict, value, "the request")
    inputs, begin = {}, 0
    for item in _of(list, request.get("inputs"), "inputs"):
        entry = _of(dict, item, "an input")
        name = _of(str, entry.get("name"), "the name of an input")
        size = _parameters(entry).get("binary_data_size")
        if size is None:
            inputs[name] = _from_json(name, entry)
            continue
        end = begin + _of(int, size, f"binary_data_size of {name!r}")
        if size < 0 or end > len(rest):
            raise ProtocolError(f"the input {name!r} says {size} bytes, and has fewer")
        inputs[name] = _from_bytes(name, entry, rest[begin:end])
        begin = end
    if begin != len(rest):
        raise ProtocolError(f"{len(rest) - begin} bytes belong to no input")
    identity = request.get("id")
    return InferRequest(
        "" if identity is None else _of(str, identity, "id"),
        inputs,
        _wanted(request),
        bool(_parameters(request).get("binary_data_output")),
    )


def write_response(
    model: str, version: int, request: InferRequest, outputs: Tensors
) -> tuple[bytes, int | None]:
    """An answer's body, and how long its JSON is where bytes follow it.

    Args:
        model: the model's name.
        version: the one that answered.
        request: what was asked.
        outputs: the tensors by name.

    Raises:
        ProtocolError: an output is asked for that there is not, or has what is no number in JSON.
    """
    described, parts = [], []
    for name in request.wanted or outputs:
        if name not in outputs:
            raise ProtocolError(f"the model has no output {name!r}: it has {', '.join(outputs)}")
        tensor, binary = outputs[name], request.wanted.get(name, request.binary)
        entry: dict[str, Any] = {
            "name": name,
            "datatype": _DATATYPES[tensor.dtype.kind, tensor.dtype.itemsize],
            "shape": [*tensor.shape],
        }
        if binary:
            parts.append(_to_bytes(tensor))
            entry["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            entry["data"] = tensor.ravel().tolist()
        described.append(entry)
    answer: dict[str, Any] = {"model_name": model, "model_version": str(version)}
    if request.id:
        answer["id"] = request.id
    answer["outputs"] = described
    try:
        head = json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise ProtocolError(
            "the model answers NaN or infinity to this, which JSON has no word for: ask for "
            "binary data",
            HTTPStatus.INTERNAL_SERVER_ERROR,
        ) from None
    return b"".join((head, *parts)), len(head) if parts else None


def metadata(model: str, version: int, platform: str, signature: Signature) -> dict[str, Any]:
    """What a model takes and answers, as the protocol says it.

    Args:
        model: the model's name.
        version: the one that answers.
        platform: what runs it.
        signature: what it takes and answers.
    """
    return {
        "name": model,
        "versions": [str(version)],
        "platform": platform,
        "inputs": [_described(spec) for spec in signature.inputs],
        "outputs": [_described(spec) for spec in signature.outputs],
    }


def _described(spec: TensorSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"name": spec.name, "datatype": spec.datatype, "shape": [*spec.shape]}
    if spec.columns:
        found["parameters"] = {"columns": [*spec.columns]}
    return found


def _split(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    if header_length is None:
        return body, b""
    if not header_length.isdecimal() or int(header_length) > len(body):
        raise ProtocolError(
            f"Inference-Header-Content-Length: {header_length!r} is no length within the "
            f"{len(body)} bytes of the body"
        )
    length = int(header_length)
    return body[:length], body[length:]


def _wanted(request: Mapping[str, Any]) -> dict[str, bool]:
    wanted = {}
    for item in _of(list, request.get("outputs") or [], "outputs"):
        entry = _of(dict, item, "an output")
        name = _of(str, entry.get("name"), "the name of an output")
        wanted[name] = bool(_parameters(entry).get("binary_data"))
    return wanted


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = _of(dict, entry.get("parameters") or {}, "parameters")
    if "shared_memory_region" in found:
        raise ProtocolError("shared memory is not served: send the data in the request")
    return found


def _from_json(name: str, entry: Mapping[str, Any]) -> Tensor:
    dtype, shape = _type_and_shape(name, entry)
    data = _of(list, entry.get("data"), f"data of the input {name!r}")
    try:
        tensor = np.array(data, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        said = f"the data of the input {name!r} is no {entry['datatype']}: {error}"
        raise ProtocolError(said) from None
    if dtype == "object":
        tensor = tensor.ravel()
        if wrong := [text for text in tensor.tolist() if not isinstance(text, str)]:
            raise ProtocolError(f"the input {name!r} is of texts, and has {wrong[0]!r}")
    return _shaped(name, tensor, shape)


def _from_bytes(name: str, entry: Mapping[str, Any], data: bytes) -> Tensor:
    dtype, shape = _type_and_shape(name, entry)
    if dtype == "object":
        return _shaped(name, np.array(_texts(name, data), dtype="object"), shape)
    try:
        return _shaped(name, np.frombuffer(data, dtype), shape)
    except ValueError as error:
        raise ProtocolError(f"the bytes of the input {name!r}: {error}") from None


def _type_and_shape(name: str, entry: Mapping[str, Any]) -> tuple[str, list[int]]:
    datatype = _of(str, entry.get("datatype"), f"datatype of the input {name!r}")
    shape = _of(list, entry.get("shape"), f"shape of the input {name!r}")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ProtocolError(f"the shape of the input {name!r} is {shape}: give lengths")
    return dtype_of(datatype), shape


def _shaped(name: str, tensor: Tensor, shape: Sequence[int]) -> Tensor:
    try:
        return tensor.reshape(shape)
    except ValueError:
        raise ProtocolError(
            f"the input {name!r} has {tensor.size} values, which is not its shape {[*shape]}"
        ) from None


def _texts(name: str, data: bytes) -> list[str]:
    found, place = [], 0
    try:
        while place < len(data):
            (size,) = _SIZE.unpack_from(data, place)
            place += _SIZE.size + size
            if place > len(data):
                raise ValueError("it ends within a text")
            found.append(data[place - size : place].decode())
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"the bytes of the input {name!r} are no texts: {error}") from None
    return found


def _to_bytes(tensor: Tensor) -> bytes:
    if tensor.dtype.kind != "O":
        return tensor.tobytes()
    texts = [str(text).encode() for text in tensor.ravel().tolist()]
    return b"".join(part for text in texts for part in (_SIZE.pack(len(text)), text))


def _of(kind: type[Any], value: Any, what: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
        said = "is missing" if value is None else f"is {json.dumps(value)[:60]}"
        raise ProtocolError(f"{what} {said}: it must be {words[kind]}")
    return value


# Of an output's kind and bytes; texts are objects.
_DATATYPES = {
    ("b", 1): "BOOL",
    ("O", 8): "BYTES",
    **{("i", bits // 8): f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{("u", bits // 8): f"UINT{bits}" for bits in (8, 16, 32, 64)},
    **{("f", bits // 8): f"FP{bits}" for bits in (16, 32, 64)},
}
