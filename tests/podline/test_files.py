"""The hashes of files, and the word for a full disk."""

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podline.files import digest_of, full_disk, is_full, make_private


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a\n1\n")
    assert digest_of(tmp_path / "data.csv") == hashlib.sha256(b"a\n1\n").hexdigest()


def test_a_private_folder_and_those_above_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / "home" / "store")
    made = [tmp_path / "home", tmp_path / "home" / "store"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o700, 0o700]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "that was there, and is not ours"


def test_a_folder_of_ours_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    make_private(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("x"),
        lambda path: np.zeros(10**6).tofile(path),
        lambda path: pq.write_table(pa.table({"x": list(range(10**5))}), path),
    ],
    ids=["text", "numpy", "pyarrow"],
)
def test_a_full_disk_is_known(write: Callable[[Path], object], tmp_path: Path) -> None:
    full = tmp_path / "full"  # pyarrow removes what it could not write
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="space|written") as caught:
        write(full)
    assert is_full(caught.value)


def test_other_errors_are_others() -> None:
    assert not is_full(FileNotFoundError(2, "No such file or directory"))
    assert not is_full(ValueError("no space left between words"))


def test_what_to_do_is_said(tmp_path: Path) -> None:
    text = full_disk(tmp_path)
    assert text.startswith(f"the disk of {tmp_path} is full: ")
    assert "fix: make room there, or have TMPDIR name" in text
