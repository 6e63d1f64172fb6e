"""Versions on the disk: whole or not at all, bounded, and gone on with where they broke off."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podline.edge.cache import Cache, CacheError, needed, parse
from podline.models.manifest import Manifest
from podline.models.registry import Model
from podline.store import Store, StoreUnavailable, keys
from tests.support.edge import publish_line


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Callable[..., tuple[Manifest, bytes]]:
    """Publishes a version; gives its manifest, and as it is stored."""

    def version(slope: float, filling: int = 0) -> tuple[Manifest, bytes]:
        number = publish_line(tmp_path, slope, filling=filling)
        raw = bytes(store.get(keys.manifest_key("power", number)))
        return Model(store, "power").version(number), raw

    return version


def make(folder: Path, limit: int = 10**8, keep: int = 2) -> Cache:
    return Cache(folder / "cache", limit, keep)


def test_a_version_is_there_when_all_of_it_is(store: Store, made: Any, tmp_path: Path) -> None:
    cache, (manifest, raw) = make(tmp_path), made(1)
    cache.fetch(store, manifest, raw, b"signed")
    assert (cache.versions(), cache.read(1)) == ([1], (raw, b"signed"))
    cache.verify(manifest)
    assert {path.name for path in cache.at(1).iterdir()} == {
        "model.onnx", "sample.npz", "manifest.json", "manifest.sig",
    }  # fmt: skip
    assert cache.folder.stat().st_mode & 0o777 == 0o700


def test_its_files_are_fetched_side_by_side(
    store: Store, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, (manifest, raw) = make(tmp_path), made(1)
    real, both = Store.stream, threading.Barrier(2, timeout=20)

    def meets_the_other(self: Store, key: str, take: Any, begin: int = 0) -> None:
        both.wait()
        real(self, key, take, begin)

    monkeypatch.setattr(Store, "stream", meets_the_other)
    cache.fetch(store, manifest, raw, b"")
    cache.verify(manifest)


def test_it_goes_on_where_it_broke_off(
    store: Store, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, (manifest, raw) = make(tmp_path), made(1, filling=9_000_000)
    real, begun = Store.stream, []

    def breaks_off(self: Store, key: str, take: Any, begin: int = 0) -> None:
        model = key.endswith("model.onnx")  # the sample comes beside it
        if model:
            begun.append(begin)

        def once(chunk: bytes) -> None:
            take(chunk)
            if model and len(begun) == 1:
                raise StoreUnavailable("gone")

        real(self, key, once, begin)

    monkeypatch.setattr(Store, "stream", breaks_off)
    with pytest.raises(StoreUnavailable):
        cache.fetch(store, manifest, raw, b"")
    assert cache.versions() == []
    cache.fetch(store, manifest, raw, b"")
    assert 4_000_000 < begun[1] < 9_000_000
    cache.verify(manifest)


def test_what_broke_off_wrongly_is_fetched_anew(store: Store, made: Any, tmp_path: Path) -> None:
    cache, (manifest, raw) = make(tmp_path), made(1)
    cache.at(1).mkdir()
    (cache.at(1) / "model.onnx.part").write_bytes(b"zeros after a power cut")
    with pytest.raises(CacheError, match=r"model\.onnx is not what was published"):
        cache.fetch(store, manifest, raw, b"")
    cache.fetch(store, manifest, raw, b"")
    cache.verify(manifest)


def test_what_rots_is_removed(store: Store, made: Any, tmp_path: Path) -> None:
    cache, (manifest, raw) = make(tmp_path), made(1)
    cache.fetch(store, manifest, raw, b"")
    (cache.at(1) / "model.onnx").write_bytes(b"rotten")
    with pytest.raises(CacheError, match=r"model\.onnx on this disk is not what was published"):
        cache.verify(manifest)
    assert cache.versions() == []


def test_those_that_served_stay(store: Store, made: Any, tmp_path: Path) -> None:
    cache = make(tmp_path, keep=2)
    for slope in range(1, 5):
        cache.fetch(store, *made(slope), b"")
    cache.prune(4, before=[1])
    assert cache.versions() == [4, 1]


def test_old_versions_make_room(store: Store, made: Any, tmp_path: Path) -> None:
    cache = make(tmp_path, limit=2_500_000, keep=9)
    for slope in (1, 2):
        cache.fetch(store, *made(slope, filling=1_000_000), b"")
    cache.note_serving(1, pinned=False)
    cache.fetch(store, *made(3, filling=1_000_000), b"")
    assert cache.versions() == [3, 1]  # the one that serves is not touched
    with pytest.raises(CacheError, match="there is no room for them beside the version that serv"):
        cache.fetch(store, *made(4, filling=2_000_000), b"")
    with pytest.raises(CacheError, match="2,500,000 are allowed: start the server with a larger"):
        cache.fetch(store, *made(5, filling=3_000_000), b"")
    assert cache.has(1)


def test_which_version_served_last(tmp_path: Path) -> None:
    cache = make(tmp_path)
    assert cache.serving() == (0, False)
    cache.note_serving(3, pinned=True)
    assert make(tmp_path).serving() == (3, True)
    for content in (b"", b"{}", b"[]", b'{"version": "x", "pinned": 1}'):
        (cache.folder / "serving.json").write_bytes(content)
        assert cache.serving() == (0, False)


def test_a_manifest_of_another_version(made: Any) -> None:
    manifest, raw = made(1)
    assert parse("power", 1, raw) == manifest
    with pytest.raises(CacheError, match="is the manifest of power version 1, not of power versi"):
        parse("power", 2, raw)
    with pytest.raises(CacheError, match="power version 1 was deleted at 2026"):
        parse("power", 1, b'{"removed": "2026", "why": "deleted", "references": []}')


def test_only_what_is_served_is_needed(made: Any) -> None:
    manifest, _ = made(1)
    assert [file.path for file in needed(manifest)] == ["model.onnx", "sample.npz"]
