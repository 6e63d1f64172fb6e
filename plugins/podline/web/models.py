"""What the registry has, as answers."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from podline.models.aliases import Alias
from podline.models.manifest import Manifest
from podline.models.registry import Model, RegistryError, models
from podline.store import StoreError, open_store

May = Callable[[str], bool]  # whether the user may read a DAG


def listed() -> list[dict[str, Any]]:
    """The models, each with what its aliases mean; none: the store is away, or has none."""
    try:
        store = open_store()
        return [_listed(Model(store, name)) for name in models(store)]
    except StoreError:
        return []


def one(name: str, may: May) -> dict[str, Any]:
    """A model's versions, the newest first, and what its aliases mean.

    Args:
        name: the model's.
        may: says of a DAG whether the user may read it; of one that they may not, nothing is said.

    Raises:
        RegistryError: there is no such model.
    """
    model = Model(open_store(), name)
    aliases = model.aliases.all()
    versions = model.versions()
    if not versions:
        raise RegistryError(f"there is no model {name!r}")
    return {
        "model": name,
        "aliases": {alias: found.version for alias, found in aliases.items()},
        "versions": [_version(manifest, aliases, may) for manifest in versions],
    }


def _listed(model: Model) -> dict[str, Any]:
    aliases = model.aliases.all()
    return {"model": model.name, "aliases": {name: one.version for name, one in aliases.items()}}


def _version(manifest: Manifest, aliases: dict[str, Alias], may: May) -> dict[str, Any]:
    origin = asdict(manifest.origin)
    if origin["dag_id"] and not may(origin["dag_id"]):
        origin = {"data": {}, "hidden": True}
    return {
        **asdict(manifest),
        "bytes": manifest.bytes,
        "origin": origin,
        "aliases": [name for name, alias in aliases.items() if alias.version == manifest.version],
    }
