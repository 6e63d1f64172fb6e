"""The hashes of files."""

import hashlib
import stat
from pathlib import Path

from podline.files import digest_of, make_private


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
