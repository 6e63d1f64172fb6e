"""Runs cells as IPython does, passes their output on as it comes, and keeps it for the notebook.

Cells may use all that a notebook may: magics, `!commands`, top-level `await`, rich output. It is
IPython's own shell, without the parts for somebody who types. It has Jupyter's kernel's ways: an
event loop that is running, one context for all cells. Three things are different:

- a cell's error ends the stage, and says which line of the cell raised;
- output goes to the task's log as it comes, and into the executed notebook; of a progress bar,
  which prints a thousand states, the notebook keeps the last;
- `exit()` ends the cell and no more, and what IPython would swallow (a signal to stop that
  comes while a cell runs) is raised.
"""

import base64
import contextlib
import contextvars
import io
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from podline.exceptions import CellFailed
from podline.runner import figures, notebook_signs
from podline.runner.executed_cell import ExecutedCell, Forms, Output
from podline.runner.pickling import Namespace
from podline.secrecy import redacted
from podline.text import lines_of

if TYPE_CHECKING:
    from podline.runner.cell_loop import CellLoop

P = ParamSpec("P")
T = TypeVar("T")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What may need the event loop, which takes some time to import.
_ASYNC = re.compile("async|await")
_REMEMBERED = ("_", "__", "___")  # the names of what cells showed last
_UNKNOWN = object()  # what cells of other stages showed
_OF_CELL = re.compile(r"<ipython-input-|<cell|.*ipykernel_")  # the file that a cell is, to Python


class _Publisher(DisplayPublisher):
    """Keeps what a cell displays, and says in the log that it did."""

    kernel: "Kernel"

    def publish(  # type: ignore[override]
        self,
        data: Any,
        metadata: Any = None,
        *,
        transient: Any = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        handle = (transient or {}).get("display_id", "")
        if not (update and self.kernel.update(handle, data, metadata or {})):
            self.kernel.display("display_data", data, metadata or {}, handle)

    def clear_output(self, wait: bool = False) -> None:
        if self.kernel.current:
            self.kernel.current.clear(wait)


class _DisplayHook(DisplayHook):
    """Keeps what a cell's last expression is."""

    kernel: "Kernel"

    def forget(self) -> None:
        """Know nothing of what was shown so far."""
        for name in _REMEMBERED:
            if self.kernel.namespace.get(name) is getattr(self, name):  # not the notebook's own
                self.kernel.namespace.pop(name, None)
            setattr(self, name, _UNKNOWN)

    def update_user_ns(self, result: Any) -> None:
        """Keep the value as `_`; `__` is unknown where another stage showed it."""
        super().update_user_ns(result)  # type: ignore[no-untyped-call]
        for name in _REMEMBERED:
            if self.kernel.namespace.get(name) is _UNKNOWN:
                del self.kernel.namespace[name]

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.kernel.display("execute_result", format_dict, md_dict or {})

    def write_output_prompt(self) -> None:
        pass

    def finish_displayhook(self) -> None:
        pass


class ZMQInteractiveShell(InteractiveShell):
    """IPython's shell for cells that nobody types; many ask for the name of Jupyter's class."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_DisplayHook)
    error: BaseException | None = None
    nested = False  # whether it was raised in a cell that a magic ran

    # `%%capture` runs its body by this method as well, and tells nobody of its error.
    def run_cell(self, *arguments: Any, **named: Any) -> Any:
        before = self.error
        result: Any = super().run_cell(*arguments, **named)  # type: ignore[no-untyped-call]
        self.note(result, before)
        return result

    def note(self, result: Any, before: BaseException | None = None) -> None:
        """Keep a cell's error.

        Args:
            result: IPython's, of the cell.
            before: the error that was kept before the cell.
        """
        error = result.error_before_exec or result.error_in_exec
        self.nested = error is None and self.error is not before
        self.error = self.error or error

    def __reduce__(self) -> Any:
        """`shell = get_ipython()`: in another process it is that one's."""
        return get_ipython, ()

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
        self.kernel, self.name, self.target = kernel, name, target

    def write(self, text: str) -> int:
        self.pass_on(text)
        self.kernel.stream(self.name, text)
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
        return "UTF-8"


class Kernel:
    """One IPython shell: its namespace is the notebook's."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        shell: Any = ZMQInteractiveShell.instance(config=config)
        shell.display_pub.kernel = shell.displayhook.kernel = self
        shell.display_formatter.active_types = list(shell.display_formatter.format_types)
        notebook_signs.pose(shell, self)
        figures.show_inline(shell)
        self.shell = shell
        self.current: ExecutedCell | None = None
        self.cells: list[ExecutedCell] = []
        self.handles: dict[str, list[Output]] = {}  # what was displayed under an id
        self.streams = _Stream(self, "stdout", sys.stdout), _Stream(self, "stderr", sys.stderr)
        self.context = contextvars.copy_context()
        self.loop: CellLoop | None = None

    @property
    def namespace(self) -> Namespace:
        """The notebook's names."""
        namespace: Namespace = self.shell.user_ns
        return namespace

    def inside(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function where the cells run: in their context, and with their streams.

        Args:
            function: what is called.
            *arguments: its arguments.
            **named: the same, by name.
        """
        with self._redirected():
            return self.context.run(function, *arguments, **named)

    @contextlib.contextmanager
    def _redirected(self) -> Iterator[None]:
        out, errors = self.streams
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            yield

    def run(
        self, number: int, source: str, count: int = 0, may_raise: bool = False
    ) -> ExecutedCell:
        """Run a cell.

        Args:
            number: its number in the notebook.
            source: its text.
            count: which cell with code it is, as in the brackets beside it; 0: the next one.
            may_raise: its error goes into the notebook alone.

        Raises:
            CellFailed: the cell raised. `exit()` and `exit(0)` are no failure.
        """
        cell = self.current = ExecutedCell(number, source)
        self.cells.append(cell)
        self.shell.execution_count = count or self.shell.execution_count
        start = time.monotonic()
        try:
            # Where this raises, the cell stays the current one: it was interrupted.
            error = self._run(source, store_history=True)
        finally:
            cell.seconds = time.monotonic() - start
            cell.count = self.shell.execution_count - 1
        self.current = None
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            return cell
        failure = self._failure(cell, error)
        if not may_raise:
            raise failure
        self.streams[1].pass_on(f"{failure.traceback}\n")
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
        with self._redirected():
            if loop := self._loop_for(source):
                loop.run(self.shell, source, store_history)
            else:
                self.context.run(self.shell.run_cell, source, store_history=store_history)
        error: BaseException | None = self.shell.error
        if not isinstance(error, Exception | SystemExit | KeyboardInterrupt | None):
            raise error
        return error

    def _loop_for(self, source: str) -> "CellLoop | None":
        """The event loop, where a cell could notice that it is there."""
        if self.loop is None and ("asyncio" in sys.modules or _ASYNC.search(source)):
            from podline.runner.cell_loop import CellLoop

            self.loop = CellLoop(self.context)
        return self.loop

    def line_at(self, frame: FrameType) -> str:
        """Which line of the notebook, or of a module beside it, a frame is at; "": none of them."""
        name, line = frame.f_code.co_filename, frame.f_lineno
        if name.startswith(f"{os.getcwd()}/"):
            return f"{os.path.relpath(name)}, line {line}"
        if not _OF_CELL.match(name):
            return ""
        above = _blank(lines_of(self.current.source)) if self.current else 0
        return f"cell {self.current.number}, line {line + above}" if self.current else "a cell"

    def unfinished(self) -> list[str]:
        """What cells began and is still running: tasks of the loop, and threads."""
        tasks = self.loop.pending() if self.loop else []
        threads = [t.name for t in threading.enumerate() if self._is_at_work(t)]
        return [f"task {name!r}" for name in tasks] + [f"thread {name!r}" for name in threads]

    def scripts(self) -> list[Any]:
        """The processes that `%%bash --bg` and its like began, as far as they still run."""
        magics = self.shell.magics_manager.registry.get("ScriptMagics")
        begun = magics.bg_processes if magics else []
        return [process for process in begun if process.returncode is None]

    def _is_at_work(self, thread: threading.Thread) -> bool:
        """Whether a thread runs code of the notebook, as far as that can be told."""
        target: Any = getattr(thread, "_target", None)
        if getattr(target, "__module__", "") == "concurrent.futures.thread":  # a worker of a pool
            pool = getattr(thread, "_args", [lambda: None])[0]()
            return pool is not None and pool._idle_semaphore._value < len(pool._threads)
        if type(thread).__name__ == "_ExecutorManagerThread":  # of a pool of processes
            return bool(getattr(thread, "pending_work_items", ()))
        if getattr(target, "__qualname__", "") == "Pool._handle_results":
            return bool(getattr(thread, "_args", [()])[-1])  # the results that are awaited
        target = getattr(thread, "function", target)  # a timer's
        own = getattr(target, "__globals__", None) is self.namespace
        return own or type(thread).__module__ == "__main__"

    def forget_outputs(self) -> None:
        """Know nothing of what cells showed so far: `_` is another stage's."""
        self.shell.displayhook.forget()

    # -- outputs

    def stream(self, name: str, text: str) -> None:
        """Keep printed text."""
        if self.current is not None:
            self.current.print(name, text)

    def display(self, kind: str, data: Forms, metadata: Forms, handle: str = "") -> None:
        """Keep a rich output, and print its plain text.

        Args:
            kind: `display_data`, or `execute_result` of the cell's last expression.
            data: its forms by MIME type.
            metadata: of these forms.
            handle: an id under which it can be updated.
        """
        output: Output = {"output_type": kind, "data": _encoded(data), "metadata": metadata}
        if kind == "execute_result":
            output["execution_count"] = self.shell.execution_count - 1
        self._log(data)
        if handle:
            self.handles.setdefault(handle, []).append(output)
        if self.current is not None:
            self.current.show(output)

    def update(self, handle: str, data: Forms, metadata: Forms) -> bool:
        """Replace what was displayed under an id; False: nothing was.

        Args:
            handle: the id.
            data: the forms by MIME type.
            metadata: of these forms.
        """
        self._log(data)
        for output in self.handles.get(handle, []):
            output["data"], output["metadata"] = _encoded(data), metadata
        return handle in self.handles

    def _log(self, data: Forms) -> None:
        if text := data.get("text/plain"):
            self.streams[0].pass_on(f"{text}\n")

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
        message = f"{heading}: {type(error).__name__}: {error}{_hint(error)}"
        message += f"\n{_marked(cell, line, first)}"
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


def _hint(error: BaseException) -> str:
    """What to say of IPython's names for what cells showed, where another stage's is meant."""
    if not isinstance(error, NameError) or error.name not in _REMEMBERED:
        return ""
    return ": no cell of this stage showed it. fix: give the value a name"


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


def _encoded(data: Forms) -> Forms:
    return {
        mime: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for mime, value in data.items()
    }
