"""Models of a given size: dense networks with weights at random, as files in ONNX."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline.models.conversion import SMALLER
from podline_studies.updates.design import Cell
from podline_studies.updates.nodes import FILE

if TYPE_CHECKING:
    from podline.models.conversion import Predict
    from podline.models.publishing import Version

COLUMNS = 32
ROW = [round(math.sin(column), 3) for column in range(COLUMNS)]  # that predictions are asked of


def write_dense(folder: Path, size: int, seed: int) -> Path:
    """Write a network of two hidden layers; returns its file, of the name `FILE`.

    Args:
        folder: that it is written into.
        size: of its weights, in bytes; the file has some hundred more.
        seed: of its weights.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    width = width_of(size)
    chance = np.random.default_rng(seed)
    shapes = {"first": (COLUMNS, width), "second": (width, width), "third": (width, 1)}
    weights = {
        name: chance.normal(0, math.sqrt(2 / shape[0]), shape).astype("float32")
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("MatMul", ["input", "first"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "second"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "third"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", COLUMNS])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(of, name) for name, of in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / FILE)
    return folder / FILE


def width_of(size: int) -> int:
    """How wide the hidden layers are: its square and 33 times it are a fourth of the bytes."""
    ends = COLUMNS + 1
    return max(1, round((math.sqrt(ends**2 + size) - ends) / 2))


def publish_cell(path: Path, name: str, cell: Cell) -> "Version":
    """Publish a model as the next version of a name; an edge takes it in the cell's form.

    Args:
        path: of the model, a file of the name `FILE`.
        name: of the model in the registry.
        cell: what it is.
    """
    from podline.models.publishing import publish

    if cell.form in SMALLER:
        return publish(path, name, edge=(cell.form,), evaluate=_mean)
    return publish(path, name)


def file_of(form: str) -> str:
    """The file of a version that a node fetches."""
    return f"model.{form}.onnx" if form in SMALLER else FILE


def _mean(predict: "Predict") -> dict[str, Any]:
    """A metric, which a smaller form must have: how much it moves the mean answer to some rows."""
    import numpy as np

    rows = np.random.default_rng(1).normal(size=(64, COLUMNS)).astype("float32")
    return {"mean": float(np.mean(predict(rows)))}
