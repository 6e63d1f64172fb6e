"""Publishing a model: one call in a notebook makes an immutable version in the object store."""

import json
import platform
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podline.exceptions import PodlineError
from podline.store import AlreadyExists, Store, keys, open_store

_MOST_RACES = 100  # other publishers that may take a number before us


class PublishError(PodlineError):
    """A model cannot be published."""


@dataclass(frozen=True)
class Version:
    """A published version: its manifest's key says the rest."""

    name: str
    number: int
    manifest: str

    def __repr__(self) -> str:
        return f"{self.name} version {self.number} ({self.manifest})"


@dataclass(frozen=True)
class ModelFile:
    """A file of a version: its path in it, its bytes and its hash."""

    path: str
    bytes: int
    sha256: str


def publish(
    model: Any,
    name: str,
    *,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Version:
    """Publish a model as the next version of its name.

    The files go first and the manifest last, by a conditional put: a version is complete or not
    there. Of two publishers at once each gets a number of its own.

    Args:
        model: a Keras model (stored as ``.keras``) or a scikit-learn estimator (as skops).
        name: the model's name.
        metrics: numbers that say how good it is.
        parameters: what it was made from; plain values.

    Raises:
        PublishError: the model is of a type that has no safe format, or a value is not plain.
        StoreError: the store cannot be used.
    """
    store = open_store()
    with tempfile.TemporaryDirectory(prefix="podline-publish-") as folder:
        path = _write(model, Path(folder))
        first = _next_number(store, name)
        for number in range(first, first + _MOST_RACES):
            try:
                digest = store.upload(keys.version_key(name, number, path.name), path)
            except AlreadyExists:
                continue
            file = ModelFile(path.name, path.stat().st_size, digest)
            manifest = _manifest(name, number, [file], metrics or {}, parameters or {}, model)
            key = keys.manifest_key(name, number)
            store.put(key, manifest)
            return Version(name, number, key)
    raise PublishError(f"{_MOST_RACES} other publishers of {name!r} were faster: try again")


def _next_number(store: Store, name: str) -> int:
    """One more than any version that was begun, complete or not."""
    folders = store.list_folders(keys.join(keys.MODELS, name, "versions"))
    return 1 + max((int(keys.split(folder)[-1]) for folder in folders), default=0)


def _write(model: Any, folder: Path) -> Path:
    from podline.stages.artifacts import store_typed

    stored = store_typed(model, folder, "model")
    if stored is None or stored[0].name not in ("keras", "skops"):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise PublishError(
            f"a {kind} cannot be published: it has no format but a pickle, and loading one runs "
            "its code. fix: publish a Keras model or a scikit-learn estimator"
        )
    return stored[1]


def _manifest(
    name: str,
    number: int,
    files: list[ModelFile],
    metrics: Mapping[str, float],
    parameters: Mapping[str, Any],
    model: Any,
) -> bytes:
    manifest = {
        "name": name,
        "version": number,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "type": f"{type(model).__module__}.{type(model).__qualname__}",
        "files": [asdict(file) for file in files],
        "metrics": {key: float(value) for key, value in metrics.items()},
        "parameters": dict(parameters),
        "libraries": _libraries(),
        "references": [],
    }
    try:
        return json.dumps(manifest, indent=1, default=_plain).encode()
    except TypeError as error:
        raise PublishError(
            f"the parameters of {name!r} hold what is no plain value: {error}. fix: give numbers, "
            "texts, lists and dicts"
        ) from None


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's own."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def _libraries() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in ("keras", "tensorflow", "sklearn", "numpy", "pandas"):
        version = getattr(sys.modules.get(library), "__version__", None)
        if version:
            found[library] = str(version)
    return found
