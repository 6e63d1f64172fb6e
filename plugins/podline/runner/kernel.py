"""Runs cells as IPython does, passes their output on as it comes, and keeps it for the notebook.

Cells may use all that a notebook may: magics, `!commands`, top-level `await`, rich output. It is
IPython's own shell, without the parts for somebody who types, and three things are different:

- a cell's error ends the stage, and says which line of the cell raised;
- output goes to the task's log as it comes, and into the executed notebook; of a progress bar,
  which prints a thousand states, the notebook keeps the last;
- `exit()` ends the cell and no more, and what IPython would swallow (a signal to stop that
  comes while a cell runs) is raised.
"""

import base64
import contextlib
import io
import os
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Required, TypedDict

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from podline.exceptions import CellFailed
from podline.runner.pickling import Namespace
from podline.secrecy import redacted
from podline.text import lines_of

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# A bar's last return stands for "I will overwrite this": the text before that one is kept.
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
_OF_CELL = re.compile(r"<ipython-input-|<cell|.*ipykernel_")  # the file that a cell is, to Python


Forms = dict[str, object]  # by MIME type


class Output(TypedDict, total=False):
    """What a cell showed, as nbformat has it; printed text still as a list of lines."""

    output_type: Required[str]
    name: str
    text: list[str]
    data: Forms
    metadata: Forms
    execution_count: int
    ename: str
    evalue: str
    traceback: list[str]


@dataclass
class ExecutedCell:
    """A cell that was run, with what it `shown` so far."""

    number: int
    source: str
    count: int | None = None
    seconds: float = 0.0
    shown: list[Output] = field(default_factory=list)

    @property
    def outputs(self) -> list[dict[str, object]]:
        """What it showed, in the notebook's format."""
        return [
            {**output, "text": "\n".join(output["text"])} if "text" in output else {**output}
            for output in list(self.shown)
        ]

    def print(self, name: str, text: str) -> None:
        """Add printed text; of a progress bar only the last state stays."""
        if not self.shown or self.shown[-1].get("name") != name:
            self.shown.append({"output_type": "stream", "name": name, "text": [""]})
        lines = self.shown[-1]["text"]
        first, *rest = collapse(lines[-1] + text).split("\n")
        lines[-1:] = [first, *rest]


class _Publisher(DisplayPublisher):
    """Keeps what a cell displays, and says in the log that it did."""

    kernel: "Kernel"

    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:  # type: ignore[override]
        self.kernel.display("display_data", data, metadata or {})

    def clear_output(self, wait: bool = False) -> None:
        if self.kernel.current:
            self.kernel.current.shown.clear()


class _DisplayHook(DisplayHook):
    """Keeps what a cell's last expression is."""

    kernel: "Kernel"

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.kernel.display("execute_result", format_dict, md_dict or {})

    def write_output_prompt(self) -> None:
        pass

    def finish_displayhook(self) -> None:
        pass


class _Shell(InteractiveShell):
    """IPython's shell for cells that nobody types."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_DisplayHook)
    error: BaseException | None = None
    nested = False  # whether it was raised in a cell that a magic ran

    # `%%capture` runs its body by this method as well, and tells nobody of its error.
    def run_cell(self, *arguments: Any, **named: Any) -> Any:
        before = self.error
        result: Any = super().run_cell(*arguments, **named)  # type: ignore[no-untyped-call]
        error = result.error_before_exec or result.error_in_exec
        self.nested = error is None and self.error is not before
        self.error = self.error or error
        return result

    def _do_nothing(self, *arguments: Any, **named: Any) -> None:
        pass

    # `exit()` in a cell ends the cell, not the stage.
    ask_exit = _do_nothing
    # IPython prints tracebacks; here the failure's own text has it, once.
    showtraceback = showsyntaxerror = _do_nothing
    # Plots are shown inline: there is no event loop to join with.
    enable_gui = _do_nothing
    # Nobody types here: what completes names is made when it is first asked for.
    init_virtualenv = init_completer = _do_nothing

    def __getattr__(self, name: str) -> Any:
        if name != "Completer":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().init_completer()  # type: ignore[no-untyped-call]
        return self.__dict__[name]


class _Stream(io.TextIOBase):
    """Passes text on at once, and keeps it as an output of the running cell."""

    def __init__(self, kernel: "Kernel", name: str, target: Any) -> None:
        self.kernel, self.name_, self.target = kernel, name, target

    def write(self, text: str) -> int:
        self.pass_on(text)
        self.kernel.stream(self.name_, text)
        return len(text)

    def pass_on(self, text: str) -> None:
        """Write to the log, unless the notebook closed it."""
        with contextlib.suppress(OSError, ValueError):
            self.target.write(redacted(text))
            self.target.flush()

    def flush(self) -> None:
        self.pass_on("")

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return int(self.target.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


class Kernel:
    """One IPython shell: its namespace is the notebook's."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        shell: Any = _Shell.instance(config=config)
        shell.display_pub.kernel = shell.displayhook.kernel = self
        shell.display_formatter.active_types = list(shell.display_formatter.format_types)
        self.shell = shell
        self.current: ExecutedCell | None = None
        self.out: _Stream | None = None
        self.cells: list[ExecutedCell] = []

    @property
    def namespace(self) -> Namespace:
        """The notebook's names."""
        namespace: Namespace = self.shell.user_ns
        return namespace

    def run(self, number: int, source: str) -> ExecutedCell:
        """Run a cell.

        Args:
            number: its number in the notebook.
            source: its text.

        Raises:
            CellFailed: the cell raised. `exit()` and `exit(0)` are no failure.
        """
        cell = self.current = ExecutedCell(number, source)
        self.cells.append(cell)
        start = time.monotonic()
        try:
            # Where this raises, the cell stays the current one: it was interrupted.
            error = self._run(source, store_history=True)
        finally:
            cell.seconds = time.monotonic() - start
            cell.count = self.shell.execution_count - 1
        self.current = None
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return cell
        if error is not None:
            raise self._failure(cell, error)
        return cell

    def run_quietly(self, number: int, line: int, source: str) -> None:
        """Run a statement of the preamble, which is no cell of its own, and keep nothing of it.

        Args:
            number: of the cell that it stands in.
            line: where it begins in that cell, for the lines of an error.
            source: the statement's text.

        Raises:
            CellFailed: it raised.
        """
        cell = ExecutedCell(number, source)
        error = self._run(source, store_history=False)
        if error is not None:
            raise self._failure(cell, error, line)

    def _run(self, source: str, store_history: bool) -> BaseException | None:
        """Run a text, and return its error; raise what is no failure of the cell.

        IPython catches even the signal to stop.
        """
        self.shell.error = None
        if "Completer" in source:
            self.shell.Completer  # noqa: B018 - `%config IPCompleter` finds only what was made
        self.out = _Stream(self, "stdout", sys.stdout)
        errors = _Stream(self, "stderr", sys.stderr)
        with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(errors):
            self.shell.run_cell(source, store_history=store_history)
        error: BaseException | None = self.shell.error
        if not isinstance(error, Exception | SystemExit | KeyboardInterrupt | None):
            raise error
        return error

    # -- outputs

    def stream(self, name: str, text: str) -> None:
        """Keep printed text."""
        if self.current is not None:
            self.current.print(name, text)

    def display(self, kind: str, data: Forms, metadata: Forms) -> None:
        """Keep a rich output, and print its plain text.

        Args:
            kind: `display_data`, or `execute_result` of the cell's last expression.
            data: its forms by MIME type.
            metadata: of these forms.
        """
        output: Output = {
            "output_type": kind,
            "data": {mime: _encoded(value) for mime, value in data.items()},
            "metadata": metadata,
        }
        if kind == "execute_result":
            output["execution_count"] = self.shell.execution_count - 1
        if text := data.get("text/plain"):
            (self.out or _Stream(self, "stdout", sys.stdout)).pass_on(f"{text}\n")
        if self.current is not None:
            self.current.shown.append(output)

    # -- failures

    def _failure(self, cell: ExecutedCell, error: BaseException, first: int = 1) -> CellFailed:
        from IPython.core.ultratb import VerboseTB

        formatter = VerboseTB(theme_name="nocolor", include_vars=False)
        trace = error.__traceback__
        lines = formatter.structured_traceback(type(error), error, trace, tb_offset=1)
        text = _COLOURS.sub("", "\n".join(lines))
        cell.shown.append(
            {
                "output_type": "error",
                "ename": type(error).__name__,
                "evalue": str(error),
                "traceback": text.splitlines(),
            }
        )
        line = self._line(cell.source, error)
        line = line and first - 1 + line
        heading = f"cell {cell.number}, line {line}" if line else f"cell {cell.number}"
        message = f"{heading}: {type(error).__name__}: {error}\n{_marked(cell, line, first)}"
        return CellFailed(cell.number, message, text)

    def _line(self, source: str, error: BaseException) -> int | None:
        """The line of the cell that raised, or that called what did; None: it is in no cell.

        IPython runs the cell without the blank lines above it, and a magic runs a body that
        begins below its own line; both are counted again here.
        """
        lines = lines_of(source)
        # IPython leaves out the blank lines above the first statement.
        above = _blank(lines)
        below_magic = above + 1 + _blank(lines[above + 1 :])
        if isinstance(error, SyntaxError):
            return error.lineno and error.lineno + above
        trace, found = error.__traceback__, None
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            if name == "<timed exec>":  # the body of %%time
                return trace.tb_lineno + below_magic
            if found is None and _OF_CELL.match(name):
                found = trace.tb_lineno + (below_magic if self.shell.nested else above)
            trace = trace.tb_next
        return found


def _blank(lines: list[str]) -> int:
    """How many lines are blank before the first that is not."""
    return next((i for i, line in enumerate(lines) if line and not line.isspace()), 0)


def _marked(cell: ExecutedCell, line: int | None, first: int) -> str:
    """The cell's source with the line marked, five lines around it."""
    rows = []
    for number, text in enumerate(lines_of(cell.source), start=first):
        if line is None or abs(number - line) <= 5:
            rows.append(f"{'-->' if number == line else '   '} {number:3} {text}")
    return "\n".join(rows)


def _encoded(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def collapse(text: str) -> str:
    """Return text as a terminal shows it: what follows a carriage return replaces the line."""
    return _OVERWRITTEN.sub("", text.replace("\r\n", "\n")) if "\r" in text else text
