"""Models to publish, and versions of one that has been."""

from collections.abc import Callable
from pathlib import Path

import pytest

from podline.models.manifest import Lineage, Manifest
from podline.models.registry import Model
from podline.store import Store

Add = Callable[..., Manifest]


@pytest.fixture
def power(store: Store) -> Model:
    """A model without versions."""
    return Model(store, "power")


@pytest.fixture
def add(power: Model, tmp_path: Path) -> Add:
    """Adds a version to `power`, of the files that are given by path and content."""

    def version(files: dict[str, bytes] | None = None, **metrics: float) -> Manifest:
        folder = tmp_path / "files"
        paths = []
        for path, content in (files or {"model.tflite": b"weights"}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
            paths.append(folder / path)
        number = power.claim()
        made = Manifest(
            name=power.name,
            version=number,
            created="2026-01-01T00:00:00.000+00:00",
            type="file model.tflite",
            formats={"tflite": "model.tflite"},
            files=tuple(power.add_files(number, folder, paths)),
            metrics=metrics,
            parameters={"rows": 1000, "features": ["power", "voltage"]},
            origin=Lineage(data={"household_power": "ab12"}),
            libraries={"python": "3.13.5"},
        )
        power.complete(made)
        return made

    return version
