"""Names that mean a version, moved by compare-and-set."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store import Conflict, ObjectMissing, Store, keys

LATEST = "latest"  # the newest version, moved by each publisher
CHAMPION = "champion"  # the one that a new version is compared with

_KEPT = 100  # earlier versions that a roll back can go to


class AliasError(PodlineError):
    """An alias cannot be moved."""


@dataclass(frozen=True)
class Alias(Json):
    """What an alias means.

    Attributes:
        version: the number; 0: it means none any more.
        before: the versions that it meant before, the last one last.
        moved: when it was moved to this one (ISO 8601, UTC).
    """

    version: int
    before: tuple[int, ...]
    moved: str


Move = Callable[[Alias | None], int | None]


class Aliases:
    """The aliases of one model.

    Args:
        store: where they are.
        model: the model's name.
    """

    def __init__(self, store: Store, model: str) -> None:
        self.store, self.model = store, model

    def get(self, name: str) -> Alias | None:
        """What an alias means; None: there is no such alias."""
        return self._read(name)[0]

    def all(self) -> dict[str, Alias]:
        """Each alias by its name."""
        prefix = keys.join(keys.MODELS, self.model, "aliases")
        names = [keys.split(item.key)[-1] for item in self.store.list(prefix)]
        return {name: alias for name in sorted(names) if (alias := self.get(name)) is not None}

    def move(self, name: str, to: Move) -> Alias | None:
        """Move an alias, however many others move it at the same time.

        Args:
            name: the alias.
            to: gives the version for what the alias means now, or None to leave it. It is asked
                again where somebody else was faster.

        Returns:
            What it means then.
        """
        while True:
            alias, etag = self._read(name)
            version = to(alias)
            if version is None or (alias and alias.version == version):
                return alias
            before = (*alias.before, alias.version)[-_KEPT:] if alias else ()
            with suppress(Conflict):
                return self._swap(name, Alias(version, before, now()), etag)

    def roll_back(self, name: str, live: Callable[[int], bool]) -> Alias:
        """Move an alias back to what it meant before.

        Args:
            name: the alias.
            live: whether a version is still there; those that are not are passed over.

        Raises:
            AliasError: there is no such alias, or nothing to go back to.
        """
        while True:
            alias, etag = self._read(name)
            if alias is None:
                known = ", ".join(self.all()) or "none"
                raise AliasError(f"{self.model} has no alias {name!r}: it has {known}")
            back = _before(alias, live)
            if not back.version:
                raise AliasError(
                    f"{name!r} of {self.model} meant no version before {alias.version} that is "
                    "still there: promote one"
                )
            with suppress(Conflict):
                return self._swap(name, back, etag)

    def leave(self, name: str, version: int, live: Callable[[int], bool]) -> None:
        """Move an alias off a version that is gone, to what it meant before, if anything.

        Args:
            name: the alias.
            version: the one that is gone; an alias that means another by now stays.
            live: whether a version is still there.
        """
        while True:
            alias, etag = self._read(name)
            if alias is None or alias.version != version:
                return
            with suppress(Conflict):
                self._swap(name, _before(alias, live), etag)

    def pointing_at(self, version: int) -> list[str]:
        """The aliases that mean a version."""
        return [name for name, alias in self.all().items() if alias.version == version]

    def _read(self, name: str) -> tuple[Alias | None, str | None]:
        try:
            data, etag = self.store.get_version(keys.alias_key(self.model, name))
        except ObjectMissing:
            return None, None
        alias = Alias.from_json(bytes(data))
        return (alias if alias.version else None), etag

    def _swap(self, name: str, alias: Alias, etag: str | None) -> Alias:
        self.store.swap(keys.alias_key(self.model, name), alias.to_json().encode(), etag)
        return alias


def _before(alias: Alias, live: Callable[[int], bool]) -> Alias:
    before = [version for version in alias.before if live(version)]
    return Alias(before[-1] if before else 0, tuple(before[:-1]), now())


def now() -> str:
    """The time, as manifests and aliases have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
