"""The hashes of files, and the word for a full disk."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podline.files import digest_of, full_disk, is_full


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a\n1\n")
    assert digest_of(tmp_path / "data.csv") == hashlib.sha256(b"a\n1\n").hexdigest()


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
