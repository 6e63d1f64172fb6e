"""Models and their versions, in an S3 store and nothing else.

A version's number is taken by a claim, its files follow, and its manifest comes last, by a
conditional put: a version is complete or not there. It is removed by a tombstone in its manifest's
place, so that no number comes twice and a publisher who was given up cannot come to an end.

An alias and a version's removal are two objects. Whoever moves an alias looks at the version
afterwards, and whoever removes a version looks at the aliases afterwards: at least one of two who
do it at once sees the other, and steps back.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from podline.exceptions import PodlineError
from podline.models import manifest as manifests
from podline.models.aliases import Alias, Aliases, now
from podline.models.manifest import Manifest, ModelFile, Tombstone
from podline.store import AlreadyExists, Conflict, ObjectMissing, Store, keys
from podline.store.upload import Progress

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_RACES = 1000  # other publishers that may take a number before us
_READERS = 16  # requests at once


class RegistryError(PodlineError):
    """The registry has no such thing, or refuses."""


class VersionGone(RegistryError):
    """A version was removed, or given up, meanwhile."""


class AliasMoved(RegistryError):
    """An alias means another version than was expected."""


@dataclass(frozen=True)
class Difference:
    """A field in which two versions differ; None: it has no such field."""

    field: str
    one: object
    other: object


def models(store: Store) -> list[str]:
    """The names of the models that have versions."""
    return [keys.split(folder)[-1] for folder in store.list_folders(keys.MODELS)]


def check_name(what: str, name: str) -> str:
    """Return the name of a model or an alias if it can be one.

    Args:
        what: ``a model`` or ``an alias``, for the error.
        name: the name.

    Raises:
        RegistryError: it cannot.
    """
    if not _NAME.fullmatch(name) or (what == "an alias" and name.isdecimal()):
        number = ", and an alias is not a number" if what == "an alias" else ""
        raise RegistryError(
            f"{name!r} is no name for {what}: give letters, digits, dots, dashes and "
            f"underscores, 100 at most, a letter or digit first{number}"
        )
    return name


def check_team(team: str, name: str) -> None:
    """Refuse a model that is not the team's own.

    Args:
        team: who publishes; empty: no team does.
        name: the model's.

    Raises:
        RegistryError: its name does not begin as the team's do.
    """
    if not name.startswith(prefix := keys.team_prefix(team)):
        raise RegistryError(
            f"the team {team!r} cannot publish the model {name!r}: the names of its models begin "
            f"with {prefix!r}. fix: publish it as '{prefix}{name}'"
        )


class Model:
    """A model in the registry: its versions and its aliases.

    Args:
        store: where they are.
        name: the model's name.

    Raises:
        RegistryError: it is no name for a model.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, check_name("a model", name)
        self.aliases = Aliases(store, name)

    # --- reading -----------------------------------------------------------------------------

    def versions(self) -> list[Manifest]:
        """The versions that are complete, the newest first."""
        numbers = sorted(self._numbers(), reverse=True)
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(self._read, numbers)
        return [entry for entry in found if isinstance(entry, Manifest)]

    def newest(self) -> Iterator[Manifest]:
        """The versions that are complete, the newest first, each read when it is asked for."""
        found = map(self._read, sorted(self._numbers(), reverse=True))
        return (entry for entry in found if isinstance(entry, Manifest))

    def version(self, which: int | str) -> Manifest:
        """A version by its number or by an alias.

        Raises:
            RegistryError: there is no such version or alias.
        """
        return self._version(self._number(which))[0]

    def download(self, which: int | str, folder: Path) -> Manifest:
        """Write the files of a version into a folder, each checked by its hash.

        Returns:
            The version's manifest.

        Raises:
            RegistryError: there is no such version, or a file is not what was published.
        """
        found = self.version(which)
        for file in found.files:
            path = folder / file.path
            if self.store.download(self._key(found.version, file.path), path) != file.sha256:
                path.unlink()
                raise _spoilt(found, file)
        return found

    def open_file(self, which: int | str, path: str) -> tuple[ModelFile, Iterator[bytes]]:
        """A file of a version, and its bytes: the last of them only if all are as published.

        Args:
            which: the version.
            path: the file's, in the version.

        Raises:
            RegistryError: there is no such version or file.
        """
        found = self.version(which)
        for file in found.files:
            if file.path == path:
                return file, self._checked(found, file)
        known = _listed([file.path for file in found.files])
        raise RegistryError(f"{found} has no file {path!r}: it has {known}")

    def verify(self, which: int | str) -> list[str]:
        """Read a version's files again, and compare them with its manifest.

        Returns:
            What is wrong, a line a file; empty: nothing.
        """
        found = self.version(which)
        with ThreadPoolExecutor(_READERS) as pool:
            told = pool.map(lambda file: self._problem(found.version, file), found.files)
        return [problem for problem in told if problem]

    def diff(self, one: int | str, other: int | str) -> list[Difference]:
        """In which fields two versions differ."""
        mine, theirs = _fields(self.version(one)), _fields(self.version(other))
        return [
            Difference(field, mine.get(field), theirs.get(field))
            for field in dict.fromkeys([*mine, *theirs])
            if mine.get(field) != theirs.get(field)
        ]

    # --- adding ------------------------------------------------------------------------------

    def claim(self) -> int:
        """Take the next number.

        Raises:
            RegistryError: others were always faster.
        """
        claim = now().encode()
        first = 1 + max(self._numbers(), default=0)
        for number in range(first, first + _MOST_RACES):
            if self.store.put_if_absent(keys.claim_key(self.name, number), claim):
                return number
        raise RegistryError(f"{_MOST_RACES} other publishers of {self.name} were faster: try again")

    def add_files(
        self, number: int, folder: Path, paths: Iterable[Path], progress: Progress | None = None
    ) -> list[ModelFile]:
        """Store files of a version whose number is taken.

        Args:
            number: of `claim`.
            folder: what the files' paths in the version begin after.
            paths: the files.
            progress: as `Store.put` calls it, from several threads.
        """

        def add(path: Path) -> ModelFile:
            name = path.relative_to(folder).as_posix()
            digest = self.store.put_same(self._key(number, name), path, progress)
            return ModelFile(name, path.stat().st_size, digest)

        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(add, paths))

    def complete(self, manifest: Manifest) -> None:
        """Make a version visible, whose files are stored.

        Raises:
            VersionGone: it was given up, since its publisher took so long.
        """
        try:
            self._put(manifest.version, manifest)
        except AlreadyExists:
            raise VersionGone(
                f"{manifest} was given up while it was being published: publish it again"
            ) from None

    # --- moving aliases ----------------------------------------------------------------------

    def promote(self, which: int | str, alias: str) -> Alias:
        """Have an alias mean a version.

        Raises:
            RegistryError: there is no such version.
        """
        check_name("an alias", alias)
        version = self.version(which).version
        return self._moved(alias, self.aliases.move(alias, lambda _: version))

    def replace(self, alias: str, version: int, expected: int | None) -> Alias:
        """Have an alias mean a version if it means what is expected.

        Args:
            alias: the alias.
            version: the number.
            expected: of the version that it means by now; None: none.

        Raises:
            AliasMoved: it means another.
            RegistryError: there is no such version.
        """
        check_name("an alias", alias)
        self.version(version)

        def to(old: Alias | None) -> int:
            means = old.version if old else None
            if means != expected:
                raise AliasMoved(
                    f"{alias!r} of {self.name} means {_named(means)} by now, not "
                    f"{_named(expected)}: look at it again"
                )
            return version

        return self._moved(alias, self.aliases.move(alias, to))

    def promote_if(self, alias: str, number: int, better: Callable[[Alias | None], bool]) -> Alias:
        """Have an alias mean a version if that is better than what it means by then.

        Args:
            alias: the alias.
            number: the version.
            better: says so of what the alias means; asked again where somebody was faster.

        Returns:
            What the alias means then.
        """
        to = self.aliases.move(alias, lambda old: number if better(old) else None)
        return self._moved(alias, to)

    def roll_back(self, alias: str) -> Alias:
        """Have an alias mean what it meant before.

        Raises:
            AliasError: there is nothing to go back to.
        """
        return self._moved(alias, self.aliases.roll_back(alias, self._is_live))

    def _moved(self, alias: str, to: Alias | None) -> Alias:
        """Look whether the version is still there, now that others see the alias."""
        assert to is not None
        if not self._is_live(to.version):
            self.aliases.leave(alias, to.version, self._is_live)
            raise VersionGone(f"{self.name} version {to.version} was deleted meanwhile")
        return to

    # --- removing ----------------------------------------------------------------------------

    def delete(self, which: int) -> None:
        """Remove a version. Its number is not used again.

        Raises:
            RegistryError: an alias means it, or there is no such version.
        """
        self._refuse_aliased(which)
        manifest, etag = self._version(which)
        key = keys.manifest_key(self.name, which)
        tombstone = Tombstone(now(), "deleted").to_json().encode()
        try:
            etag = self.store.swap(key, tombstone, etag)
        except Conflict:
            raise VersionGone(f"{manifest} was deleted by someone else") from None
        try:
            self._refuse_aliased(which)
        except RegistryError:
            self.store.swap(key, manifest.to_json().encode(), etag)
            raise
        self._remove_files(which)

    def abandon(self, older_than: timedelta, dry_run: bool = False) -> list[int]:
        """Give up versions whose publisher did not come to an end, and remove what they left.

        Args:
            older_than: how long ago their number must have been taken.
            dry_run: only say which.

        Returns:
            The numbers of those that were given up.
        """
        found = []
        limit = datetime.now(UTC) - older_than
        for number in sorted(self._numbers()):
            left = self._read(number) is None and self._claimed(number) < limit
            if left and (dry_run or self._give_up(number)):
                found.append(number)
        return found

    def _give_up(self, number: int) -> bool:
        try:
            self._put(number, Tombstone(now(), "abandoned"))
        except AlreadyExists:
            return False  # it came to an end after all
        self._remove_files(number)
        return True

    # --- within ------------------------------------------------------------------------------

    def _numbers(self) -> list[int]:
        """The numbers that are taken, whatever became of them."""
        folders = self.store.list_folders(keys.join(keys.MODELS, self.name, "versions"))
        return [int(keys.split(folder)[-1]) for folder in folders]

    def _number(self, which: int | str) -> int:
        if isinstance(which, int) or which.isdecimal():
            return int(which)
        alias = self.aliases.get(check_name("an alias", which))
        if alias is None:
            raise RegistryError(f"{self.name} has no alias {which!r}: {self._known()}")
        return alias.version

    def _known(self) -> str:
        numbers = [str(manifest.version) for manifest in reversed(self.versions())]
        if not numbers:
            return f"nothing is published under this name; there is {_listed(models(self.store))}"
        return f"it has {_listed(numbers)}, and the aliases {_listed([*self.aliases.all()])}"

    def _is_live(self, number: int) -> bool:
        return isinstance(self._read(number), Manifest)

    def _version(self, number: int) -> tuple[Manifest, str]:
        """A version and its manifest's ETag."""
        found, etag = self._entry(number)
        if isinstance(found, Manifest):
            return found, etag
        if isinstance(found, Tombstone):
            raise VersionGone(f"{self.name} version {number} was {found.why} at {found.removed}")
        raise RegistryError(f"{self.name} has no version {number}: {self._known()}")

    def _read(self, number: int) -> Manifest | Tombstone | None:
        return self._entry(number)[0]

    def _entry(self, number: int) -> tuple[Manifest | Tombstone | None, str]:
        """What stands in a manifest's place, and its ETag."""
        key = keys.manifest_key(self.name, number)
        try:
            data, etag = self.store.get_version(key)
        except ObjectMissing:
            return None, ""
        return manifests.read(key, bytes(data)), etag

    def _put(self, number: int, what: Manifest | Tombstone) -> None:
        self.store.put_same(keys.manifest_key(self.name, number), what.to_json().encode())

    def _claimed(self, number: int) -> datetime:
        try:
            return self.store.head(keys.claim_key(self.name, number)).modified
        except ObjectMissing:  # what is there was not put there by a publisher
            return datetime.now(UTC)

    def _checked(self, found: Manifest, file: ModelFile) -> Iterator[bytes]:
        digest, held = hashlib.sha256(), b""
        for piece in self.store.pieces(self._key(found.version, file.path)):
            digest.update(piece)
            if held:
                yield held
            held = piece
        if digest.hexdigest() != file.sha256:
            raise _spoilt(found, file)
        yield held

    def _key(self, number: int, path: str) -> str:
        return keys.version_key(self.name, number, path)

    def _problem(self, number: int, file: ModelFile) -> str:
        key = self._key(number, file.path)
        try:
            if self.store.digest(key) == file.sha256:
                return ""
            size = self.store.head(key).size
        except ObjectMissing:
            return f"{file.path} is missing"
        if size != file.bytes:
            return f"{file.path} has {size} bytes, and {file.bytes} were published"
        return f"{file.path} has another sha256 than was published"

    def _refuse_aliased(self, number: int) -> None:
        if names := self.aliases.pointing_at(number):
            raise RegistryError(
                f"{self.name} version {number} is what {_listed(names)} means: move the alias "
                "first, with `podline models promote` or `podline models rollback`"
            )

    def _remove_files(self, number: int) -> None:
        prefix = keys.join(keys.MODELS, self.name, "versions", number)
        stay = {keys.manifest_key(self.name, number), keys.claim_key(self.name, number)}
        self.store.delete(item.key for item in self.store.list(prefix) if item.key not in stay)


def _fields(manifest: Manifest) -> dict[str, object]:
    """What two versions are compared by, each field by its name."""
    files = {file.path: f"{file.sha256[:12]} ({file.bytes:,} bytes)" for file in manifest.files}
    lineage = manifest.origin
    groups: dict[str, dict[str, object]] = {
        "": {"type": manifest.type, "notebook": lineage.notebook_sha256[:12]},
        "metrics": {**manifest.metrics},
        "parameters": manifest.parameters,
        "data": {**lineage.data},
        "libraries": {**manifest.libraries},
        "files": {**files},
    }
    return {
        f"{group}.{name}".strip("."): value
        for group, fields in groups.items()
        for name, value in fields.items()
    }


def _spoilt(found: Manifest, file: ModelFile) -> RegistryError:
    return RegistryError(
        f"{found}: {file.path} is not what was published, its sha256 differs. fix: "
        "publish the model again, and delete this version"
    )


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
