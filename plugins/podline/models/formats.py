"""The forms that a model is published in. None is a pickle: loading one would run its code."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from podline.exceptions import PodlineError
from podline.frameworks import dump_skops, is_estimator, is_keras_model
from podline.models import onnx_graph, original
from podline.models.onnx_graph import quiet

KERAS, SAVED_MODEL, TFLITE, ONNX, SKOPS = "keras", "savedmodel", "tflite", "onnx", "skops"

_SUFFIXES = {".keras": KERAS, ".tflite": TFLITE, ".onnx": ONNX, ".skops": SKOPS}
_OPSET = 17  # of ONNX: what runtimes of the last years read


class FormatError(PodlineError):
    """A model cannot be published in this form."""


def write(
    model: Any, folder: Path, formats: Sequence[str], example: Any = None, onnx: bool = False
) -> dict[str, str]:
    """Write a model into an empty folder.

    Args:
        model: a Keras model, a scikit-learn estimator, or the path of a file (or of a SavedModel's
            folder) that is one already.
        folder: where to.
        formats: their names; none: ``keras`` or ``skops``, whichever the model has.
        example: rows of the model's input, where its form cannot be known otherwise.
        onnx: whether ONNX is among them, named or not.

    Returns:
        The path of each form in the folder, by the format's name.

    Raises:
        FormatError: the model has no such form.
    """
    if isinstance(model, str | Path):
        written = _copy(Path(model), folder)
        if onnx and ONNX not in written:
            raise FormatError(f"{model} is no file in ONNX, of which alone smaller forms are made")
        return written
    writers = _writers(model)
    if not writers:
        raise FormatError(
            f"a {type_of(model)} cannot be published: it has no format but a pickle, and loading "
            "one runs its code. fix: publish a Keras model or a scikit-learn estimator, or the "
            "path of a file of another format"
        )
    chosen = [formats] if isinstance(formats, str) else [*formats] or [next(iter(writers))]
    if onnx and ONNX not in chosen:
        chosen.append(ONNX)
    if unknown := [name for name in chosen if name not in writers]:
        raise FormatError(
            f"a {type_of(model)} cannot be published as {unknown[0]!r}: give some of "
            f"{', '.join(writers)}"
        )
    return {name: writers[name](model, folder, example).name for name in chosen}


def type_of(model: Any) -> str:
    """The model's type, as its manifest has it."""
    if isinstance(model, str | Path):
        return f"file {Path(model).name}"
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _writers(model: Any) -> dict[str, Callable[[Any, Path, Any], Path]]:
    if is_keras_model(model):
        writers = (_write_keras, _export_saved_model, _convert_to_tflite, _convert_to_onnx_of_keras)
        return dict(zip((KERAS, SAVED_MODEL, TFLITE, ONNX), writers, strict=True))
    return {SKOPS: _write_skops, ONNX: _convert_to_onnx} if is_estimator(model) else {}


# --- Keras


def _write_keras(model: Any, folder: Path, example: Any) -> Path:
    path = folder / "model.keras"
    model.save(path)
    _refuse_code(path)
    return path


def _refuse_code(path: Path) -> None:
    """A lambda is stored as bytecode, which loading the model would run."""
    with zipfile.ZipFile(path) as file:
        config = file.read("config.json").decode()
    if '"__lambda__"' in config:
        raise FormatError(
            "the Keras model has a lambda, which is stored as code that loading it would run. fix: "
            "use a layer or a function of Keras instead, or a registered function of your own"
        )


def _export_saved_model(model: Any, folder: Path, example: Any) -> Path:
    path = folder / "savedmodel"
    model.export(path, format="tf_saved_model", verbose=False)
    return path


def _convert_to_tflite(model: Any, folder: Path, example: Any) -> Path:
    import keras
    import tensorflow as tf

    # With one row at a time: with any number of them a recurrent layer converts, and crashes.
    inputs = [
        keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype=tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, original.input_names(model), strict=True)
    ]
    fixed = keras.Model(inputs, model(inputs if len(inputs) > 1 else inputs[0]))
    path = folder / "model.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())
    return path


def _convert_to_onnx_of_keras(model: Any, folder: Path, example: Any) -> Path:
    """Keras' own export takes the constants of a layer, such as a scaling's mean, for inputs."""
    _require("tf2onnx")
    import keras
    import tensorflow as tf
    import tf2onnx
    from keras.src.export.tf2onnx_lib import patch_tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    path = folder / "model.onnx"
    original.answers(model, original.some_rows(model, example))  # it must have been called once
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]

    def answer(*rows: Any) -> Any:
        return keras.tree.flatten(model(rows if len(rows) > 1 else rows[0], training=False))

    with quiet():
        patch_tf2onnx()  # for numpy 2, as Keras does before its own export
        whole = convert_variables_to_constants_v2(
            tf.function(answer).get_concrete_function(*specs),
            lower_control_flow=False,
            aggressive_inlining=True,
        )
        tf2onnx.convert.from_graph_def(
            whole.graph.as_graph_def(add_shapes=True),
            input_names=[tensor.name for tensor in whole.inputs],
            output_names=[tensor.name for tensor in whole.outputs],
            opset=_OPSET,
            output_path=str(path),
        )
    onnx_graph.rename(path, original.input_names(model), original.output_names(model))
    return path


# --- scikit-learn


def _write_skops(model: Any, folder: Path, example: Any) -> Path:
    path = folder / "model.skops"
    if not dump_skops(model, path):
        raise FormatError(
            f"the {type_of(model)} has parts that skops cannot store, such as functions of the "
            f"notebook. fix: publish it with formats={[ONNX]}, or without those parts"
        )
    return path


def _convert_to_onnx(model: Any, folder: Path, example: Any) -> Path:
    _require("skl2onnx")
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.base import is_classifier

    path = folder / "model.onnx"
    options: dict[str, Any] = {"target_opset": _OPSET}
    if is_classifier(model):  # probabilities as a tensor, not as a list of maps
        options["options"] = {id(model): {"zipmap": False}}
    if example is not None:
        options["X"] = _single(example[:1])
    else:
        features = getattr(model, "n_features_in_", None)
        if features is None:
            raise FormatError(
                f"the {type_of(model)} does not say how many features it takes: give some rows as "
                "example="
            )
        options["initial_types"] = [("input", FloatTensorType([None, features]))]
    path.write_bytes(to_onnx(model, **options).SerializeToString())
    inputs = () if hasattr(example, "columns") else ("input",)  # columns have names of their own
    onnx_graph.rename(path, inputs, original.output_names(model))
    return path


def _single(rows: Any) -> Any:
    """Rows with single precision: classifiers in ONNX know no other."""
    if hasattr(rows, "columns"):
        double = [name for name in rows.columns if rows[name].dtype == "float64"]
        return rows.astype(dict.fromkeys(double, "float32"))
    return rows.astype("float32") if rows.dtype == "float64" else rows


def _require(library: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise FormatError(f"publishing as ONNX needs {library}: pip install {library}")


# --- what is a file already


def _copy(path: Path, folder: Path) -> dict[str, str]:
    import shutil

    if path.is_dir() and (path / "saved_model.pb").is_file():
        shutil.copytree(path, folder / "savedmodel")
        return {SAVED_MODEL: "savedmodel"}
    name = _SUFFIXES.get(path.suffix)
    if name is None or not path.is_file():
        raise FormatError(
            f"{path} cannot be published: give a file with one of {', '.join(_SUFFIXES)}, or the "
            "folder of a SavedModel"
        )
    if name == KERAS:
        _refuse_code(path)
    target = folder / f"model{path.suffix}"
    shutil.copyfile(path, target)
    return {name: target.name}
