"""The modules and data files beside a notebook that its code names: they are shipped with it."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from podline.exceptions import NotebookError
from podline.notebooks.document import Document
from podline.notebooks.metadata import read_settings
from podline.notebooks.source import parse_cell

_LONGEST_PATH = 255


def files_beside(document: Document, limit: int) -> list[Path]:
    """Return the files below the notebook's folder that its cells name.

    Named are: an imported module or package, with what it imports in turn; a text in the code
    that is the path of a file or folder, or a pattern of such; the patterns of the notebook's
    metadata ``podline.files``.

    Args:
        document: the notebook.
        limit: bytes that they may have in all.

    Raises:
        NotebookError: they have more bytes than that.
    """
    folder = document.path.parent
    found: set[Path] = set()
    for cell in document.code_cells:
        if "skip" not in cell.tags:
            statements, _ = parse_cell(cell)
            found |= _named(statements.body, folder)
    for pattern in read_settings(document.metadata)[0].files:
        found |= set(_expand(folder / pattern, folder))
    found -= {document.path}
    total = sum(path.stat().st_size for path in found)
    if total > limit:
        largest = max(found, key=lambda path: path.stat().st_size)
        raise NotebookError(
            f"{document.path.name}: the files beside the notebook that it names have {total:,} "
            f"bytes, and [podline] files_limit_mb allows {limit:,}; the largest is "
            f"{largest.relative_to(folder)}. fix: read it from the store, or raise the setting"
        )
    return sorted(found)


def digest_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _named(body: Iterable[ast.stmt], folder: Path, base: Path | None = None) -> set[Path]:
    """The files that some statements name; `base`: the package that they stand in."""
    found: set[Path] = set()
    queue: list[Path] = []
    for node in (node for statement in body for node in ast.walk(statement)):
        match node:
            case ast.Import():
                for alias in node.names:
                    queue += _module(alias.name, folder)
            case ast.ImportFrom(module=module, level=0) if module:
                queue += _module(module, folder)
                for alias in node.names:
                    queue += _module(f"{module}.{alias.name}", folder)
            case ast.Call(
                func=ast.Name("import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                queue += _module(module, folder)
            case ast.Constant(value=str(text)) if 0 < len(text) <= _LONGEST_PATH:
                found |= set(_path_of(text, folder))
    for path in queue:
        if path not in found:
            found.add(path)
            if path.suffix == ".py":
                found |= _imported_by(path, folder, found)
    return found


def _imported_by(path: Path, folder: Path, known: set[Path]) -> set[Path]:
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError):
        return set()  # importing it will say what is wrong
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    found: set[Path] = set()
    for node in imports:
        if isinstance(node, ast.ImportFrom) and node.level:
            continue  # its package is shipped whole
        for other in _named([node], folder) - known:
            found.add(other)
    return found


def _module(name: str, folder: Path) -> Iterator[Path]:
    root = name.partition(".")[0]
    for base in (folder, folder / "src"):
        if (base / f"{root}.py").is_file():
            yield base / f"{root}.py"
        if (base / root).is_dir():
            yield from _below(base / root)


def _path_of(text: str, folder: Path) -> Iterator[Path]:
    first = text.strip("./").partition("/")[0]
    if not first or "\n" in text or text.startswith(("/", "~")) or ".." in text.split("/"):
        return
    yield from _expand(folder / text, folder)


def _expand(path: Path, folder: Path) -> Iterator[Path]:
    try:
        if any(mark in str(path.relative_to(folder)) for mark in "*?["):
            matches: Any = folder.glob(str(path.relative_to(folder)))
        else:
            matches = [path] if path.exists() else []
        for match in matches:
            if match.is_dir():
                if match != folder:
                    yield from _below(match)
            elif match.suffix != ".ipynb" and match.is_file():
                yield match
    except (OSError, ValueError, NotImplementedError):
        return  # no path at all


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
