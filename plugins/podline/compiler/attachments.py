"""The attachments of a notebook: modules and data files in its folder that its code names.

A stage runs elsewhere, in a folder of its own, and finds there what is attached to the notebook.
What to attach is read from the code, so that a notebook that runs in Jupyter needs no list of
files, and so that a folder of gigabytes is not copied for the one file that is read::

    import helpers                 helpers.py, and what it imports and names in turn
    pd.read_csv("data/jan.csv")    data/jan.csv
    open(f"data/{month}.csv")      all of data: the text before the brace names a folder
    open(name + ".csv")            *.csv, if they fit: which of them, only the run knows
    os.listdir()                   all files, notebooks too: they are listed in Jupyter as well

Names that only the run knows are told by the metadata `podline.files`; a stage that misses a file
which is beside the notebook says so (`unshipped`). A text that happens to be a file's name
attaches it for nothing, which costs no more than its bytes.
"""

import ast
import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from podline.compiler.ast_queries import walk_all
from podline.compiler.cell_parser import magic_call, parse_cell
from podline.compiler.metadata import read_settings
from podline.compiler.notebook import Document
from podline.compiler.places import Places, is_elsewhere, is_outside
from podline.exceptions import NotebookError

_LONGEST_PATH = 255
_LETTER = re.compile(r"\w")
_SHELL_CELL = re.compile(r"\s*%%(bash|sh|script|!)")
_BETWEEN_WORDS = re.compile(r"[\s'\"|;&<>()=]+")
_MADE = re.compile(r"(?=.*[./]).*\w")  # a path that was put together, rather than any text
_RUNNING = {"system", "popen", "Popen", "run", "call", "check_call", "check_output", "getoutput"}
_SHELL_LISTING = re.compile(r"(?:^|[;&|(])\s*(?:ls|ll|find|tree|du)\b([^;&|)\n]*)", re.MULTILINE)
_LEFTOVERS = frozenset({"__pycache__", ".ipynb_checkpoints", ".git", ".venv"})


def attached_files(document: Document, limit: int, values: Iterable[object] = ()) -> list[Path]:
    """Return the files, and folders, below the notebook's folder that its cells name.

    Named are: an imported module or package, with what it names in turn; a text in the code, or a
    word of a shell line, that is the path of a file or folder, or a pattern of such; what a
    listing lists; the patterns of the notebook's metadata ``podline.files``.

    Args:
        document: the notebook.
        limit: bytes that they may have in all. What is only guessed is left out beyond it.
        values: of the run's parameters.

    Raises:
        NotebookError: they have more bytes than that.
    """
    search = _Search(document.path.parent)
    cells = [cell for cell in document.code_cells if "skip" not in cell.tags]
    bodies = [parse_cell(cell)[0].body for cell in cells]
    for body in bodies:
        search.places.learn(walk_all(body))
    for cell, body in zip(cells, bodies, strict=True):
        search.follow(body)
        if _SHELL_CELL.match(cell.source):
            search.found |= search.words(cell.source)
    search.follow_modules()
    for pattern in read_settings(document.metadata)[0].files:
        search.found |= set(_expand(pattern, search.folder))
    for value in values:
        search.found |= set(_path_of(value, search.folder) if isinstance(value, str) else ())
    found = search.found | search.guessed()
    if _bytes(found) > limit:
        found = search.found
    if (total := _bytes(found)) > limit:
        largest = max(found, key=lambda path: path.stat().st_size)
        raise NotebookError(
            f"{document.path.name}: the files beside the notebook that it names or lists have "
            f"{total:,} bytes, and [podline] files_limit_mb allows {limit:,}; the largest is "
            f"{largest.relative_to(search.folder)}. fix: name or list less, read it from "
            "the store, or raise the setting"
        )
    return sorted(found)


def _bytes(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())


class _Search:
    """Goes through code, and the modules beside the notebook that it imports.

    Attributes:
        folder: the notebook's.
        places: what names stand for.
        found: the files that are named or listed.
        patterns: of files that may be meant, by paths that are made at run time.
        read: the modules that were followed already: they may import each other.
        here: the code names the folder itself, such as `Path.cwd()`.
        lists: it lists a folder that is not known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = Places()
        self.found: set[Path] = set()
        self.patterns: set[str] = set()
        self.read: set[Path] = set()
        self.here = self.lists = False

    def guessed(self) -> set[Path]:
        """The files that may be meant: those of patterns, or all where any may be listed."""
        if self.here and self.lists:
            return set(_all(self.folder))
        return {path for pattern in self.patterns for path in _path_of(pattern, self.folder)}

    def follow(self, body: Iterable[ast.stmt]) -> None:
        """Add what statements name."""
        for node in walk_all(body):
            match node:
                case ast.Import():
                    for alias in node.names:
                        self.found |= set(_module(alias.name, self.folder))
                case ast.ImportFrom(module=str(module), level=0):
                    self.found |= set(_module(module, self.folder))
                case ast.Call(
                    ast.Name("import_module" | "__import__") | ast.Attribute(_, "import_module"),
                    [ast.Constant(str(module)), *_],
                ):
                    self.found |= set(_module(module, self.folder))
                case ast.Call() if (magic := magic_call(node)) is not None:
                    self.found |= self.words(f"{magic.name} {magic.line}")
                case ast.Constant(value=str(text)) if 0 < len(text) <= _LONGEST_PATH:
                    place = self.places.of(node) or text
                    self.found |= set(_path_of(place, self.folder))
                    self.here |= place in (".", "./")
                case ast.Call() | ast.BinOp() | ast.JoinedStr() | ast.Attribute():
                    self.see(node)

    def follow_modules(self) -> None:
        """Follow the modules among what was found, and what these name in turn."""
        while new := {path for path in self.found if path.suffix == ".py"} - self.read:
            self.read |= new
            for body in map(_body_of, sorted(new)):
                self.places.learn(walk_all(body))
                self.follow(body)

    def see(self, node: ast.expr) -> None:
        """Note the path that an expression makes, and what it lists."""
        place = self.places.of(node)
        self.here |= place == "."
        if place is not None and _MADE.search(place):
            self.patterns.add(place)
        if not isinstance(node, ast.Call):
            return
        self.found |= self.words(_command(node))
        for listed in self.places.looked_at(node):
            if listed is None:
                self.lists = True
                self.here |= getattr(node.func, "attr", "") in ("glob", "iglob")  # of this folder
            else:
                self.look_at(listed)

    def look_at(self, place: str) -> None:
        """Add what a listing of a folder or pattern gives."""
        if posixpath.normpath(place) == ".":
            self.found |= set(_all(self.folder))
        elif not is_elsewhere(place):
            self.found |= set(_expand(place, self.folder, listed=True))

    def words(self, line: str) -> set[Path]:
        """The files that a shell line names; it lists the folder, or some, by commands for that."""
        for arguments in _SHELL_LISTING.findall(line):
            for place in [w for w in arguments.split() if not w.startswith("-")] or ["."]:
                self.look_at(place)
        words = [w for w in _BETWEEN_WORDS.split(line) if "." in w or "/" in w]  # no sentence's
        return {path for word in words for path in _path_of(word, self.folder)}


def _command(node: ast.Call) -> str:
    """The shell's command of an `os.system` or `subprocess.run`; nothing: it is no such call."""
    called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    match node.args if called in _RUNNING else []:
        case [ast.Constant(str(text)), *_]:
            return text
        case [ast.List(words) | ast.Tuple(words), *_]:
            return " ".join(str(word.value) for word in words if isinstance(word, ast.Constant))
    return ""


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


def _path_of(text: str, folder: Path) -> Iterator[Path]:
    """The files that a text names, if it names any inside the folder.

    A line of asterisks is no pattern that means every file, so a name needs a letter.
    """
    if not is_elsewhere(text) and _LETTER.search(text):
        yield from _expand(text, folder)


def _expand(name: str, folder: Path, listed: bool = False) -> Iterator[Path]:
    """The files of a path or pattern; of a folder, all that are below it.

    Of a path that is not there, its folder: the code may write a file into it.

    Args:
        name: the path or pattern.
        folder: the notebook's.
        listed: whether the code lists them: then notebooks count as well.
    """
    try:
        path = folder / posixpath.normpath(name)
        inside = str(path.relative_to(folder))
        is_pattern = any(mark in inside for mark in "*?[")
        matches = [path]
        if is_pattern:
            wanted = inside.startswith(".") or "/." in inside
            matches = [m for m in folder.glob(inside) if wanted or not _is_hidden(m, folder)]
        for match in matches:
            if match.is_dir():
                yield from _below(match) if match != folder else ()
            elif (listed or match.suffix != ".ipynb") and match.is_file():
                yield match
        if path.parent != folder and path.parent.is_dir() and not any(m.exists() for m in matches):
            yield path.parent
    except (OSError, ValueError, NotImplementedError):
        return  # no path at all


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a path is in a hidden folder, as .git, .venv and the embedded store are, or one."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") for part in (parts if path.is_dir() else parts[:-1]))


def _all(folder: Path) -> Iterator[Path]:
    """All files of the notebook's folder; of hidden folders themselves alone."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_file():
            yield from () if path.name == ".ipynb_checkpoints" else [path]
        elif path.is_dir():
            yield from _below(path)


def _below(folder: Path) -> Iterator[Path]:
    """The files below a folder, and the folders that are empty, itself too."""
    for path in [folder, *sorted(folder.rglob("*"))]:
        empty = path.is_dir() and not any(path.iterdir())
        if (path.is_file() or empty) and not _LEFTOVERS & set(path.relative_to(folder).parts):
            yield path


def unshipped(document: Document, missing: Iterable[str]) -> str:
    """Say which path that a stage missed is there for the notebook, and what to do.

    Args:
        document: the notebook.
        missing: paths relative to its folder.

    Returns:
        The sentences; nothing: none of them is there.
    """
    folder = document.path.parent
    there = [name for name in missing if os.path.exists(folder / name)]
    for name in sorted(there, key=lambda name: os.path.isdir(folder / name)):  # files say more
        if is_outside(name):
            return (
                f"{name!r} is outside the notebook's folder: a stage gets only what is in it. "
                "fix: move the file beside the notebook, or read it from the store"
            )
        files = json.dumps({"files": [name]}, ensure_ascii=False)
        return (
            f"{name!r} is beside the notebook, and was not shipped: its code does not name it. "
            f'fix: give the notebook the metadata "podline": {files}'
        )
    return ""
