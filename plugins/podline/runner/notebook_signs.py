"""What libraries look at to tell whether they run in a notebook; without Jupyter's kernel.

Many ask the shell's class for its name, others whether `ipykernel` is imported, whether the shell
has a `kernel`, or what its configuration holds. As in Jupyter, pandas then shows twenty columns
instead of as many as a terminal has room for, and progress bars are those of a notebook.
"""

import importlib.machinery
import importlib.util
import sys
import types
from typing import Any


def pose(shell: Any, kernel: Any) -> None:
    """Have the shell look like that of a notebook's kernel.

    Args:
        shell: IPython's.
        kernel: what runs its cells.
    """
    shell.kernel = kernel
    shell.config.IPKernelApp.parent_appname = "podline"
    # Not only while a cell runs: libraries ask when they are imported, by whomever.
    shell.builtin_trap.__enter__()
    if "ipykernel" not in sys.modules:
        sys.modules["ipykernel"] = _stand_in("ipykernel")
        zmqshell = sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")
        zmqshell.ZMQInteractiveShell = type(shell)  # type: ignore[attr-defined]


def _stand_in(name: str) -> types.ModuleType:
    """A module that is imported when it is first used, if it is installed."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return types.ModuleType(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
