"""The attachments of a notebook: modules and data files in its folder that its code names.

A stage runs elsewhere, in a folder of its own, and finds there what is attached to the notebook.
What to attach is read from the code, so that a notebook that runs in Jupyter needs no list of
files, and so that a folder of gigabytes is not copied for the one file that is read::

    import helpers                 helpers.py, and what it imports and names in turn
    pd.read_csv("data/jan.csv")    data/jan.csv
    open(f"data/{month}.csv")      all of data: the text before the brace names a folder

Names that only the run knows are told by the metadata `podline.files`. A text that happens to be
a file's name attaches it for nothing, which costs no more than its bytes.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from podline.compiler.ast_queries import walk_all
from podline.compiler.cell_parser import magic_call, parse_cell
from podline.compiler.metadata import read_settings
from podline.compiler.notebook import Document
from podline.exceptions import NotebookError

_LONGEST_PATH = 255
_LETTER = re.compile(r"\w")
_SHELL_CELL = re.compile(r"\s*%%(bash|sh|script|!)")
_WORD = re.compile(r"[^\s'\"|;&<>()=]*[./][^\s'\"|;&<>()=]*")  # no word of a sentence
_LEFTOVERS = frozenset({"__pycache__", ".ipynb_checkpoints", ".git"})


def attached_files(document: Document, limit: int) -> list[Path]:
    """Return the files below the notebook's folder that its cells name.

    Named are: an imported module or package, with what it names in turn; a text in the code, or a
    word of a shell line, that is the path of a file or folder, or a pattern of such; the patterns
    of the notebook's metadata ``podline.files``.

    Args:
        document: the notebook.
        limit: bytes that they may have in all.

    Raises:
        NotebookError: they have more bytes than that.
    """
    folder = document.path.parent
    found: set[Path] = set()
    read: set[Path] = set()
    for cell in document.code_cells:
        if "skip" not in cell.tags:
            statements, _ = parse_cell(cell)
            _follow(statements.body, folder, found, read)
            if _SHELL_CELL.match(cell.source):
                found |= _words(cell.source, folder)
    for pattern in read_settings(document.metadata)[0].files:
        found |= set(_expand(pattern, folder))
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


def _follow(body: Iterable[ast.stmt], folder: Path, found: set[Path], read: set[Path]) -> None:
    """Add to `found` what statements name, and what the modules among it name in turn.

    Args:
        body: the statements.
        folder: the notebook's.
        found: takes the files.
        read: the modules that were followed already: they may import each other.
    """
    modules: list[Path] = []
    for node in walk_all(body):
        match node:
            case ast.Import():
                for alias in node.names:
                    modules += _module(alias.name, folder)
            case ast.ImportFrom(module=str(module), level=0):
                modules += _module(module, folder)
            case ast.Call(
                func=ast.Name("import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                modules += _module(module, folder)
            case ast.Call() if (magic := magic_call(node)) is not None:
                found |= _words(magic.line, folder)
            case ast.Constant(value=str(text)) if 0 < len(text) <= _LONGEST_PATH:
                found |= set(_path_of(text, folder))
    for path in modules:
        found.add(path)
        if path.suffix == ".py" and path not in read:
            read.add(path)
            _follow(_body_of(path), folder, found, read)


def _body_of(path: Path) -> list[ast.stmt]:
    try:
        return ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return []  # importing it will say what is wrong


def _module(name: str, folder: Path) -> Iterator[Path]:
    """The file of a module, or all files of a package: its data as well as its code."""
    root = name.partition(".")[0]
    for base in (folder, folder / "src"):
        if (base / f"{root}.py").is_file():
            yield base / f"{root}.py"
        if (base / root).is_dir():
            yield from _below(base / root)


def _words(line: str, folder: Path) -> set[Path]:
    """The files that a shell line names."""
    return {path for word in _WORD.findall(line) for path in _path_of(word, folder)}


def _path_of(text: str, folder: Path) -> Iterator[Path]:
    """The files that a text names, if it names any inside the folder.

    A line of asterisks is no pattern that means every file, so a name needs a letter.
    """
    outside = text.startswith(("/", "~")) or ".." in text.split("/")
    if not outside and _LETTER.search(text):
        yield from _expand(text, folder)


def _expand(name: str, folder: Path) -> Iterator[Path]:
    """The files of a path or pattern; of a folder, all that are below it."""
    try:
        path = (folder / name).relative_to(folder)
        is_pattern = any(mark in str(path) for mark in "*?[")
        for match in folder.glob(str(path)) if is_pattern else [folder / path]:
            if match.is_dir():
                if match != folder:
                    yield from _below(match)
            elif match.suffix != ".ipynb" and match.is_file():
                yield match
    except (OSError, ValueError, NotImplementedError):
        return  # no path at all


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFTOVERS & set(path.parts):
            yield path
