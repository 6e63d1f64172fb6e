"""A store with a model, and versions of it that are not as they should be."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from podline.models.manifest import ModelFile
from podline.models.registry import Model
from podline.store import Store, keys
from tests.support.edge import publish_line

Publish = Callable[..., int]


@pytest.fixture
def publish(store: Store, tmp_path: Path) -> Publish:
    """Publishes a version of `power` with a slope, changed as it is told, and promotes it."""
    model = Model(store, "power")

    def version(
        slope: float,
        content: bytes | None = None,
        stored: bytes | None = None,
        promote: bool = True,
        **fields: Any,
    ) -> int:
        """Publish a version.

        Args:
            slope: of its answers.
            content: of its file in place of the model's, which its manifest says, too.
            stored: of its file, of which its manifest does not know.
            promote: whether the alias `edge` means it then.
            fields: of its manifest in place of its own.
        """
        number = publish_line(tmp_path, slope)
        key = keys.version_key("power", number, "model.onnx")
        if content is not None or stored is not None:
            store.swap(key, content if content is not None else stored or b"", store.head(key).etag)
        made = model.version(number)
        if content is not None:
            file = ModelFile("model.onnx", len(content), sha256(content).hexdigest())
            others = [other for other in made.files if other.path != file.path]
            fields["files"] = (*others, file)
        if fields:
            key = keys.manifest_key("power", number)
            changed = replace(made, **fields).to_json().encode()
            store.swap(key, changed, store.head(key).etag)
        if promote:
            model.promote(number, "edge")
        return number

    return version


@pytest.fixture
def new_keys(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Has what is published signed by a new key from now on; gives the public one."""

    def use() -> str:
        from podline.models import signing

        private, public = signing.new_keys()
        monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
        monkeypatch.setenv("AIRFLOW_CONN_SIGNER", json.dumps({"password": private}))
        return public

    return use
