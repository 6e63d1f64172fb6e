"""Cells run as in IPython: their outputs, their errors, and what they may do to their streams.

Each test runs its cells in a process of its own: IPython has one shell a process.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from podline.runner.executed_cell import ExecutedCell, collapse

_CHILD = """
import json, os, sys
sys.stdin = open(os.devnull)
log = os.dup(1)
from podline.exceptions import CellFailed
from podline.runner.kernel import Kernel
kernel = Kernel()
report = {"cells": [], "failed": None}
for number, source in enumerate(json.loads(sys.argv[1]), start=1):
    try:
        if isinstance(source, list):
            kernel.run_quietly(number, *source)
        elif isinstance(source, dict):
            kernel.run(number, **source)
        else:
            kernel.run(number, source)
    except CellFailed as error:
        report["failed"] = [error.cell, error.message, error.traceback]
        break
report["cells"] = [
    {"outputs": c.outputs, "count": c.count, "seconds": c.seconds} for c in kernel.cells
]
report["names"] = {n: repr(v) for n, v in kernel.namespace.items() if n in ("x", "y", "z")}
os.write(log, b"\\nREPORT " + json.dumps(report).encode())
os._exit(0)
"""


class Report:
    """What the cells did: outputs of each, names, the failure, and what went to the log."""

    def __init__(self, *cells: Any) -> None:
        plugins = Path(__file__).parents[3] / "plugins"
        run = subprocess.run(
            [sys.executable, "-c", _CHILD, json.dumps(cells)],
            env={"PYTHONPATH": str(plugins), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.log, _, report = run.stdout.decode(errors="replace").rpartition("\nREPORT ")
        content = json.loads(report)
        self.cells: list[dict[str, Any]] = content["cells"]
        self.names: dict[str, str] = content["names"]
        self.failed: list[Any] | None = content["failed"]

    def texts(self, cell: int = 0) -> list[str]:
        """What a cell's outputs say, shortly."""
        return [_short(output) for output in self.cells[cell]["outputs"]]


def _short(output: dict[str, Any]) -> str:
    match output:
        case {"output_type": "stream", "name": name, "text": text}:
            return f"{name}: {text}"
        case {"output_type": "error", "ename": name, "evalue": value}:
            return f"{name}: {value}"
        case {"data": data}:
            return f"{output['output_type']}: {' '.join(sorted(data))}"
    return repr(output)


# --- outputs ------------------------------------------------------------------------------------


def test_what_a_cell_prints_and_shows() -> None:
    report = Report("import sys\nprint('a')\nprint('b')\nprint('c', file=sys.stderr)\n3")
    assert report.texts() == ["stdout: a\nb\n", "stderr: c\n", "execute_result: text/plain"]
    assert report.log.splitlines() == ["a", "b", "c", "3"]
    assert report.cells[0]["outputs"][2]["data"]["text/plain"] == "3"
    assert report.cells[0]["outputs"][2]["execution_count"] == 1


def test_rich_outputs_are_kept_and_their_text_is_logged() -> None:
    report = Report(
        "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))\n"
        "class R:\n    def _repr_html_(self): return '<i>'\n"
        "    def __repr__(self): return 'R!'\nR()"
    )
    assert report.texts() == [
        "display_data: text/html text/plain",
        "execute_result: text/html text/plain",
    ]
    assert "R!" in report.log
    assert "<i>" not in report.log


def test_bytes_are_written_in_base64() -> None:
    report = Report("display({'image/png': b'\\x89PNG', 'text/plain': 'p'}, raw=True)")
    assert report.cells[0]["outputs"][0]["data"] == {"image/png": "iVBORw==", "text/plain": "p"}


def test_a_semicolon_hides_the_value_and_counting_goes_on() -> None:
    report = Report("3;", "4", "", "5")
    assert [report.texts(i) for i in range(3)] == [[], ["execute_result: text/plain"], []]
    assert [cell["count"] for cell in report.cells] == [1, 2, 2, 3]


def test_clear_output_takes_away_what_was_shown() -> None:
    source = "from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')"
    assert Report(source).texts() == ["stdout: b\n"]


def test_plots_are_shown_inline_at_the_end_of_the_cell() -> None:
    report = Report(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])",
        "x = plt.get_fignums()",
    )
    assert report.texts()[-1].startswith("display_data: image/png")
    assert report.names == {"x": "[]"}


def test_progress_bars_keep_their_last_state() -> None:
    source = "import sys\nfor i in range(3):\n    sys.stderr.write(f'\\r{i + 1}/3')\nprint('done')"
    assert Report(source).texts() == ["stderr: 3/3", "stdout: done\n"]


def test_the_last_value_is_known_to_the_next_cell() -> None:
    assert Report("3", "x = _ + 1").names == {"x": "4"}


def test_what_runs_quietly_shows_nothing() -> None:
    report = Report([1, "y = 5\n5"], "x = y")
    assert report.names == {"x": "5", "y": "5"}
    assert len(report.cells) == 1


# --- IPython's semantics ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["x = !echo 3"], {"x": "['3']"}),
        (["%%time\nx = 3"], {"x": "3"}),
        (["%time x = 3"], {"x": "3"}),
        (["import asyncio\nasync def f(): return 3\nx = await f()"], {"x": "3"}),
        (["%%capture x\nprint('a')", "y = x.stdout"], {"y": "'a\\n'"}),
        (["pwd", "x = type(_).__name__"], {"x": "'str'"}),
        (["exit()", "x = 1"], {"x": "1"}),
        (["import sys\nx = 1\nsys.exit()\nx = 2", "y = x"], {"x": "1", "y": "1"}),
        (["raise SystemExit(0)", "x = 1"], {"x": "1"}),
        (["x = __name__"], {"x": "'__main__'"}),
        (["import __main__\ny = 1", "x = __main__.y"], {"x": "1", "y": "1"}),
        (
            ["%config IPCompleter.use_jedi = False", "x = get_ipython().Completer.use_jedi"],
            {"x": "False"},
        ),
    ],
)
def test_semantics(cells: list[str], names: dict[str, str]) -> None:
    found = Report(*cells).names
    assert {name: found[name] for name in names} == names


def test_shell_output_reaches_log_and_notebook() -> None:
    report = Report("!echo hello && echo problem >&2")
    assert "hello" in report.log
    assert "problem" in report.log
    assert "hello" in "".join(report.texts())


def test_a_plain_cell_needs_no_event_loop() -> None:
    report = Report("import sys\nx = [name for name in sys.modules if name.startswith('asyn')]")
    assert report.names == {"x": "[]"}  # to import it takes a while


def test_the_brackets_count_as_in_the_whole_notebook() -> None:
    report = Report({"source": "'a'", "count": 7}, {"source": "x = 1", "count": 9})
    assert [cell["count"] for cell in report.cells] == [7, 9]
    assert report.cells[0]["outputs"][0]["execution_count"] == 7


def test_the_error_of_a_cell_that_may_raise_is_shown_and_logged() -> None:
    report = Report({"source": "x = 1\n1 / 0", "may_raise": True}, "y = x")
    assert report.failed is None
    assert report.names == {"x": "1", "y": "1"}
    assert report.texts() == ["ZeroDivisionError: division by zero"]
    assert "ZeroDivisionError: division by zero" in report.log


# --- errors -------------------------------------------------------------------------------------


def test_a_failing_cell_is_quoted_with_the_line_marked() -> None:
    report = Report("x = 1", "a = 1\nb = [\n    0,\n]\nc = a / b[0]\nd = 2")
    assert report.failed is not None
    cell, message, traceback = report.failed
    assert cell == 2
    assert message.splitlines() == [
        "cell 2, line 5: ZeroDivisionError: division by zero",
        "      1 a = 1",
        "      2 b = [",
        "      3     0,",
        "      4 ]",
        "-->   5 c = a / b[0]",
        "      6 d = 2",
    ]
    assert "ZeroDivisionError" in traceback
    assert report.texts(1) == ["ZeroDivisionError: division by zero"]
    assert report.names == {"x": "1"}


def test_of_a_long_cell_only_the_lines_around() -> None:
    report = Report("\n".join(["pass"] * 20 + ["1 / 0"] + ["pass"] * 20))
    assert report.failed is not None
    lines = report.failed[1].splitlines()
    assert len(lines) == 1 + 11
    assert lines[6] == "-->  21 1 / 0"


def test_an_error_in_a_function_of_the_cell_marks_the_call() -> None:
    report = Report("def f():\n    return 1 / 0", "x = 1\nf()")
    assert report.failed is not None
    assert report.failed[1].startswith("cell 2, line 2: ZeroDivisionError")
    assert "-->   2 f()" in report.failed[1]
    assert "return 1 / 0" in report.failed[2]


def test_an_error_in_a_library_marks_the_line_of_the_cell() -> None:
    report = Report("import json\njson.loads('{')")
    assert report.failed is not None
    assert report.failed[1].startswith("cell 1, line 2: JSONDecodeError")
    assert "json/decoder.py" in report.failed[2]


@pytest.mark.parametrize(
    ("source", "head"),
    [
        ("x = (", "cell 1, line 1: "),
        ("a = 1\nraise ValueError", "cell 1, line 2: ValueError: "),
        ("import sys\nsys.exit(3)", "cell 1, line 2: SystemExit: 3"),
        ("raise KeyboardInterrupt", "cell 1, line 1: KeyboardInterrupt: "),
        ("input('name? ')", "cell 1, line 1: EOFError: "),
        ("%nonsense", "cell 1"),
        ("%%bash\nexit 3", "cell 1"),
    ],
)
def test_heads_of_errors(source: str, head: str) -> None:
    report = Report(source)
    assert report.failed is not None
    assert report.failed[1].startswith(head)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("\n \n1 / 0", 3),
        ("%%time\n\nx = 1\n1 / 0", 4),
        ("%%capture out\nx = 1\n1 / 0", 3),
        ("%time 1 / 0", 1),
        ("x = 1\n%time 1 / 0", 2),
        ("%%time\ndef f():\n    1 / 0\nf()", 4),
        ("%load_ext autoreload\n1 / 0", 2),
    ],
)
def test_the_line_is_the_cell_s_own(source: str, line: int) -> None:
    report = Report(source)
    assert report.failed is not None
    assert report.failed[1].startswith(f"cell 1, line {line}: ZeroDivisionError")


def test_a_failing_carried_statement_has_the_lines_of_its_cell() -> None:
    report = Report("x = 1", [7, "def f(\n    a=1 / 0,\n): pass"])
    assert report.failed is not None
    assert report.failed[0] == 2
    assert report.failed[1].splitlines()[0] == "cell 2, line 8: ZeroDivisionError: division by zero"
    assert "-->   8     a=1 / 0," in report.failed[1]


# --- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.stdout.close()",
        "import os\nos.close(1)",
        "import sys\nsys.__stdout__.close()",
        "import sys\nsys.stdout = None",
        "import sys\nsys.stdout = open('/dev/full', 'w')",
    ],
)
def test_a_cell_that_closes_its_output_stops_nothing(source: str) -> None:
    report = Report(source, "print('later')\nx = 1", "3")
    assert report.failed is None
    assert report.names == {"x": "1"}
    assert report.texts(1) == ["stdout: later\n"]


def test_redirection_and_logging() -> None:
    report = Report(
        "import contextlib, io, logging\nbuffer = io.StringIO()\n"
        "with contextlib.redirect_stdout(buffer):\n    print('kept')\nx = buffer.getvalue()",
        "logging.basicConfig(level=20, format='%(message)s')\nlogging.info('one')",
        "logging.info('two')",
    )
    assert report.names["x"] == "'kept\\n'"
    assert "kept" not in report.log
    assert report.texts(1) == ["stderr: one\n"]
    assert report.texts(2) == ["stderr: two\n"]


def test_output_that_is_no_text() -> None:
    report = Report("import os\nos.write(1, b'\\xff\\xfe\\n')\n!printf '\\377ok'", "x = 1")
    assert report.names == {"x": "1"}
    assert "ok" in report.log


def test_much_output_takes_no_time() -> None:
    report = Report("for i in range(200_000):\n    print('x' * 50)")
    (text,) = report.texts()
    assert len(text) == len("stdout: ") + 200_000 * 51
    assert report.cells[0]["seconds"] < 8


# --- in this process ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", "abc"),
        ("a\rb", "b"),
        ("a\r\nb", "a\nb"),
        ("1%\r50%\r100%\n", "100%\n"),
        ("bar 1\rbar 2\r", "bar 2\r"),
        ("x\na\rb\ny", "x\nb\ny"),
        ("", ""),
    ],
)
def test_collapse(text: str, expected: str) -> None:
    assert collapse(text) == expected


def test_printed_pieces_become_one_output() -> None:
    cell = ExecutedCell(1, "")
    for text in ("a", "b\nc", "\n", "1%", "\r2%", "\r3%\r", "4%\n", "end"):
        cell.print("stdout", text)
    cell.print("stderr", "e")
    cell.print("stdout", "f")
    assert [(output["name"], output["text"]) for output in cell.outputs] == [
        ("stdout", "ab\nc\n4%\nend"),
        ("stderr", "e"),
        ("stdout", "f"),
    ]
