"""What runs a model that an edge serves: ONNX Runtime, or LiteRT where it has that form."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from podline.exceptions import PodlineError
from podline.models.signature import ANY, TensorSpec, datatype_of

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, "np.ndarray[Any, Any]"]

_ONNX_TYPES = {"float": "FP32", "double": "FP64", "float16": "FP16", "string": "BYTES"}


class RuntimeFailure(PodlineError):
    """A model cannot be loaded, or does not run."""


class Runtime(Protocol):
    """A loaded model; several threads may run it at once."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, given: "Tensors") -> "dict[str, np.ndarray[Any, Any]]":
        """The outputs by name.

        Raises:
            RuntimeFailure: the model does not run.
        """
        ...


def load(path: Path, threads: int = 1) -> Runtime:
    """Load a model.

    Args:
        path: its file, ``.onnx`` or ``.tflite``.
        threads: how many a run may use.

    Raises:
        RuntimeFailure: it cannot be loaded.
    """
    kind = LiteRuntime if path.suffix == ".tflite" else OnnxRuntime
    try:
        return kind(path, threads)
    except RuntimeFailure:
        raise
    except Exception as error:  # of any kind: the runtime's own
        raise RuntimeFailure(f"{path.name} cannot be loaded: {_first_line(error)}") from None


class OnnxRuntime:
    """A model in ONNX Runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what is wrong is raised
        # Threads that spin for work take the processor from requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = tuple(map(_onnx_spec, self._session.get_inputs()))
        self.outputs = tuple(map(_onnx_spec, self._session.get_outputs()))
        self._names = [spec.name for spec in self.outputs]

    def run(self, given: "Tensors") -> "dict[str, np.ndarray[Any, Any]]":
        """The outputs by name.

        Raises:
            RuntimeFailure: the model does not run.
        """
        try:
            found = self._session.run(self._names, given)
        except Exception as error:  # of any kind: the runtime's own
            raise RuntimeFailure(f"the model does not run: {_first_line(error)}") from None
        return dict(zip(self._names, found, strict=True))


class LiteRuntime:
    """A model in LiteRT, row by row: recurrent layers run with one fixed number of rows only."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=threads)
        (name,) = interpreter.get_signature_list()
        self._run = interpreter.get_signature_runner(name)
        self._lock = threading.Lock()
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        # The converter numbers outputs, also where there is one.
        self._answered = dict(zip(numbered("output", len(outputs)), sorted(outputs), strict=True))
        self.inputs = _lite_specs(inputs, {name: name for name in inputs})
        self.outputs = _lite_specs(outputs, self._answered)

    def run(self, given: "Tensors") -> "dict[str, np.ndarray[Any, Any]]":
        """The outputs by name.

        Raises:
            RuntimeFailure: the model does not run.
        """
        import numpy as np

        rows = len(next(iter(given.values())))
        with self._lock:
            try:
                found = [self._row(given, row) for row in range(rows)]
            except Exception as error:  # of any kind: the runtime's own
                raise RuntimeFailure(f"the model does not run: {_first_line(error)}") from None
        if not found:
            return {spec.name: np.empty((0, *spec.shape[1:]), "float32") for spec in self.outputs}
        return {name: np.concatenate([row[name] for row in found]) for name in found[0]}

    def _row(self, given: "Tensors", row: int) -> "dict[str, np.ndarray[Any, Any]]":
        found = self._run(**{name: tensor[row : row + 1] for name, tensor in given.items()})
        return {name: found[its] for name, its in self._answered.items()}


def _onnx_spec(argument: Any) -> TensorSpec:
    kind = argument.type.removeprefix("tensor(").removesuffix(")")
    if not argument.type.startswith("tensor("):
        raise RuntimeFailure(f"{argument.name} is a {argument.type}, and only tensors are served")
    shape = tuple(length if isinstance(length, int) else ANY for length in argument.shape)
    return TensorSpec(argument.name, _ONNX_TYPES.get(kind, kind.upper()), shape)


def _lite_specs(details: Mapping[str, Any], names: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    import numpy as np

    return tuple(
        TensorSpec(
            name,
            datatype_of(np.empty(0, details[its]["dtype"])),
            (ANY, *(int(length) for length in details[its]["shape"][1:])),
        )
        for name, its in names.items()
    )


def numbered(word: str, count: int) -> list[str]:
    """Names of tensors that have none of their own: the word, numbered where there are several."""
    return [word] if count == 1 else [f"{word}_{number}" for number in range(count)]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
