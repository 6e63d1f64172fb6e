"""Every code block of the README and of docs/ runs, or says why it is not run, and can be read."""

import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import nbformat
import pytest

from podline.store import seaweedfs
from tests.support import code_blocks
from tests.support.code_blocks import DOCS, NOT_RUN, PAGES, READERS, Block, blocks
from tests.support.commands import COMMANDS, named_command, targets

ALL = list(chain.from_iterable(map(blocks, PAGES)))
TUTORIAL = DOCS / "tutorial.md"
RUNNABLE = [page for page in PAGES if any(block.runs for block in blocks(page))]


def name_of(value: Path | Block) -> str:
    return value.name if isinstance(value, Path) else f"{value.page}:{value.line}"


@pytest.mark.parametrize("block", ALL, ids=name_of)
def test_a_block_says_its_language_and_can_be_read(block: Block) -> None:
    assert block.known, f"{block.language!r}, {block.mark!r}"
    if reads := READERS.get(block.language):
        reads(block.code)


@pytest.mark.parametrize("block", [b for b in ALL if b.mark.startswith(NOT_RUN)], ids=name_of)
def test_what_is_not_run_names_commands_options_and_targets_that_are_there(block: Block) -> None:
    lines = block.code.replace("\\\n", " ").splitlines() if block.language == "bash" else ()
    commands = [line for line in lines if line.lstrip().startswith(("podline ", "make "))]
    for words in (shlex.split(line, comments=True) for line in commands):
        if words[:1] == ["podline"]:
            name = named_command(" ".join(words[1:]))
            assert name, words
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= COMMANDS[name], words
        if words[:1] == ["make"]:
            named = {word for word in words[1:] if "=" not in word and not word.startswith("-")}
            assert named <= targets(), words


def test_cells_stand_in_their_notebooks_as_the_page_has_them() -> None:
    cells = [(block, block.cell) for block in ALL if block.cell]
    assert cells
    for block, (path, number) in cells:
        there = nbformat.read(path, as_version=4).cells[number - 1].source
        assert block.code == f"{there}\n", name_of(block)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in which somebody has done what the tutorial says."""
    folder = code_blocks.checkout(tmp_path_factory.mktemp("checkout"))
    try:
        code_blocks.run(TUTORIAL, folder)
        yield folder
    finally:
        seaweedfs.stop(folder / ".podline/store")


@pytest.mark.slow
@pytest.mark.xdist_group("code blocks")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_blocks_of_a_page_run(checkout: Path, page: Path) -> None:
    if page != TUTORIAL:
        code_blocks.run(page, checkout)
