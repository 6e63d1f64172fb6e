"""The hashes of files."""

import hashlib
from pathlib import Path

from podline.files import digest_of


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a\n1\n")
    assert digest_of(tmp_path / "data.csv") == hashlib.sha256(b"a\n1\n").hexdigest()
