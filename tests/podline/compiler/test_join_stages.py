"""Two stages of a notebook become one."""

import json
from pathlib import Path

import pytest

from podline.compiler.compiler import compile_notebook
from podline.compiler.join_stages import join_stages
from podline.exceptions import NotebookError

from .conftest import Write

CELLS = [
    ("parameters", "n = 1"),
    ("step:a", "x = n"),
    ("step:other prev:", "z = 3"),
    ("step:b prev:a limit:cpu:2", "y = x"),
    ("", "y += 1"),
    ("step:c prev:b prev:other loose", "w = y"),
    ("step:d prev:c prev:b", "v = w"),
]


def joined(path: Path, first: str, second: str) -> dict[str, set[str]]:
    """The stages of the joined notebook, and what each waits for."""
    to = path.with_stem("joined")
    to.write_text(join_stages(path, first, second))
    return {stage.name: set(stage.parents) for stage in compile_notebook(to).stages}


def test_the_first_one_s_name_and_what_either_waited_for(write: Write) -> None:
    waits = joined(write(*CELLS), "b", "c")
    assert waits == {"a": set(), "other": set(), "b": {"a", "other"}, "d": {"b"}}


def test_only_tags_are_changed(write: Write) -> None:
    path = write(*CELLS)
    before, after = (
        json.loads(t)["cells"] for t in (path.read_text(), join_stages(path, "b", "c"))
    )
    assert [cell["source"] for cell in before] == [cell["source"] for cell in after]
    assert after[5]["metadata"]["tags"] == ["loose"]
    assert after[3]["metadata"]["tags"] == ["step:b", "prev:a", "limit:cpu:2", "prev:other"]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("b", "e", "example.ipynb has no stage 'e'; its stages are a, other, b, c, d"),
        ("a", "b", "example.ipynb: 'b' does not come right after 'a'; its stages are, in order"),
        ("c", "b", "example.ipynb: 'b' does not come right after 'c'"),
    ],
)
def test_what_cannot_be_joined(write: Write, first: str, second: str, message: str) -> None:
    with pytest.raises(NotebookError) as caught:
        join_stages(write(*CELLS), first, second)
    assert str(caught.value).startswith(message)


def test_one_of_the_applications() -> None:
    path = Path(__file__).parents[3] / "notebooks" / "household_power.ipynb"
    found = json.loads(join_stages(path, "ingest", "preprocess"))
    tags = [cell["metadata"].get("tags") for cell in found["cells"]]
    assert ["step:train", "prev:ingest"] in tags
