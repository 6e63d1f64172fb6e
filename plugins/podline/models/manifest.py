"""What a version of a model says of itself."""

from dataclasses import dataclass, field

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.models.signature import Signature

SCHEMA = 2  # raised where an older podline would misread a manifest
SERIALISE, UPLOAD = "serialise", "upload"  # steps of publishing


class ManifestError(PodlineError):
    """A manifest cannot be read."""


@dataclass(frozen=True)
class ModelFile(Json):
    """A file of a version: its path in the version's folder, its bytes and its sha256 (hex)."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Lineage(Json):
    """Where a version comes from, in its manifest's field `origin`; what is not known is empty.

    Attributes:
        dag_id, run_id, task_id, map_index, try_number: the try that published it; no DAG: it was
            published by hand.
        prefix: the try's folder in the store.
        notebook: the notebook's name.
        notebook_sha256: the hash of the notebook, in a pipeline with the files shipped with it.
        data: the sha256 of each data set that was read, by its name.
    """

    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 0
    prefix: str = ""
    notebook: str = ""
    notebook_sha256: str = ""
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServedForm(Json):
    """A form that an edge can serve.

    Attributes:
        name: ``onnx``, ``tflite``, ``onnx-float16`` or ``onnx-int8``.
        path: of its file in the version's folder.
        difference: by how much its answers to the sample differ from the original's, as a share of
            the largest number; `tolerance`: by how much they may.
        metrics: how good it is on the evaluation's data; none: it was not evaluated.
        changes: how much each metric is more than the original's.
    """

    name: str
    path: str
    difference: float
    tolerance: float
    metrics: dict[str, float] = field(default_factory=dict)
    changes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest(Json):
    """A version that is complete: all its files were stored before it.

    Attributes:
        name, version: of the model.
        created: when (ISO 8601, UTC).
        type: the model's Python type.
        formats: the path of each form that it has, by the format's name: a file's, or a folder's.
        files: all files.
        metrics: how good it is.
        parameters: what it was made from.
        origin: where it comes from.
        libraries: versions, by name.
        seconds: what publishing took: to `SERIALISE` the model, and to `UPLOAD` its files.
        references: keys of the store that it refers to, which must stay.
        signature: what it takes and answers; None: it has no form that an edge serves.
        sample: the path of rows with the original model's answers.
        served: the forms that an edge serves, the one that it takes first.
    """

    name: str
    version: int
    created: str
    type: str
    formats: dict[str, str]
    files: tuple[ModelFile, ...]
    metrics: dict[str, float]
    parameters: dict[str, object]
    origin: Lineage
    libraries: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    signature: Signature | None = None
    sample: str = ""
    served: tuple[ServedForm, ...] = ()
    schema: int = SCHEMA

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


@dataclass(frozen=True)
class Tombstone(Json):
    """What stands where a manifest was, or would have been: the number is not used again.

    Attributes:
        removed: when (ISO 8601, UTC).
        why: ``deleted``, or ``abandoned`` by a publisher that did not come to its end.
        references: none, as every object in this place says what it refers to.
    """

    removed: str
    why: str
    references: tuple[str, ...] = ()


def read(key: str, data: bytes) -> Manifest | Tombstone:
    """Read what is stored under the key of a manifest.

    Args:
        key: where it was found, for the error.
        data: what was found.

    Raises:
        ManifestError: it is neither a manifest nor a tombstone.
    """
    import json

    try:
        value = json.loads(data)
        if "removed" in value:
            return Tombstone.from_json(data)
        if value["schema"] > SCHEMA:
            raise ManifestError(
                f"{key} has schema {value['schema']}, and this podline knows {SCHEMA}: use the "
                "podline that wrote it, or a newer one"
            )
        return Manifest.from_json(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(
            f"{key} is no manifest of a model ({error!r}): podline did not write it, or an "
            "early version of it did; publish the model again"
        ) from None
