"""What is done to a model in ONNX: names that stay from version to version, and smaller weights."""

import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto

_SMALL = 64  # numbers: less is not worth a cast


def rename(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Give a model's inputs and outputs names, in their order.

    Args:
        path: the model's file.
        inputs: their names; none: they keep theirs.
        outputs: their names; what the model has beyond these is no longer an output.
    """
    import onnx

    model = onnx.load(path)
    graph = model.graph
    del graph.output[len(outputs) :]
    stored = {tensor.name for tensor in graph.initializer}
    given = [value for value in graph.input if value.name not in stored]
    names = dict(zip((value.name for value in given), inputs or (), strict=False))
    names |= dict(zip((value.name for value in graph.output), outputs, strict=False))
    _rename(graph, {old: new for old, new in names.items() if old != new})
    onnx.save(model, path)


def _rename(graph: "GraphProto", names: dict[str, str]) -> None:
    # Whatever has one of the new names already gets out of the way.
    names = {new: f"{new}__" for new in names.values() if new not in names} | names
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
        for inner in _inner(node):
            _rename(inner, names)


def _inner(node: Any) -> Iterable["GraphProto"]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def has_weights(path: Path) -> bool:
    """Whether a model has tensors of single precision that a smaller form has smaller."""
    import onnx

    return any(map(_is_weights, onnx.load(path).graph.initializer))


def _is_weights(tensor: Any) -> bool:
    import onnx

    return bool(tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) >= _SMALL)


def halve(path: Path, target: Path) -> None:
    """Write a model whose weights have half the bytes; it computes with single precision still.

    Args:
        path: the model's file.
        target: the file of the smaller one.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if not _is_weights(tensor):
            continue
        weights = numpy_helper.to_array(tensor)
        if np.abs(weights).max() > np.finfo("float16").max:
            continue
        half = f"{tensor.name}__half"
        casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(weights.astype("float16"), half))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, target)


def quantize(path: Path, target: Path) -> None:
    """Write a model whose weights are whole numbers of eight bits, by ONNX Runtime's own way.

    Args:
        path: the model's file.
        target: the file of the smaller one.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():  # it says to preprocess a model that is as it must be
        quantize_dynamic(path, target, weight_type=QuantType.QUInt8)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what libraries warn of that is as it must be."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.disable(logging.NOTSET)
