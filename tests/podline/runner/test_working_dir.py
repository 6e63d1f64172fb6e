"""The files of a stage: what changed, what they are beside their content, how much they may be."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from podline.exceptions import ArtifactError
from podline.runner import working_dir


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "a/b").mkdir(parents=True)
    (work / "empty").mkdir()
    (work / "one.txt").write_text("1")
    (work / "a/b/zwei ü.txt").write_text("22")
    (work / ".hidden").write_text("")
    (work / "__pycache__").mkdir()
    (work / "__pycache__/x.pyc").write_text("")
    (work / ".ipynb_checkpoints").mkdir()
    (work / ".ipynb_checkpoints/n.ipynb").write_text("")
    return work


def changed(folder: Path, act: Callable[[Path], object]) -> tuple[list[str], list[str]]:
    before = working_dir.snapshot(folder)
    time.sleep(0.05)  # the clock of a file system ticks every 4 ms, or 10
    act(folder)
    return working_dir.changes(before, working_dir.snapshot(folder))


def test_a_snapshot_leaves_out_what_tools_leave_behind(folder: Path) -> None:
    found = working_dir.snapshot(folder)
    assert set(found) == {"one.txt", "a/b/zwei ü.txt", ".hidden", "empty/"}
    assert found["one.txt"][1] == 1


@pytest.mark.parametrize(
    ("act", "written", "deleted"),
    [
        (lambda f: None, [], []),
        (lambda f: (f / "one.txt").read_text(), [], []),
        (lambda f: (f / "one.txt").write_text("2"), ["one.txt"], []),
        (lambda f: (f / "one.txt").write_text("1"), ["one.txt"], []),
        (lambda f: os.utime(f / "one.txt", (1, 1)), ["one.txt"], []),
        (lambda f: (f / "one.txt").chmod(0o700), ["one.txt"], []),
        (lambda f: (f / "new").write_text(""), ["new"], []),
        (lambda f: (f / "one.txt").unlink(), [], ["one.txt"]),
        (lambda f: (f / "one.txt").rename(f / "two.txt"), ["two.txt"], ["one.txt"]),
        (lambda f: (f / "a").rename(f / "c"), ["c/b/zwei ü.txt"], ["a/b/zwei ü.txt"]),
        (lambda f: (f / "empty/x").write_text(""), ["empty/x"], ["empty/"]),
        (lambda f: (f / "empty").rmdir(), [], ["empty/"]),
        (lambda f: (f / "a/b/zwei ü.txt").unlink(), ["a/b/"], ["a/b/zwei ü.txt"]),
        (lambda f: (f / "link").symlink_to("one.txt"), ["link"], []),
        (lambda f: (f / "link").symlink_to("nowhere"), ["link"], []),
        (lambda f: (f / "link").symlink_to("a"), ["link"], []),
    ],
)
def test_changes(
    folder: Path, act: Callable[[Path], object], written: list[str], deleted: list[str]
) -> None:
    assert changed(folder, act) == (written, deleted)


def test_a_file_copied_over_another_with_its_time(folder: Path) -> None:
    """Size and time of change are those of before; the time of the inode is not."""
    import shutil

    (folder / "other.txt").write_text("2")
    shutil.copystat(folder / "one.txt", folder / "other.txt")
    written, _ = changed(folder, lambda f: shutil.copy2(f / "other.txt", f / "one.txt"))
    assert written == ["one.txt"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("one.txt", "link:one.txt"),
        ("a", "link:a"),
        ("nowhere", "link:nowhere"),
        ("/usr", "link:/usr"),
    ],
)
def test_links(folder: Path, target: str, expected: str, tmp_path: Path) -> None:
    (folder / "link").symlink_to(target)
    description = working_dir.describe(folder / "link", folder)
    assert description == expected
    copy = tmp_path / "elsewhere/deep/link"
    working_dir.restore(copy, description)
    assert copy.readlink() == Path(target)


def test_a_link_into_the_folder_is_relative(folder: Path) -> None:
    link = folder / "a/link"
    link.symlink_to(folder / "one.txt")
    assert working_dir.describe(link, folder) == "link:../one.txt"


def test_programs_stay_programs(folder: Path) -> None:
    path = folder / "one.txt"
    assert working_dir.describe(path, folder) == ""
    path.chmod(0o744)
    assert working_dir.describe(path, folder) == "executable"
    path.chmod(0o600)
    working_dir.restore(path, "executable")
    assert os.access(path, os.X_OK)
    path.chmod(0o600)
    working_dir.restore(path, "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_too_many_bytes(folder: Path) -> None:
    working_dir.check_size(working_dir.snapshot(folder), 3)
    with pytest.raises(ArtifactError) as caught:
        working_dir.check_size(working_dir.snapshot(folder), 2)
    assert "have 3 bytes" in str(caught.value)
    assert "The largest is 'a/b/zwei ü.txt' (2 bytes)" in str(caught.value)
