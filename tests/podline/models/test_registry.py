"""Versions are complete or absent, and stay as they are; aliases move."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from podline.models.aliases import AliasError
from podline.models.manifest import SCHEMA, ManifestError
from podline.models.registry import (
    AliasMoved,
    Difference,
    Model,
    RegistryError,
    VersionGone,
    models,
)
from podline.store import Store, StoreError, keys

from .conftest import Add

ANY = timedelta(seconds=-5)  # even what was claimed just now is older


def every_version_is_whole(model: Model) -> bool:
    return all(not model.verify(found.version) for found in model.versions())


# --- versions


def test_a_version_comes_back(store: Store, power: Model, add: Add, tmp_path: Path) -> None:
    made = add({"model.tflite": b"weights", "assets/labels.txt": b"walk\nrun"}, rmse=0.5)
    assert power.versions() == [made]
    assert power.version(1) == power.version("1") == made
    assert power.download(1, tmp_path / "here") == made
    assert (tmp_path / "here" / "assets" / "labels.txt").read_bytes() == b"walk\nrun"
    assert made.bytes == 15
    assert models(store) == ["power"]


def test_a_version_is_not_there_until_its_manifest_is(store: Store, power: Model) -> None:
    number = power.claim()
    store.put(keys.version_key("power", number, "model.tflite"), b"weights")
    assert power.versions() == []
    with pytest.raises(RegistryError, match="power has no version 1: nothing is published"):
        power.version(1)


def test_the_newest_comes_first(power: Model, add: Add) -> None:
    for _ in range(11):
        add()
    assert [found.version for found in power.versions()] == list(range(11, 0, -1))


def test_what_is_damaged_is_told(store: Store, power: Model, add: Add, tmp_path: Path) -> None:
    files = dict.fromkeys(("a.tflite", "b.tflite", "c.tflite", "d.tflite"), b"weights")
    add(files)
    for name, content in (("a.tflite", b"Weights"), ("b.tflite", b"short"), ("c.tflite", None)):
        key = keys.version_key("power", 1, name)
        store.delete([key])
        if content is not None:
            store.put(key, content)
    assert power.verify(1) == [
        "a.tflite has another sha256 than was published",
        "b.tflite has 5 bytes, and 7 were published",
        "c.tflite is missing",
    ]
    with pytest.raises(RegistryError, match="power version 1: a.tflite is not what was published"):
        power.download(1, tmp_path / "here")
    assert not (tmp_path / "here" / "a.tflite").exists()


def test_a_file_is_read_in_pieces(power: Model, add: Add) -> None:
    content = bytes(range(256)) * 40_000  # 10 MB
    add({"model.tflite": content, "assets/labels.txt": b"walk"})
    file, pieces = power.open_file("1", "model.tflite")
    found = list(pieces)
    assert len(found) > 1
    assert (file.bytes, b"".join(found)) == (len(content), content)
    assert b"".join(power.open_file(1, "assets/labels.txt")[1]) == b"walk"
    with pytest.raises(RegistryError, match="has no file 'x': it has model.tflite, assets"):
        power.open_file(1, "x")


def test_the_end_of_a_file_that_is_damaged_is_not_given(
    store: Store, power: Model, add: Add
) -> None:
    content, key = bytes(10_000_000), keys.version_key("power", 1, "model.tflite")
    add({"model.tflite": content})
    store.delete([key])
    store.put(key, content[:-1] + b"x")
    _, pieces = power.open_file(1, "model.tflite")
    taken: list[bytes] = []
    with pytest.raises(RegistryError, match="model.tflite is not what was published"):
        taken.extend(pieces)
    assert 0 < len(b"".join(taken)) < len(content)


def test_two_versions_are_compared(power: Model, add: Add) -> None:
    add({"model.tflite": b"weights"}, rmse=0.5, mae=0.3)
    add({"model.tflite": b"others"}, rmse=0.4)
    assert power.diff(1, 2) == [
        Difference("metrics.mae", 0.3, None),
        Difference("metrics.rmse", 0.5, 0.4),
        Difference("files.model.tflite", "9a129038d9a0 (7 bytes)", "01db91d06032 (6 bytes)"),
    ]


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "ä", "x" * 101])
def test_a_name_that_cannot_be_one(store: Store, name: str) -> None:
    with pytest.raises(RegistryError, match="is no name for a model: give letters, digits"):
        Model(store, name)


def test_a_manifest_of_somebody_else(store: Store, power: Model) -> None:
    store.put(keys.manifest_key("power", 1), b'{"name": "power"}')
    with pytest.raises(ManifestError, match="manifest.json is no manifest of a model"):
        power.version(1)
    store.put(keys.manifest_key("power", 2), b'{"schema": %d}' % (SCHEMA + 1))
    with pytest.raises(ManifestError, match=f"has schema {SCHEMA + 1}, and this podline knows"):
        power.version(2)


# --- aliases


def test_an_alias_moves_and_goes_back(power: Model, add: Add) -> None:
    for _ in range(3):
        add()
    for number in (1, 3, 2):
        power.promote(number, "edge")
    assert power.version("edge").version == 2
    assert [power.roll_back("edge").version for _ in range(2)] == [3, 1]
    with pytest.raises(AliasError, match="'edge' of power meant no version before 1"):
        power.roll_back("edge")


def test_an_alias_that_is_not_there(power: Model, add: Add) -> None:
    add()
    power.promote(1, "champion")
    with pytest.raises(RegistryError, match="no alias 'edge': it has 1, and the aliases champion"):
        power.version("edge")
    with pytest.raises(AliasError, match="power has no alias 'edge': it has champion"):
        power.roll_back("edge")


@pytest.mark.parametrize("alias", ["7", "", "a/b"])
def test_an_alias_that_cannot_be_one(power: Model, add: Add, alias: str) -> None:
    add()
    with pytest.raises(RegistryError, match="is no name for an alias"):
        power.promote(1, alias)


def test_an_alias_is_replaced_if_it_means_what_is_expected(power: Model, add: Add) -> None:
    for _ in range(3):
        add()
    assert power.replace("edge", 1, expected=None).version == 1
    assert power.replace("edge", 2, expected=1).before == (1,)
    with pytest.raises(AliasMoved, match="'edge' of power means version 2 by now, not version 1"):
        power.replace("edge", 3, expected=1)
    with pytest.raises(AliasMoved, match="means version 2 by now, not no version"):
        power.replace("edge", 3, expected=None)
    with pytest.raises(RegistryError, match="power has no version 7"):
        power.replace("edge", 7, expected=2)
    assert power.version("edge").version == 2


def test_of_many_who_expect_the_same_one_replaces_an_alias(power: Model, add: Add) -> None:
    for _ in range(8):
        add()
    power.promote(1, "edge")

    def moved(number: int) -> bool:
        try:
            power.replace("edge", number, expected=1)
        except AliasMoved:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(moved, range(2, 9))) == 1


def test_many_who_move_an_alias_lose_nothing(power: Model, add: Add) -> None:
    for _ in range(8):
        add()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: power.promote(number, "edge"), range(1, 9)))
    alias = power.aliases.get("edge")
    assert alias is not None
    assert sorted([*alias.before, alias.version]) == list(range(1, 9))


def test_only_what_is_better_is_promoted(power: Model, add: Add) -> None:
    for number in (1, 2, 3):
        add()
        power.promote_if("best", number, lambda now: now is None or now.version < 2)
    assert power.version("best").version == 2


# --- removal


def test_a_version_is_deleted_and_its_number_is_not_used_again(
    store: Store, power: Model, add: Add
) -> None:
    add()
    add()
    power.delete(2)
    assert [found.version for found in power.versions()] == [1]
    assert not store.exists(keys.version_key("power", 2, "model.tflite"))
    with pytest.raises(VersionGone, match="power version 2 was deleted at 20"):
        power.version(2)
    assert add().version == 3


def test_what_an_alias_means_is_not_deleted(power: Model, add: Add) -> None:
    add()
    power.promote(1, "edge")
    with pytest.raises(RegistryError, match="power version 1 is what edge means: move the alias"):
        power.delete(1)
    assert every_version_is_whole(power)


def test_a_roll_back_passes_over_what_was_deleted(power: Model, add: Add) -> None:
    for _ in range(3):
        power.promote(add().version, "edge")
    power.delete(2)
    assert power.roll_back("edge").version == 1


def test_deleting_and_promoting_at_once_leaves_no_alias_in_the_air(power: Model, add: Add) -> None:
    """Whichever comes first: the alias means a whole version, or nothing."""
    add()
    for _ in range(25):
        number = add().version
        outcomes = _at_once(
            lambda n=number: power.delete(n), lambda n=number: power.promote(n, "edge")
        )
        assert all(isinstance(error, RegistryError | None) for error in outcomes)
        alias = power.aliases.get("edge")
        if alias is not None:
            assert power.verify(alias.version) == []
        assert every_version_is_whole(power)


def _at_once(*jobs: Callable[[], object]) -> list[Exception | None]:
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> Exception | None:
        start.wait()
        try:
            job()
        except Exception as error:
            return error
        return None

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_a_publisher_that_is_given_up_cannot_come_to_an_end(
    store: Store, power: Model, add: Add
) -> None:
    made = add()
    number = power.claim()
    store.put(keys.version_key("power", number, "model.tflite"), b"weights")
    assert power.abandon(timedelta(hours=1)) == []
    assert power.abandon(ANY, dry_run=True) == [2]
    assert power.abandon(ANY) == [2]
    assert power.abandon(ANY) == []
    assert not store.exists(keys.version_key("power", number, "model.tflite"))
    with pytest.raises(VersionGone, match="power version 2 was given up while"):
        power.complete(replace(made, version=number))
    assert [found.version for found in power.versions()] == [1]


@pytest.mark.slow
def test_a_store_that_is_away_is_told(power: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    away = replace(power.store.connection, endpoint_url="http://127.0.0.1:9")
    monkeypatch.setattr(power.store, "connection", away)
    power.store.__dict__.pop("_client", None)
    with pytest.raises(StoreError, match="does not answer"):
        power.versions()
