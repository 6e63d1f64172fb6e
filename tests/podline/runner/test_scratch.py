"""A stage's folder, and what becomes of those whose stages were killed."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from podline.runner import scratch
from podline.runner.scratch import Scratch

KILLED = """
import os, signal
from podline.runner.scratch import Scratch
print(Scratch().folder("work").parent, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_its_owners_and_goes_when_it_is_removed(temporary: Path) -> None:
    mine = Scratch()
    assert stat.S_IMODE(mine.path.stat().st_mode) == 0o700
    assert mine.folder("work").is_dir()
    mine.remove()
    assert not list(temporary.iterdir())


def test_what_a_killed_stage_left_is_removed_and_nothing_else(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True)
    left, used, foreign = Path(run.stdout.strip()), Scratch(), temporary / "podline-notes"
    foreign.mkdir()
    scratch.sweep()
    assert left.is_dir()  # it may be that its stage has not come to lock it
    for folder in (left, used.path):
        os.utime(folder / "lock", (0, 0))
    scratch.sweep()
    assert sorted(temporary.iterdir()) == sorted([used.path, foreign])
    used.remove()
