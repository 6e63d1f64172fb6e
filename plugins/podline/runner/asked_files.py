"""Files that cells asked for and were told not to be there, by an answer that raises nothing.

Where such a file is beside the notebook, one kernel would have said that it is there::

    if Path(name).exists(): ...          False, as nobody shipped what only the run knows
    image = cv2.imread(name)             None
    try: open(name)
    except FileNotFoundError: ...

Which files are beside the notebook is known outside: the answers are noted, and looked at there.
"""

import functools
import genericpath
import importlib
import os
import pathlib
import posixpath
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath
from types import FrameType
from typing import Any

_QUESTIONS: tuple[tuple[Any, str], ...] = (
    *((genericpath, name) for name in ("exists", "isfile", "isdir")),
    *((posixpath, name) for name in ("exists", "lexists", "isfile", "isdir")),
    *((posixpath, name) for name in ("getatime", "getctime", "getmtime", "getsize")),
    *((pathlib.Path, name) for name in ("exists", "is_file", "is_dir", "stat")),
    (os, "access"),
)
# Functions of libraries that answer None or False, by the module.
_SILENT = {"cv2": ("imread", "imreadmulti", "haveImageReader")}
_MOST = 200  # paths that are noted
_is_there = os.path.lexists


class AskedFiles:
    """Notes what the notebook's code asks for below a folder and what is not there.

    Attributes:
        missing: the paths, each with the line that asked.
        active: whether the notebook's code runs.
    """

    def __init__(self, folder: Path, where: Callable[[FrameType], str]) -> None:
        """Begin to listen.

        Args:
            folder: the working directory.
            where: says which line of the notebook a frame is at; "": it is no code of it.
        """
        self.folder, self.where = folder, where
        self.missing: dict[str, str] = {}
        self.active = False
        for holder, name in _QUESTIONS:
            self._listen(holder, name)
        sys.addaudithook(self._hear)

    def start(self, source: str) -> None:
        """Note from now on.

        Args:
            source: the text of the cells, some of whose libraries are listened to as well.
        """
        for module, names in _SILENT.items():
            if module in source or module in sys.modules:
                with suppress(ImportError):
                    for name in names:
                        self._listen(importlib.import_module(module), name)
        self.active = True

    def _listen(self, holder: Any, name: str) -> None:
        asked = getattr(holder, name, None)
        if asked is None:
            return

        @functools.wraps(asked)
        def ask(*arguments: Any, **named: Any) -> Any:
            path = arguments[0] if arguments else next(iter(named.values()), None)
            try:
                answer = asked(*arguments, **named)
            except FileNotFoundError:  # which the notebook may catch
                self._note(path, sys._getframe(1))
                raise
            if answer is None or answer is False:
                self._note(path, sys._getframe(1))
            return answer

        setattr(holder, name, ask)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of what is opened to be read or gone on with, by a library as well."""
        if not self.active or event not in ("open", "sqlite3.connect"):
            return
        path = arguments[0]
        overwrites = event == "open" and arguments[2] & os.O_TRUNC
        if overwrites or not isinstance(path, str | bytes | PurePath) or _is_there(path):
            return
        frame: FrameType | None = sys._getframe(1)
        while frame and not self.where(frame):
            frame = frame.f_back
        if frame:
            self._note(path, frame)

    def _note(self, path: Any, frame: FrameType) -> None:
        full = not self.active or len(self.missing) >= _MOST
        if full or not isinstance(path, str | bytes | PurePath):
            return
        place = os.path.relpath(os.path.abspath(os.fsdecode(path)), self.folder)
        if not place.startswith("..") and place not in self.missing and (by := self.where(frame)):
            self.missing[place] = by
