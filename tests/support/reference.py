"""Run a notebook from top to bottom in one IPython shell, and describe its variables.

Usage: python reference.py NOTEBOOK PARAMETERS IGNORED (both JSON); run in the notebook's folder.
"""

import asyncio
import json
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
sys.path.insert(0, os.getcwd())

from describe import describe
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets.config import Config


class Shell(InteractiveShell):  # type: ignore[misc]
    def enable_gui(self, gui: str | None = None) -> None:
        pass


async def run_cell(shell: Shell, source: str) -> ExecutionResult:
    """Run a cell as Jupyter's kernel does: in an event loop that is running."""
    text = shell.transform_cell(source)
    how = {"transformed_cell": text, "preprocessing_exc_tuple": None}
    if shell.should_run_async(source, **how):
        result = await shell.run_cell_async(source, store_history=True, **how)
    else:
        result = shell.run_cell(source, store_history=True)
    for _ in range(20):  # before the next cell comes
        await asyncio.sleep(0)
    return result


async def main(notebook: Path, parameters: dict[str, object], ignored: list[str]) -> None:
    """Run the cells; the last line says what the variables are."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config)
    before = {*shell.user_ns, "_exit_code", "__warningregistry__", "__annotations__"}
    for cell in json.loads(notebook.read_text())["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] != "code" or "skip" in tags:
            continue
        result = await run_cell(shell, "".join(cell["source"]))
        if "raises-exception" not in tags:
            result.raise_error()
        if {"parameters", "pipeline-parameters"} & set(tags):
            shell.user_ns.update(parameters)
    not_compared = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
    values = {
        name: value
        for name, value in shell.user_ns.items()
        if name not in before
        and name not in ignored
        and not isinstance(value, not_compared)
        and name.strip("_i0123456789")  # IPython's own
    }
    print("\nDESCRIBED " + json.dumps(describe(values)), flush=True)


if __name__ == "__main__":
    arguments = [json.loads(text) for text in sys.argv[2:]]
    asyncio.run(main(Path(sys.argv[1]), *arguments))
    os._exit(0)
