"""What an edge can serve of a model: forms that answer as it does, and how far they do."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podline.exceptions import PodlineError
from podline.models import onnx_graph, original, runtimes
from podline.models.formats import ONNX, TFLITE, type_of
from podline.models.manifest import ServedForm
from podline.models.runtimes import Runtime
from podline.models.sample import Sample, difference, is_finite
from podline.models.signature import Signature, TensorSpec, dtype_of

# By how much the answers of a form may differ from the original's, of their largest number.
TOLERANCES = {ONNX: 1e-3, TFLITE: 1e-3, "onnx-float16": 1e-2, "onnx-int8": 1e-1}
SMALLER = {"float16": onnx_graph.halve, "int8": onnx_graph.quantize}
_WORTH = 0.8  # of the bytes: a form that has more is no smaller one

Predict = Callable[[Any], Any]
Evaluate = Callable[[Predict], Mapping[str, float]]


class ConversionError(PodlineError):
    """A form of a model does not answer as the model does, or is no smaller."""


@dataclass(frozen=True)
class Served:
    """What a manifest says of serving a version.

    Attributes:
        signature: what it takes and answers; `sample`: the file of its sample.
        forms: the one that an edge takes comes first.
    """

    signature: Signature
    sample: str
    forms: tuple[ServedForm, ...]


def serve(
    model: Any,
    folder: Path,
    written: Mapping[str, str],
    example: Any = None,
    edge: Sequence[str] = (),
    evaluate: Evaluate | None = None,
) -> Served | None:
    """Compare the forms of a model with it, and make the smaller ones that are asked for.

    Args:
        model: the model, or the path of a file that is one.
        folder: where its forms are; smaller ones and the sample are written there too.
        written: the path of each form by its format, of `formats.write`.
        example: rows of the model's input.
        edge: the smaller forms: ``float16``, ``int8``.
        evaluate: gives metrics for a function that answers as the model's `predict` does.

    Returns:
        None: the model has no form that an edge serves.

    Raises:
        ConversionError: a form answers otherwise, or is no smaller.
        RuntimeFailure: a form cannot be loaded, or does not run.
        OriginalError: the model does not say what it takes.
    """
    forms = [name for name in (ONNX, TFLITE) if name in written]
    if not forms:
        return None
    loaded = {name: runtimes.load(folder / written[name]) for name in forms}
    asked = _Asked(model, loaded[forms[0]], example, evaluate)
    found = [asked.compared(name, written[name], loaded[name]) for name in forms]
    smaller = [
        asked.compared(f"{ONNX}-{kind}", path, runtimes.load(folder / path))
        for kind in edge
        for path in [_made_smaller(folder, written[ONNX], kind)]
    ]
    return Served(asked.signature, asked.sample.write(folder), (*smaller, *found))


class _Asked:
    """The original model, and what it answered to the sample.

    Args:
        model: the model, or the path of a file that is one.
        first: a form of it.
        example: rows of its input, if there are any.
        evaluate: gives metrics, if they are wanted.
    """

    def __init__(self, model: Any, first: Runtime, example: Any, evaluate: Evaluate | None) -> None:
        self.model, self.evaluate = model, evaluate
        is_file = isinstance(model, str | Path)
        rows = original.some_rows(first.inputs if is_file else model, example)
        given = original.tensors(rows, first.inputs)
        answered = first.run(given) if is_file else original.answers(model, rows)
        expected = {
            spec.name: answered[spec.name].astype(dtype_of(spec.datatype))
            for spec in first.outputs
            if spec.name in answered
        }
        if not is_finite(expected):
            raise ConversionError(
                f"the {type_of(model)} itself answers NaN or infinity to its sample: find out "
                "why, or give other rows as example="
            )
        self.sample = Sample(given, expected)
        self.signature = _signature(first, original.columns_of(model, rows), expected)
        self.metrics: Mapping[str, float] = {}
        if evaluate:
            own = self._predict(first) if is_file else original.predict(model)
            self.metrics = evaluate(own)

    def compared(self, name: str, path: str, runtime: Runtime) -> ServedForm:
        """A form, if it answers as the original does.

        Args:
            name: the form's.
            path: of its file.
            runtime: what runs it.

        Raises:
            ConversionError: it answers otherwise.
        """
        apart = difference(self.sample.outputs, runtime.run(self.sample.inputs))
        tolerance = TOLERANCES[name]
        if not apart <= tolerance:
            raise ConversionError(
                f"{path} ({name}) answers otherwise than the model: by {apart:.2g} of its largest "
                f"number, and {tolerance:g} is allowed. fix: leave this form out, or give rows as "
                "example= that the model was made for"
            )
        found = self.evaluate(self._predict(runtime)) if self.evaluate else {}
        metrics = {metric: float(value) for metric, value in found.items()}
        if wrong := [metric for metric, value in metrics.items() if not math.isfinite(value)]:
            raise ConversionError(f"the metric {wrong[0]!r} of the form {name} is no number")
        changes = {metric: value - self.metrics[metric] for metric, value in metrics.items()}
        return ServedForm(name, path, apart, tolerance, metrics, changes)

    def _predict(self, runtime: Runtime) -> Predict:
        """A form's answers in the way of the original's `predict`."""

        def predict(rows: Any) -> Any:
            found = runtime.run(original.tensors(rows, self.signature.inputs))
            return original.like(self.model, [found[s.name] for s in self.signature.outputs])

        return predict


def _made_smaller(folder: Path, path: str, kind: str) -> str:
    """Make a smaller form; returns its path."""
    source, name = folder / path, f"model.{kind}.onnx"
    if not onnx_graph.has_weights(source):
        raise ConversionError(
            f"the model has no form {kind}: its weights are no tensors of single precision. fix: "
            f"leave {kind!r} out of edge="
        )
    try:
        SMALLER[kind](source, folder / name)
    except Exception as error:  # of any kind: the library's own
        raise ConversionError(f"the model has no form {kind}: {error}") from None
    before, after = source.stat().st_size, (folder / name).stat().st_size
    if after > before * _WORTH:
        raise ConversionError(
            f"as {kind} the model has {after:,} bytes, and {before:,} as it is. fix: leave "
            f"{kind!r} out of edge="
        )
    return name


def _signature(
    runtime: Runtime, columns: tuple[str, ...], expected: Mapping[str, Any]
) -> Signature:
    inputs = runtime.inputs
    if len(inputs) == 1 and len(columns) == inputs[0].shape[-1]:
        only = inputs[0]
        inputs = (TensorSpec(only.name, only.datatype, only.shape, columns),)
    outputs = tuple(spec for spec in runtime.outputs if spec.name in expected)
    return Signature(inputs, outputs)
