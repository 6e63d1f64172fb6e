"""What the registry has, as answers."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from podline.models.aliases import Alias
from podline.models.manifest import Manifest
from podline.models.registry import Model, RegistryError, models
from podline.store import StoreError, open_store

May = Callable[[str], bool]  # whether the user may read a DAG


@dataclass(frozen=True)
class ModelLine:
    """A model, and the versions that its aliases mean."""

    model: str
    aliases: dict[str, int]


@dataclass(frozen=True)
class ModelAnswer(ModelLine):
    """A model with its versions, the newest first: their manifests, and a little more."""

    versions: list[Mapping[str, object]]


def listed() -> list[ModelLine]:
    """The models, each with what its aliases mean; none: the store is away, or has none."""
    try:
        store = open_store()
        found = [Model(store, name) for name in models(store)]
        return [ModelLine(model.name, _numbers(model.aliases.all())) for model in found]
    except StoreError:
        return []


def one(name: str, may: May) -> ModelAnswer:
    """A model's versions, the newest first, and what its aliases mean.

    Args:
        name: the model's.
        may: says of a DAG whether the user may read it; of one that they may not, nothing is said.

    Raises:
        RegistryError: there is no such model.
    """
    model = Model(open_store(), name)
    aliases = _numbers(model.aliases.all())
    versions = model.versions()
    if not versions:
        raise RegistryError(f"there is no model {name!r}")
    return ModelAnswer(name, aliases, [_version(version, aliases, may) for version in versions])


def _numbers(aliases: Mapping[str, Alias]) -> dict[str, int]:
    return {name: alias.version for name, alias in aliases.items()}


def _version(manifest: Manifest, aliases: Mapping[str, int], may: May) -> Mapping[str, object]:
    origin = manifest.origin
    hidden = origin.dag_id and not may(origin.dag_id)
    return {
        **asdict(manifest),
        "bytes": manifest.bytes,
        "origin": {"data": {}, "hidden": True} if hidden else origin,
        "aliases": [name for name, number in aliases.items() if number == manifest.version],
    }
