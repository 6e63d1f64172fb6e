"""Cells show what they show in Jupyter's own kernel, whatever they look at to tell where they are."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from .test_kernel import Report

CELLS = [
    # --- the event loop
    "import asyncio\nloop = asyncio.get_running_loop()\nloop.is_running(), asyncio.current_task() is None",
    "asyncio.run(asyncio.sleep(0))",
    "async def work(n):\n    await asyncio.sleep(0)\n    return n",
    "task = asyncio.create_task(work(4))",
    "task.done(), await task",
    "loop.run_until_complete(work(1))",
    "%%capture out\nawait work(1)",
    "asyncio.get_running_loop() is loop",
    # --- one context for all cells, but for those that await
    "import contextvars, decimal\nkept = contextvars.ContextVar('kept')\ndecimal.getcontext().prec = 4",
    "kept.set(1)\ndecimal.Decimal(1) / 3",
    "await asyncio.sleep(0)\nkept.set(2)\nkept.get()",
    "kept.get()",
    # --- signs of a notebook
    "import sys\nshell = get_ipython()\ntype(shell).__name__, hasattr(shell, 'kernel'), 'IPKernelApp' in shell.config",
    "'ipykernel' in sys.modules, 'ipykernel.zmqshell' in sys.modules",
    "from ipykernel.zmqshell import ZMQInteractiveShell\nisinstance(shell, ZMQInteractiveShell)",
    "import ipykernel\nipykernel.version_info, hasattr(ipykernel, 'connect_qtconsole'), hasattr(ipykernel, 'no')",
    "sys.stdout.name, sys.stdout.encoding, sys.stdout.isatty()",
    "import pandas as pd\nprint(pd.DataFrame({f'column {i}': [i] for i in range(25)}))",
    "from rich import print as show\nshow('[b]bold[/b]')",
    # --- outputs that change
    "handle = display('a', display_id=True)\nhandle.update('b')",
    "from IPython.display import clear_output\nprint('a')\nclear_output(wait=True)",
    "print('a')\nclear_output(wait=True)\nprint('b')",
    "handle.update('c')",
    # --- figures, without a word of pyplot
    "pd.Series([1, 2]).plot();",
    "from matplotlib.figure import Figure\nfigure = Figure()\nfigure",
    # --- errors, and what was shown
    "1 / 0",
    "undefined",
    "5",
    "_, _i",
]


def in_jupyter(folder: Path) -> list[list[Any]]:
    """What each cell shows in a real kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    about = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, resources=about).execute()
    return [[_shown(dict(output)) for output in cell.outputs] for cell in notebook.cells]


def _shown(output: dict[str, Any]) -> Any:
    match output:
        case {"output_type": "stream", "name": name, "text": text}:
            return name, _plain(text)
        case {"output_type": "error", "ename": name, "evalue": value}:
            return name, _plain(value)
        case {"data": data}:
            images = {mime for mime in data if mime.startswith("image/")}
            return {mime: "" if mime in images else _plain(data[mime]) for mime in data}
    return output


def _plain(text: str) -> str:
    """A text without what differs from process to process."""
    return re.sub(r"0x[0-9a-f]+|<ipython-input-[^>]*>|/tmp/ipykernel_\S+?\.py", "…", text)


@pytest.mark.slow
def test_cells_show_what_they_show_in_jupyter(tmp_path: Path) -> None:
    report = Report(*({"source": source, "may_raise": True} for source in CELLS))
    found = [[_shown(output) for output in cell["outputs"]] for cell in report.cells]
    for source, here, there in zip(CELLS, found, in_jupyter(tmp_path), strict=True):
        # A coroutine that nobody awaits is warned of whenever it is collected.
        assert [o for o in here if "never awaited" not in str(o)] == [
            o for o in there if "never awaited" not in str(o)
        ], source


def test_whoever_looks_through_the_modules_imports_none() -> None:
    """Reading `__file__` of a lazy ipykernel took longer than all the rest of a stage's start."""
    source = """
import sys
from podline.runner.kernel import Kernel
Kernel()
before = set(sys.modules)
for module in list(sys.modules.values()):
    getattr(module, "__file__", None), getattr(module, "nothing", None)
sys.exit(sorted(set(sys.modules) - before) or 0)
"""
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
