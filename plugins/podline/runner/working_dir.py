"""The files below a stage's working directory: put there before its cells, compared after them.

A stage starts in a folder of its own, and finds there what the stages before it left, as if all
had run in one folder: files, links, empty folders, whether a file is a program.

    os.makedirs("out"); table.to_csv("out/t.csv")     # stage 1
    os.rename("out/t.csv", "out/u.csv")               # stage 2: one file written, one deleted
    os.listdir("out")                                 # stage 3: ["u.csv"]

What is deleted is noted as deleted: else it would come back from an earlier stage.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from podline.exceptions import ArtifactError

_IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})
_LINK, _EXECUTABLE = "link:", "executable"
_FOR_ALL = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_PROGRAMS = (b"#!", b"\x7fELF")

# What tells a changed file: time of the last change (ns; of its mode as well) and size (bytes).
# Not the time of its content, which `shutil.copy2` brings along from another file.
Snapshot = dict[str, tuple[int, int]]


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files, links and empty folders below a folder, without what tools leave behind."""
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            yield path
        elif path.is_dir():
            inside = list(walk(path))
            yield from inside or [path]
        elif path.is_file():
            yield path


def snapshot(folder: Path) -> Snapshot:
    """Take the state of the files, by path below the folder; folders' paths end in a slash."""
    result = {}
    for path in walk(folder):
        info, name = path.lstat(), path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            result[f"{name}/"] = (0, 0)
        else:
            result[name] = (info.st_ctime_ns, info.st_size)
    return result


def kind_of(path: Path) -> str:
    """Whether a path is a "link", a "folder" or a "file"."""
    return "link" if path.is_symlink() else "folder" if path.is_dir() else "file"


def describe(path: Path, folder: Path) -> str:
    """What a file is beside its content: "link:TARGET", "executable" or nothing.

    Targets in the folder are relative to the link: the folder is another in each stage.
    """
    if path.is_symlink():
        target = path.readlink()
        if target.is_relative_to(folder):
            target = Path(os.path.relpath(target, path.parent))
        return f"{_LINK}{target}"
    return _EXECUTABLE if path.is_file() and path.stat().st_mode & stat.S_IXUSR else ""


def restore(path: Path, description: str) -> None:
    """Make a file what `describe` said; of a link, there is nothing else."""
    if description.startswith(_LINK):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(description.removeprefix(_LINK))
    elif description == _EXECUTABLE:
        path.chmod(path.stat().st_mode | _FOR_ALL)


def make_executable(path: Path) -> None:
    """Let a file be run that is a program: what is shipped has its content only."""
    with path.open("rb") as file:
        if file.read(4).startswith(_PROGRAMS):
            path.chmod(path.stat().st_mode | _FOR_ALL)


def changes(before: Snapshot, after: Snapshot) -> tuple[list[str], list[str]]:
    """Return the paths that were written, and those that were deleted.

    A file that was written anew with the same content counts: nobody has read it to compare.
    """
    written = [path for path, state in after.items() if before.get(path) != state]
    return written, sorted(before.keys() - after.keys())


def check_size(files: Snapshot, limit: int) -> None:
    """Refuse files that are larger than the setting allows, all together.

    Raises:
        ArtifactError: they are; the message names the largest.
    """
    total = sum(size for _, size in files.values())
    if total > limit:
        largest = max(files, key=lambda path: files[path][1])
        raise ArtifactError(
            f"the files below the working directory have {total:,} bytes, and later stages would "
            f"get them all; [podline] files_limit_mb allows {limit:,}. The largest is {largest!r} "
            f"({files[largest][1]:,} bytes). fix: delete what is not needed later, or raise the "
            "setting"
        )
