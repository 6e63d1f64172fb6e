"""What the registry has, as answers.

A version is seen by who may read the DAG that published it, and one that was published by hand by
all who may read models: of others nothing is said, as if they were not there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, NamedTuple

from podline.models.aliases import Alias
from podline.models.manifest import Lineage, Manifest, ModelFile, ServedForm
from podline.models.registry import Model, RegistryError, models
from podline.models.signature import Signature
from podline.store import Store, StoreError, open_store

May = Callable[[str], bool]  # whether the user may read a DAG
_READERS = 16  # requests at once


class Rights(NamedTuple):
    """What a user may do.

    Attributes:
        read: whether they may read a DAG.
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
    origin: Lineage
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


def listed(search: str, limit: int, offset: int, may: May) -> ModelList:
    """The models, each with what its aliases mean; none: the store is away, or has none.

    Args:
        search: a part of their names.
        limit: how many are given.
        offset: how many are passed over.
        may: whether the user may read a DAG.
    """
    try:
        store = open_store()
        names = [name for name in models(store) if search.lower() in name.lower()]
        with ThreadPoolExecutor(_READERS) as pool:
            are_seen = pool.map(lambda name: any(_seen(Model(store, name).newest(), may)), names)
            found = [name for name, is_seen in zip(names, are_seen, strict=True) if is_seen]
            lines = [
                *pool.map(lambda name: _line(store, name, may), found[offset : offset + limit])
            ]
        return ModelList(lines, len(found), limit, offset)
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
    versions = [*_seen(model.versions(), rights.read)]
    if not versions:
        raise RegistryError(f"there is no model {name!r}")
    seen = {version.version for version in versions}
    aliases = {name: means for name, means in model.aliases.all().items() if means.version in seen}
    numbers = {name: means.version for name, means in aliases.items()}
    return ModelAnswer(
        model=name,
        aliases=numbers,
        may_move_aliases=rights.move_aliases,
        moves=[_alias(alias, means) for alias, means in aliases.items()],
        versions=[_answer(version, numbers, rights) for version in versions],
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
    found = [_version(model, number, may) for number in numbers]
    about = [
        {
            "type": version.type,
            "created": version.created,
            "notebook": version.origin.notebook_sha256,
        }
        for version in found
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
        data=_rows([version.origin.data for version in found]),
        libraries=_rows([version.libraries for version in found]),
        sizes=_rows(sizes),
    )


def file(name: str, number: int, path: str, may: May) -> tuple[ModelFile, Iterator[bytes]]:
    """A file of a version, and its bytes; see `Model.open_file`.

    Args:
        name: the model's.
        number: the version's.
        path: the file's.
        may: whether the user may read a DAG.

    Raises:
        RegistryError: there is no such file.
    """
    model = Model(open_store(), name)
    _version(model, number, may)
    return model.open_file(number, path)


def moved(name: str, alias: str, version: int, expected: int | None, may: May) -> AliasAnswer:
    """Have an alias mean a version, if it means by now what is expected.

    Args:
        name: the model's.
        alias: the alias.
        version: the number.
        expected: of the version that it means; None: none.
        may: whether the user may read a DAG.

    Raises:
        AliasMoved: it means another.
        RegistryError: there is no such version.
    """
    model = Model(open_store(), name)
    _version(model, version, may)
    return _alias(alias, model.replace(alias, version, expected))


def is_seen(store: Store, name: str, may: May) -> bool:
    """Whether a user may know of a model: of one without versions, everybody may.

    Args:
        store: where it is.
        name: the model's.
        may: whether the user may read a DAG.
    """
    versions = Model(store, name).newest()
    first = next(versions, None)
    return first is None or any(_seen(chain([first], versions), may))


def _seen(versions: Iterable[Manifest], may: May) -> Iterator[Manifest]:
    """Those of a model's versions that a user may see."""
    return (one for one in versions if not one.origin.dag_id or may(one.origin.dag_id))


def _version(model: Model, number: int, may: May) -> Manifest:
    """A version, if the user may see it.

    Raises:
        RegistryError: there is none, or they may not.
    """
    with suppress(RegistryError):  # which names other models
        found = model.version(number)
        if any(_seen([found], may)):
            return found
    raise RegistryError(f"{model.name} has no version {number}")


def _line(store: Store, name: str, may: May) -> ModelLine:
    """A model and those of its aliases that mean a version which the user may see."""
    model = Model(store, name)
    aliases = {alias: means.version for alias, means in model.aliases.all().items()}
    seen = set()
    for number in set(aliases.values()):
        with suppress(RegistryError):
            seen.add(_version(model, number, may).version)
    return ModelLine(name, {alias: number for alias, number in aliases.items() if number in seen})


def _alias(name: str, alias: Alias) -> AliasAnswer:
    return AliasAnswer(name, alias.version, alias.before, alias.moved)


def _answer(manifest: Manifest, aliases: Mapping[str, int], rights: Rights) -> VersionAnswer:
    known: dict[str, Any] = {f.name: getattr(manifest, f.name) for f in fields(manifest)}
    means = [name for name, number in aliases.items() if number == manifest.version]
    dag_id = manifest.origin.dag_id
    may_open = bool(dag_id) and rights.open_notebook(dag_id)
    return VersionAnswer(**known, bytes=manifest.bytes, aliases=means, may_open_notebook=may_open)


def _rows(columns: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row a name, those that differ first."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = []
    for name in names:
        values = [column.get(name) for column in columns]
        rows.append(Row(name, values, any(value != values[0] for value in values)))
    return sorted(rows, key=lambda row: not row.changed)
