"""`podline data` fetches data sets, and puts them into the store once."""

import hashlib
import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from podline import datasets
from podline.store import Store

from .conftest import Podline, Refused

TEXT = b"Date,Time\n16/12/2006,17:24:00\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a small data set called `small`, and an empty cache."""
    path = tmp_path / "anything.xz"
    path.write_bytes(lzma.compress(TEXT))
    small = replace(
        datasets.DATASETS["household_power"],
        file="small.csv.xz",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        text_sha256=hashlib.sha256(TEXT).hexdigest(),
    )
    monkeypatch.setitem(datasets.DATASETS, "small", small)
    monkeypatch.setenv("PODLINE_DATA", str(tmp_path / "cache"))
    return path


def test_fetch_prints_the_path(podline: Podline, source: Path) -> None:
    result = podline("data", "fetch", "small", "--source", source)
    assert (result.exit_code, result.stdout) == (0, f"{source}\n")


def test_put_once_then_fetch_it_from_the_store(
    podline: Podline, store: Store, source: Path, tmp_path: Path
) -> None:
    result = podline("data", "put", "small", "--source", source)
    address = f"s3://{store.connection.bucket}/data/small/small.csv.xz"
    assert (result.exit_code, result.stdout) == (0, f"{address}\n")
    written = store.head("data/small/small.csv.xz")
    source.unlink()
    assert podline("data", "put", "small", "--source", source).stdout == f"{address}\n"
    assert store.head("data/small/small.csv.xz") == written

    path = tmp_path / "cache" / "small.csv.xz"
    assert podline("data", "fetch", "small", "--source", address).stdout == f"{path}\n"
    assert lzma.decompress(path.read_bytes()) == TEXT


def test_another_file_is_not_put(refused: Refused, store: Store, source: Path) -> None:
    source.write_bytes(lzma.compress(b"another table"))
    said = refused("data", "put", "small", "--source", source)
    assert said.startswith("podline: error: ")
    assert "is not the data set 'small'" in said
    assert not list(store.list())


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("verb", ["fetch", "put"])
def test_an_unknown_data_set(refused: Refused, verb: str) -> None:
    said = refused("data", verb, "nope")
    assert "podline: error: There is no data set 'nope': choose one of " in said
