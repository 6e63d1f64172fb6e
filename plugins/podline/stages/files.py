"""The files below a stage's working directory: put there before its cells, compared after them."""

from collections.abc import Iterator
from pathlib import Path

from podline.exceptions import ArtifactError

_IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})

# What tells a changed file: time of the last change (ns) and size (bytes).
Snapshot = dict[str, tuple[int, int]]


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files and empty folders below a folder, without what tools leave behind."""
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED or path.suffix == ".pyc":
            continue
        if path.is_dir() and not path.is_symlink():
            inside = list(walk(path))
            yield from inside or [path]
        elif path.is_file():
            yield path


def snapshot(folder: Path) -> Snapshot:
    """Take the state of the files, by path below the folder."""
    result = {}
    for path in walk(folder):
        info, name = path.stat(), path.relative_to(folder).as_posix()
        if path.is_dir():
            result[f"{name}/"] = (0, 0)
        else:
            result[name] = (info.st_mtime_ns, info.st_size)
    return result


def changes(before: Snapshot, after: Snapshot) -> tuple[list[str], list[str]]:
    """Return the paths that were written, and those that were deleted."""
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
