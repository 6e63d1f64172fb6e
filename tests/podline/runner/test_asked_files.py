"""What cells ask for and are told not to be there: noted where the answer raises nothing."""

import contextlib
import os
import sys
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from podline.runner import asked_files
from podline.runner.asked_files import AskedFiles

QUESTIONS = {
    "Path('a').exists()": ["a"],
    "Path('d/a').is_file()": ["d/a"],
    "os.path.isdir('d')": ["d"],
    "os.access('a', os.R_OK)": ["a"],
    "os.path.exists('there')": [],
    "os.path.exists('/nowhere/a')": [],
    "open('a', 'a').close()": ["a"],
    "open('a', 'w').close()": [],
    "imaging.imread('a.png')": ["a.png"],
    "with suppress(OSError): os.path.getsize('a')": ["a"],
    "with suppress(OSError): Path('a').stat()": ["a"],
}


def line_of(frame: FrameType) -> str:
    return f"line {frame.f_lineno}" if frame.f_code.co_filename == "<cell>" else ""


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_noted(question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for holder, name in asked_files._QUESTIONS:  # as they are, when the test is over
        monkeypatch.setattr(holder, name, getattr(holder, name))
    imaging = ModuleType("imaging")
    imaging.imread = lambda name: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imaging", imaging)
    monkeypatch.setattr(asked_files, "_SILENT", {"imaging": ("imread",)})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("")
    asked = AskedFiles(tmp_path, line_of)
    asked.start(question)
    names = {"Path": Path, "os": os, "imaging": imaging, "suppress": contextlib.suppress}
    exec(compile(f"\n{question}", "<cell>", "exec"), names)
    asked.active = False
    assert asked.missing == dict.fromkeys(QUESTIONS[question], "line 2")
