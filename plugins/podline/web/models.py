"""What the registry has, as answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from podline.models.aliases import Alias
from podline.models.manifest import Lineage, Manifest, ModelFile, ServedForm
from podline.models.registry import Model, RegistryError, models
from podline.models.signature import Signature
from podline.store import StoreError, open_store

May = Callable[[str], bool]  # whether the user may read a DAG


class Rights(NamedTuple):
    """What a user may do.

    Attributes:
        read: whether they may read a DAG; of a run of one that they may not, nothing is said.
        open_notebook: whether they may read its executed notebooks.
        move_aliases: whether they may have an alias mean another version.
    """

    read: May
    open_notebook: May
    move_aliases: bool


@dataclass(frozen=True)
class AliasAnswer:
    """What an alias of a model means.

    Attributes:
        version: the number.
        before: the versions that it meant before, the last one last.
        moved: when it was moved to this one (ISO 8601, UTC).
    """

    alias: str
    version: int
    before: tuple[int, ...]
    moved: str


@dataclass(frozen=True)
class ModelLine:
    """A model, and the versions that its aliases mean."""

    model: str
    aliases: dict[str, int]


@dataclass(frozen=True)
class ModelList:
    """A page of the models; `total_entries` counts all."""

    models: list[ModelLine]
    total_entries: int
    limit: int
    offset: int


@dataclass(frozen=True)
class Hidden:
    """Where a version comes from, of which the user may read nothing."""

    data: dict[str, str]
    hidden: bool = True


@dataclass(frozen=True)
class VersionAnswer:
    """A version: its manifest, the size of all its files, and the aliases that mean it.

    Attributes:
        may_open_notebook: whether the reader may open the executed cells that it comes from.
    """

    name: str
    version: int
    created: str
    type: str
    formats: dict[str, str]
    files: tuple[ModelFile, ...]
    metrics: dict[str, float]
    parameters: dict[str, Any]
    origin: Lineage | Hidden
    libraries: dict[str, str]
    seconds: dict[str, float]
    references: tuple[str, ...]
    signature: Signature | None
    sample: str
    served: tuple[ServedForm, ...]
    schema: int
    bytes: int
    aliases: list[str]
    may_open_notebook: bool


@dataclass(frozen=True)
class ModelAnswer(ModelLine):
    """A model with its versions, the newest first, and where its aliases come from.

    Attributes:
        may_move_aliases: whether the reader may: what the page offers, and the server asks again.
    """

    may_move_aliases: bool
    moves: list[AliasAnswer]
    versions: list[VersionAnswer]


@dataclass(frozen=True)
class Row:
    """A value of each version that is compared; None: it has none of this name."""

    name: str
    values: list[Any]
    changed: bool


@dataclass(frozen=True)
class VersionComparison:
    """Versions of a model side by side, in the order that was asked for.

    Attributes:
        about: type, time and notebook.
        data: the sha256 of each data set that was read.
        sizes: the bytes of each file, and of all.
    """

    model: str
    versions: list[int]
    about: list[Row]
    metrics: list[Row]
    parameters: list[Row]
    data: list[Row]
    libraries: list[Row]
    sizes: list[Row]


def listed(search: str, limit: int, offset: int) -> ModelList:
    """The models, each with what its aliases mean; none: the store is away, or has none.

    Args:
        search: a part of their names.
        limit: how many are given.
        offset: how many are passed over.
    """
    try:
        store = open_store()
        names = [name for name in models(store) if search.lower() in name.lower()]
        found = [Model(store, name) for name in names[offset : offset + limit]]
        lines = [ModelLine(model.name, _numbers(model.aliases.all())) for model in found]
        return ModelList(lines, len(names), limit, offset)
    except StoreError:
        return ModelList([], 0, limit, offset)


def one(name: str, rights: Rights) -> ModelAnswer:
    """A model's versions, the newest first, and what its aliases mean.

    Args:
        name: the model's.
        rights: of the user.

    Raises:
        RegistryError: there is no such model.
    """
    model = Model(open_store(), name)
    aliases = model.aliases.all()
    versions = model.versions()
    if not versions:
        raise RegistryError(f"there is no model {name!r}")
    numbers = _numbers(aliases)
    return ModelAnswer(
        model=name,
        aliases=numbers,
        may_move_aliases=rights.move_aliases,
        moves=[_alias(alias, means) for alias, means in aliases.items()],
        versions=[_version(version, numbers, rights) for version in versions],
    )


def compared(name: str, numbers: Sequence[int], may: May) -> VersionComparison:
    """Versions of a model side by side.

    Args:
        name: the model's.
        numbers: the versions'.
        may: whether the user may read a DAG.

    Raises:
        RegistryError: there is no such version.
    """
    model = Model(open_store(), name)
    found = [model.version(number) for number in numbers]
    origins = [_origin(version, may) for version in found]
    about = [
        {"type": version.type, "created": version.created, "notebook": _notebook(origin)}
        for version, origin in zip(found, origins, strict=True)
    ]
    sizes = [
        {**{file.path: file.bytes for file in version.files}, "all": version.bytes}
        for version in found
    ]
    return VersionComparison(
        model=name,
        versions=[version.version for version in found],
        about=_rows(about),
        metrics=_rows([version.metrics for version in found]),
        parameters=_rows([version.parameters for version in found]),
        data=_rows([origin.data for origin in origins]),
        libraries=_rows([version.libraries for version in found]),
        sizes=_rows(sizes),
    )


def file(name: str, number: int, path: str) -> tuple[ModelFile, Iterator[bytes]]:
    """A file of a version, and its bytes; see `Model.open_file`.

    Args:
        name: the model's.
        number: the version's.
        path: the file's.

    Raises:
        RegistryError: there is no such file.
    """
    return Model(open_store(), name).open_file(number, path)


def moved(name: str, alias: str, version: int, expected: int | None) -> AliasAnswer:
    """Have an alias mean a version, if it means by now what is expected.

    Args:
        name: the model's.
        alias: the alias.
        version: the number.
        expected: of the version that it means; None: none.

    Raises:
        AliasMoved: it means another.
        RegistryError: there is no such version.
    """
    return _alias(alias, Model(open_store(), name).replace(alias, version, expected))


def _numbers(aliases: Mapping[str, Alias]) -> dict[str, int]:
    return {name: alias.version for name, alias in aliases.items()}


def _alias(name: str, alias: Alias) -> AliasAnswer:
    return AliasAnswer(name, alias.version, alias.before, alias.moved)


def _version(manifest: Manifest, aliases: Mapping[str, int], rights: Rights) -> VersionAnswer:
    known: dict[str, Any] = {f.name: getattr(manifest, f.name) for f in fields(manifest)}
    known["origin"] = origin = _origin(manifest, rights.read)
    means = [name for name, number in aliases.items() if number == manifest.version]
    dag_id = "" if isinstance(origin, Hidden) else origin.dag_id
    may_open = bool(dag_id) and rights.open_notebook(dag_id)
    return VersionAnswer(**known, bytes=manifest.bytes, aliases=means, may_open_notebook=may_open)


def _origin(manifest: Manifest, may: May) -> Lineage | Hidden:
    origin = manifest.origin
    return Hidden({}) if origin.dag_id and not may(origin.dag_id) else origin


def _notebook(origin: Lineage | Hidden) -> str | None:
    return origin.notebook_sha256 if isinstance(origin, Lineage) else None


def _rows(columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row a name, those that differ first."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = []
    for name in names:
        values = [column.get(name) for column in columns]
        rows.append(Row(name, values, any(value != values[0] for value in values)))
    return sorted(rows, key=lambda row: not row.changed)
