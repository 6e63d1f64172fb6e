"""Read a notebook: its cells, numbered as a reader counts them, and what is wrong with them.

The file is read as JSON, without nbformat: its import takes a tenth of a second of each parsing
of a DAG file, and its errors name a path in a schema instead of a cell. Only what the compiler
uses is checked.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from podline.text import lines_of

Severity = Literal["error", "warning"]
ERROR: Severity = "error"
WARNING: Severity = "warning"
# Bytes. One that takes Airflow longer to read than it allows a DAG file would cost all others.
_LARGEST = 100_000_000
_MOST_CODE = 5_000_000  # characters; some seconds
_LONGEST_QUOTE = 100  # characters
_UNWRITABLE = "a character that nothing can store: \\u0000, or a lone half such as \\ud83d"


@dataclass(frozen=True)
class Problem:
    """Something to say about a notebook: where it is, what it is, and how to mend it.

    Attributes:
        message: what is wrong.
        fix: what to do.
        cell, line: the cell's number and the line in it, both from 1; none: it is about more.
        quote: the text of the line.
        severity: ``error``: the notebook does not compile; ``warning``: it does.
    """

    message: str
    fix: str = ""
    cell: int | None = None
    line: int | None = None
    quote: str = ""
    severity: Severity = ERROR

    def render(self, notebook: str) -> str:
        """Return the problem as text of one to three lines, headed by notebook, cell and line."""
        where = notebook
        if self.cell is not None:
            where += f", cell {self.cell}"
        if self.line is not None:
            where += f", line {self.line}"
        lines = [f"{where}: {self.severity}: {self.message}"]
        if self.quote:
            lines.append(f"    {self.quote.strip()[:_LONGEST_QUOTE]}")
        if self.fix:
            lines.append(f"    fix: {self.fix}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        number: counts every cell from 1, Markdown cells as well.
        kind: ``code``, ``markdown`` or ``raw``.
        source: its text.
        tags: as they are in the file, thus maybe no texts.
    """

    number: int
    kind: str
    source: str
    tags: tuple[Any, ...] = ()

    def line(self, number: int | None) -> str:
        """Return the line of that number (from 1), or nothing."""
        lines = lines_of(self.source)
        return lines[number - 1] if number and number <= len(lines) else ""


@dataclass(frozen=True)
class Document:
    """A notebook as read from its file; `sha256` is that of the file's bytes."""

    path: Path
    sha256: str
    metadata: Mapping[str, Any]
    cells: tuple[Cell, ...]

    @property
    def code_cells(self) -> list[Cell]:
        """The code cells, in order."""
        return [cell for cell in self.cells if cell.kind == "code"]

    @property
    def description(self) -> str:
        """The first Markdown cell's text, or nothing."""
        return next((cell.source for cell in self.cells if cell.kind == "markdown"), "")

    @property
    def kale_defaults(self) -> Any:
        """What Kale's extension keeps for all steps of a notebook, as it is in the file."""
        return nested(self.metadata, "kubeflow_notebook", "steps_defaults")


class Notes:
    """The problems found so far in a document."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document, self.problems = document, problems

    def add(
        self,
        message: str,
        fix: str,
        cell: Cell | int | None = None,
        line: int | None = None,
        severity: Severity = ERROR,
    ) -> None:
        """Note a problem, once.

        Args:
            message: what is wrong.
            fix: what to do.
            cell: where, as a cell or its number.
            line: the line in it, which is quoted.
            severity: ``error`` or ``warning``.
        """
        if isinstance(cell, int):
            cell = next((c for c in self.document.cells if c.number == cell), None)
        number, quote = (cell.number, cell.line(line)) if cell else (None, "")
        found = Problem(message, fix, number, line, quote, severity)
        if found not in self.problems:
            self.problems.append(found)


def read_document(path: Path, draft: bytes | None = None) -> tuple[Document, list[Problem]]:
    """Read a notebook (nbformat 4).

    Returns the document, with no cells where the file cannot be used, and its problems.

    Args:
        path: its file.
        draft: what is read in place of the file, as an editor has it.
    """
    empty = Document(path, "", {}, ())
    content = _read(path) if draft is None else draft
    if isinstance(content, Problem):
        return empty, [content]
    try:
        raw = json.loads(content)
    except UnicodeDecodeError as error:
        return empty, [Problem(f"is not UTF-8 text: {error.reason}", "save it as a notebook again")]
    except json.JSONDecodeError as error:
        quote = dict(enumerate(error.doc.splitlines(), start=1)).get(error.lineno, "")
        problem = Problem(
            f"is not JSON: {error.msg} (line {error.lineno} of the file)",
            "restore the file, or open and save it in Jupyter",
            quote=quote,
        )
        return empty, [problem]
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, deep lists
        return empty, [Problem(f"is no JSON that can be read: {error}", "restore the file")]
    problem_found = _shape_problem(raw)
    if problem_found:
        return empty, [problem_found]
    cells, problems = [], []
    for number, raw_cell in enumerate(raw["cells"], start=1):
        cell = _read_cell(number, raw_cell)
        if isinstance(cell, Problem):
            problems.append(cell)
        else:
            cells.append(cell)
    if (length := sum(len(cell.source) for cell in cells if cell.kind == "code")) > _MOST_CODE:
        message = f"has {length:,} characters of code, and may have {_MOST_CODE:,}"
        return empty, [Problem(message, "keep data in a file beside the notebook, and read it")]
    digest = hashlib.sha256(content).hexdigest()
    metadata = raw.get("metadata") or {}
    if kernel := _kernel_problems(metadata):
        return empty, kernel  # what else is wrong in another language is not ours to say
    return Document(path, digest, metadata, tuple(cells)), problems


def _read(path: Path) -> bytes | Problem:
    """The file's bytes; what is no file is not opened: reading a pipe would never end."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no file"
            return Problem(f"cannot be read: it is {kind}", "give a notebook's file")
        if about.st_size > _LARGEST:
            return Problem(
                f"has {about.st_size:,} bytes, and may have {_LARGEST:,}: Airflow reads it often",
                "clear its outputs in Jupyter and save; read data from files",
            )
        return path.read_bytes()
    except OSError as error:
        fix = "check where the link leads" if os.path.islink(path) else "check the path"
        fix = "let podline's user read it" if isinstance(error, PermissionError) else fix
        return Problem(f"cannot be read: {error.strerror or error}", fix)


def _shape_problem(raw: Any) -> Problem | None:
    if not isinstance(raw, dict) or "nbformat" not in raw:
        return Problem("is not a notebook: it has no 'nbformat'", "give a file made by Jupyter")
    if raw["nbformat"] != 4:
        return Problem(
            f"has nbformat {raw['nbformat']!r}, not 4",
            "convert it: jupyter nbconvert --to notebook --nbformat 4 --inplace NOTEBOOK",
        )
    if not isinstance(raw.get("cells"), list):
        return Problem("has no list of 'cells'", "open and save it in Jupyter")
    if not isinstance(raw.get("metadata", {}), dict):
        return Problem("has a 'metadata' that is no object", "open and save it in Jupyter")
    metadata = json.dumps(raw.get("metadata"), ensure_ascii=False)
    if not _can_be_stored(metadata.replace(r"\u0000", "\0")):
        return Problem(f"has in its metadata {_UNWRITABLE}", "delete it")
    return None


def _can_be_stored(text: str) -> bool:
    """Whether databases and files take a text: JSON can name what they do not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _read_cell(number: int, raw: Any) -> Cell | Problem:
    fix = "open and save the notebook in Jupyter"
    if not isinstance(raw, dict) or not isinstance(raw.get("cell_type"), str):
        return Problem("is no cell: it has no 'cell_type'", fix, cell=number)
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return Problem("has a 'source' that is neither text nor a list of lines", fix, cell=number)
    if not _can_be_stored(source):
        return Problem(f"has {_UNWRITABLE}", "delete it, or write it as an escape", cell=number)
    metadata = raw.get("metadata", {})
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else None
    if not isinstance(tags, list):
        return Problem("has 'tags' that are no list", 'write "tags": ["step:NAME"]', cell=number)
    return Cell(number, raw["cell_type"], source, tuple(tags))


def _kernel_problems(metadata: Mapping[str, Any]) -> list[Problem]:
    language = nested(metadata, "kernelspec", "language")
    language = language or nested(metadata, "language_info", "name")
    if language and str(language).lower() not in ("python", "ipython"):
        message = f"has a kernel of the language {language!r}, and podline runs Python only"
        return [Problem(message, "choose a Python kernel in Jupyter and save")]
    return []


def nested(metadata: Mapping[str, Any], outer: str, inner: str) -> Any:
    """Return a value of an object in the metadata; None: there is none.

    Args:
        metadata: the notebook's.
        outer: the object's name.
        inner: the value's name in it.
    """
    value = metadata.get(outer)
    return value.get(inner) if isinstance(value, dict) else None
