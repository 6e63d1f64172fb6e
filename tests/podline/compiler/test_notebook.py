"""Reading a notebook's file: cells as a reader counts them, and what is wrong with the file."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.notebook import Document, Problem, read_document


def read(tmp_path: Path, content: bytes | str | dict[str, Any]) -> tuple[Document, list[Problem]]:
    path = tmp_path / "example.ipynb"
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_document(path)


def complaint(tmp_path: Path, content: bytes | str | dict[str, Any]) -> str:
    _, problems = read(tmp_path, content)
    (problem,) = problems
    assert problem.fix
    return problem.render("example.ipynb")


def cell(kind: str = "code", source: object = "x = 1", **more: object) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def notebook(*cells: object, **metadata: object) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 2, "metadata": metadata, "cells": list(cells)}


def test_cells_are_counted_with_markdown_and_raw_ones(tmp_path: Path) -> None:
    content = notebook(
        cell("markdown", ["# Title\n", "more"]),
        cell("raw", "x"),
        cell("code", ["a = 1\n", "b = 2"], metadata={"tags": ["step:a", 3]}),
        cell("code", "c = 3", metadata={"collapsed": True}),
    )
    document, problems = read(tmp_path, content)
    assert problems == []
    assert [(c.number, c.source, c.tags) for c in document.code_cells] == [
        (3, "a = 1\nb = 2", ("step:a", 3)),
        (4, "c = 3", ()),
    ]
    assert document.description == "# Title\nmore"
    assert document.sha256 == hashlib.sha256(json.dumps(content).encode()).hexdigest()


def test_a_bare_cell_and_bare_metadata_are_enough(tmp_path: Path) -> None:
    document, problems = read(tmp_path, {"nbformat": 4, "cells": [{"cell_type": "code"}]})
    assert problems == []
    assert document.code_cells[0].source == ""
    assert document.description == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"cells": [\n 1,\n', "is not JSON: Expecting value (line 3 of the file)"),
        ("", "is not JSON: Expecting value (line 1 of the file)"),
        (b'{"x": "\xff"}', "is not UTF-8 text: invalid start byte"),
        ("[1]", "is not a notebook: it has no 'nbformat'"),
        ("[" * 100_000, "is no JSON that can be read: maximum recursion depth"),
        (f'{{"nbformat": {"9" * 5000}}}', "is no JSON that can be read: Exceeds the limit"),
        (notebook(title="\0"), "has in its metadata a character that nothing can store"),
        (notebook(title="\ud83d"), "has in its metadata a character that nothing can store"),
        ({"nbformat": 3, "worksheets": []}, "has nbformat 3, not 4"),
        ({"nbformat": 4}, "has no list of 'cells'"),
        ({"nbformat": 4, "cells": {}}, "has no list of 'cells'"),
        ({"nbformat": 4, "cells": [], "metadata": []}, "has a 'metadata' that is no object"),
    ],
)
def test_a_file_that_is_no_notebook(tmp_path: Path, content: Any, expected: str) -> None:
    assert complaint(tmp_path, content).startswith(f"example.ipynb: error: {expected}")
    assert read(tmp_path, content)[0].cells == ()


def test_a_missing_file(tmp_path: Path) -> None:
    _, problems = read_document(tmp_path / "nowhere.ipynb")
    assert problems[0].message == "cannot be read: No such file or directory"


def test_what_cannot_be_read_is_said_and_never_waited_for(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.ipynb" for name in ("dir", "pipe", "dangling", "loop")}
    paths["long"] = tmp_path / f"{'x' * 300}_baseline.ipynb"
    paths["dir"].mkdir()
    os.mkfifo(paths["pipe"])
    paths["dangling"].symlink_to("nowhere.ipynb")
    paths["loop"].symlink_to(paths["loop"])
    said = {name: read_document(path)[1][0].message for name, path in paths.items()}
    assert said == {
        "dir": "cannot be read: it is a folder",
        "pipe": "cannot be read: it is no file",
        "dangling": "cannot be read: No such file or directory",
        "loop": "cannot be read: Too many levels of symbolic links",
        "long": "cannot be read: File name too long",
    }


def test_data_are_no_code(tmp_path: Path) -> None:
    said = complaint(tmp_path, notebook(cell(source=f"rows = [{'1,' * 3_000_000}]")))
    assert "has 6,000,009 characters of code, and may have 5,000,000" in said
    assert "keep data in a file" in said


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)  # of which the disk has none
    (problem,) = read_document(path)[1]
    assert problem.message.startswith("has 3,000,000,000 bytes, and may have 100,000,000")
    assert "clear its outputs" in problem.fix


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("text", "is no cell: it has no 'cell_type'"),
        ({"source": "x"}, "is no cell: it has no 'cell_type'"),
        (cell(source=3), "has a 'source' that is neither text nor a list of lines"),
        (cell(source=["a", 3]), "has a 'source' that is neither text nor a list of lines"),
        (cell(metadata={"tags": "step:a"}), "has 'tags' that are no list"),
        (cell(metadata=[]), "has 'tags' that are no list"),
    ],
)
def test_a_bad_cell_is_named_and_the_others_are_read(
    tmp_path: Path, bad: Any, expected: str
) -> None:
    content = notebook(cell(), bad, cell())
    assert complaint(tmp_path, content).startswith(f"example.ipynb, cell 2: error: {expected}")
    assert [c.number for c in read(tmp_path, content)[0].cells] == [1, 3]


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"language": "R"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"name": "ir"}, "language_info": {"name": "R"}}, "R"),
    ],
)
def test_another_language(tmp_path: Path, metadata: dict[str, Any], language: str) -> None:
    text = complaint(tmp_path, notebook(cell(), **metadata))
    assert f"has a kernel of the language {language!r}" in text


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": None, "language_info": []},
        {"kernelspec": {"name": "my-env", "display_name": "my env"}},
        {"kernelspec": {"language": "python"}, "language_info": {"name": "python"}},
        {"kernelspec": {"language": "Python"}},
        {"language_info": {"name": "ipython"}},
    ],
)
def test_what_is_taken_for_python(tmp_path: Path, metadata: dict[str, Any]) -> None:
    assert read(tmp_path, notebook(cell(), **metadata))[1] == []


def test_all_problems_at_once(tmp_path: Path) -> None:
    assert [p.cell for p in read(tmp_path, notebook(3, cell(), cell(source=3)))[1]] == [1, 3]


def test_how_a_problem_reads() -> None:
    assert Problem("is bad").render("n.ipynb") == "n.ipynb: error: is bad"
    full = Problem("is bad", "mend it", 3, 2, "  x = y ", "warning")
    assert full.render("n.ipynb") == (
        "n.ipynb, cell 3, line 2: warning: is bad\n    x = y\n    fix: mend it"
    )
