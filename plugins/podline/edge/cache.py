"""Versions on this machine's disk: whole or not at all, bounded, and there without a store."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from podline.exceptions import PodlineError
from podline.files import digest_of, is_full, make_private, replacing
from podline.models import manifest as manifests
from podline.models.manifest import Manifest, ModelFile
from podline.store import Store, keys
from podline.store.keys import MANIFEST, SIGNATURE

_SPARE = 16 * 1024 * 1024  # bytes that stay free on the disk
_STATE = "serving.json"
_TRIALS = 2  # that a process may end in: once may be the machine's fault


class CacheError(PodlineError):
    """A version cannot be kept, or is not what was published."""


class Cache:
    """The versions of one model.

    Args:
        folder: theirs; it is made.
        limit: bytes that they may have in all.
        keep: how many stay, the one that serves included.
    """

    def __init__(self, folder: Path, limit: int, keep: int) -> None:
        self.folder, self.limit, self.keep = folder, limit, keep
        make_private(folder)

    # --- what serves -------------------------------------------------------------------------

    def serving(self) -> tuple[int, bool]:
        """The version that served last (0: none), and whether it is pinned."""
        try:
            state = json.loads((self.folder / _STATE).read_bytes())
            return int(state["version"]), bool(state["pinned"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, False

    def note_serving(self, version: int, pinned: bool) -> None:
        """Note which version serves, for the next start. A full disk is no reason to fail."""
        with suppress(OSError), replacing(self.folder / _STATE) as part:
            part.write_text(json.dumps({"version": version, "pinned": pinned}))

    @contextmanager
    def trying(self, version: int) -> Iterator[None]:
        """Note for the next start that a version is tried, in case its runtime ends the process.

        Raises:
            CacheError: the process ended each of the last times that it was tried.
        """
        note = self.folder / f"{version}.trying"
        try:
            times = int(note.read_text())
        except (OSError, ValueError):
            times = 0
        if times >= _TRIALS:
            raise CacheError(
                f"the server ended {times} times while it tried version {version}: that may be "
                f"the model's fault. fix: publish another, or remove {note} to have it tried again"
            )
        with suppress(OSError), replacing(note) as part:
            part.write_text(str(times + 1))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    # --- what is there -----------------------------------------------------------------------

    def versions(self) -> list[int]:
        """The versions that are complete, the newest first."""
        found = [int(path.name) for path in self.folder.iterdir() if path.name.isdecimal()]
        return sorted(filter(self.has, found), reverse=True)

    def has(self, version: int) -> bool:
        """Whether a version is complete: its manifest comes last."""
        return (self.at(version) / MANIFEST).is_file()

    def at(self, version: int) -> Path:
        """The folder of a version."""
        return self.folder / str(version)

    def read(self, version: int) -> tuple[bytes, bytes]:
        """The manifest of a version that is complete, and its signature, if it has one."""
        signature = self.at(version) / SIGNATURE
        return (
            (self.at(version) / MANIFEST).read_bytes(),
            signature.read_bytes() if signature.is_file() else b"",
        )

    def size(self) -> int:
        """What all versions have in all."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def verify(self, manifest: Manifest) -> None:
        """Read the files of a version again.

        Raises:
            CacheError: one is not what was published; the version is removed.
        """
        for file in needed(manifest):
            path = self.at(manifest.version) / file.path
            if not path.is_file() or digest_of(path) != file.sha256:
                self.remove(manifest.version)
                raise CacheError(f"{manifest}: {file.path} on this disk is not what was published")

    # --- changes -----------------------------------------------------------------------------

    def fetch(self, store: Store, manifest: Manifest, raw: bytes, signature: bytes) -> None:
        """Fetch what is needed of a version, going on where it broke off, and keep it.

        Args:
            store: where it is.
            manifest: what it says of itself.
            raw: its manifest as it is stored.
            signature: what stands beside it; empty: nothing.

        Raises:
            CacheError: it is not what was published, or there is no room.
            StoreError: the store cannot be used.
        """
        folder = self.at(manifest.version)
        try:
            self._make_room(manifest)
            folder.mkdir(exist_ok=True)
            files = needed(manifest)
            with ThreadPoolExecutor(len(files)) as pool:  # over a slow link each asks a round trip
                for fetched in [pool.submit(self._fetch_file, store, manifest, f) for f in files]:
                    fetched.result()
            if signature:
                (folder / SIGNATURE).write_bytes(signature)
            with replacing(folder / MANIFEST) as part:
                part.write_bytes(raw)
        except OSError as error:
            self.remove(manifest.version)  # what it has takes room that others need
            full = "the disk is full: make room" if is_full(error) else error.strerror
            raise CacheError(f"{manifest} cannot be kept in {self.folder}: {full}") from None

    def sync(self, version: int) -> None:
        """Have a version's files be on the disk, also after a loss of power.

        It takes longer than to load it. Without it, what is torn is found when it is verified.
        """
        with suppress(FileNotFoundError):
            for path in self.at(version).iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())

    def prune(self, serving: int, before: Sequence[int] = ()) -> None:
        """Remove the versions that are not kept, the oldest first.

        Args:
            serving: the version that stays in any case.
            before: those that served before, the last one last, which stay rather than others.
        """
        stay = dict.fromkeys([serving, *reversed(before), *self.versions()])
        kept = [version for version in stay if self.has(version)][: self.keep]
        for path in self.folder.iterdir():
            if path.name.isdecimal() and int(path.name) not in kept:
                self.remove(int(path.name))

    def remove(self, version: int) -> None:
        """Remove a version, its manifest first."""
        with suppress(OSError):
            (self.at(version) / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(self.at(version), ignore_errors=True)

    def _make_room(self, manifest: Manifest) -> None:
        """Remove versions that are not in use, the oldest first, as far as it must be."""
        needs = sum(file.bytes for file in needed(manifest))
        if needs > self.limit:
            raise CacheError(
                f"{manifest} has {needs:,} bytes, and {self.limit:,} are allowed: start the "
                "server with a larger --disk"
            )
        serving, _ = self.serving()
        for version in reversed(self.versions()):
            if self._fits(needs):
                return
            if version not in (serving, manifest.version):
                self.remove(version)
        if not self._fits(needs):
            raise CacheError(
                f"{manifest} has {needs:,} bytes, and there is no room for them beside the "
                f"version that serves: {self.size():,} of {self.limit:,} bytes are used, and "
                f"{shutil.disk_usage(self.folder).free:,} are free on the disk"
            )

    def _fits(self, needs: int) -> bool:
        free = shutil.disk_usage(self.folder).free
        return self.size() + needs <= self.limit and needs + _SPARE <= free

    def _fetch_file(self, store: Store, manifest: Manifest, file: ModelFile) -> None:
        path = self.at(manifest.version) / file.path
        if path.is_file() and digest_of(path) == file.sha256:
            return
        part = path.with_name(f"{path.name}.part")
        digest, have = hashlib.sha256(), 0
        with part.open("a+b") as out:
            out.seek(0)
            while chunk := out.read(1 << 20):
                digest.update(chunk)
                have += len(chunk)
            if have < file.bytes:

                def take(data: bytes) -> None:
                    nonlocal have
                    have += len(data)
                    if have > file.bytes:
                        raise _too_long(manifest, file)
                    digest.update(data)
                    out.write(data)

                store.stream(
                    keys.version_key(manifest.name, manifest.version, file.path), take, have
                )
        if digest.hexdigest() != file.sha256:
            part.unlink()
            raise _other(manifest, file, have)
        part.replace(path)


def needed(manifest: Manifest) -> list[ModelFile]:
    """The files of a version that are needed to serve it.

    Raises:
        CacheError: its manifest does not list them, or leads out of its folder.
    """
    wanted = [manifest.served[0].path, manifest.sample] if manifest.served else []
    found = {file.path: file for file in manifest.files}
    for path in wanted:
        if path not in found or Path(path).name != path:
            raise CacheError(f"{manifest} has no file {path!r} of its own to serve")
    return [found[path] for path in wanted]


def _other(manifest: Manifest, file: ModelFile, have: int) -> CacheError:
    what = (
        f"it has {have:,} bytes of {file.bytes:,}" if have != file.bytes else "its sha256 differs"
    )
    return CacheError(f"{manifest}: {file.path} is not what was published, {what}")


def _too_long(manifest: Manifest, file: ModelFile) -> CacheError:
    return CacheError(
        f"{manifest}: {file.path} is not what was published, it has more than {file.bytes:,} bytes"
    )


def parse(name: str, version: int, raw: bytes) -> Manifest:
    """Read the manifest of a version.

    Args:
        name: of the model that it must be of.
        version: the number that it must have.
        raw: its bytes.

    Raises:
        CacheError: it is of another one, or was removed.
        ManifestError: it is none.
    """
    key = keys.manifest_key(name, version)
    found = manifests.read(key, raw)
    if not isinstance(found, Manifest):
        raise CacheError(f"{name} version {version} was {found.why} at {found.removed}")
    if (found.name, found.version) != (name, version):
        raise CacheError(f"{key} is the manifest of {found}, not of {name} version {version}")
    return found
