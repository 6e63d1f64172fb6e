"""What a stage takes in, and when it has it."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from podline.exceptions import ArtifactError
from podline.runner.inputs import Inputs
from podline.store import Store

from .conftest import Ran, Stages, make_plan


class SlowStore(Store):
    """A store that gives no array before the gate is open."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.connection)
        self.gate = threading.Event()

    def download(self, key: str, path: Path) -> str:
        if key.endswith(".npy"):
            assert self.gate.wait(60)
        return super().download(key, path)


@dataclass
class Waiting:
    """A stage that waits for its inputs: a file, and an array."""

    before: Ran
    inputs: Inputs
    store: SlowStore
    work: Path


@pytest.fixture
def waiting(stages: Stages, tmp_path: Path) -> Waiting:
    before = stages.run(
        "import numpy as np\nx = np.arange(5)\nopen('note.txt', 'w').write('first')", hands_on="x"
    )
    assert before.ok
    plan = make_plan("x.sum()", name="second", reads="x")
    store, work, scratch = SlowStore(stages.store), tmp_path / "work", tmp_path / "scratch"
    work.mkdir()
    scratch.mkdir()
    return Waiting(before, Inputs(stages.task(plan, [before]), store, work, scratch), store, work)


def test_objects_go_on_coming_while_libraries_are_imported(waiting: Waiting) -> None:
    needs, paths = waiting.inputs.fetch()
    (array,) = needs.artifacts(waiting.inputs.heap)
    assert (waiting.work / "note.txt").read_text() == "first"
    assert not paths[array.key].exists()
    waiting.store.gate.set()
    waiting.inputs.arrive()
    assert paths[array.key].stat().st_size == array.bytes
    assert waiting.inputs.bytes > array.bytes


def test_an_object_that_is_not_what_was_stored(waiting: Waiting) -> None:
    key = waiting.before.ok.heap.objects["stage:x"].key
    waiting.store.delete([key])
    waiting.store.put(key, b"another array")
    waiting.store.gate.set()
    waiting.inputs.fetch()
    with pytest.raises(
        ArtifactError, match=f"{key} is corrupt: its sha256 is .*fix: run the stage"
    ):
        waiting.inputs.arrive()
