"""What libraries look at to tell whether they run in a notebook; without Jupyter's kernel.

Many ask the shell's class for its name, others whether `ipykernel` is imported, whether the shell
has a `kernel`, or what its configuration holds. As in Jupyter, pandas then shows twenty columns
instead of as many as a terminal has room for, and progress bars are those of a notebook.
"""

import importlib
import importlib.util
import sys
import types
from typing import Any

# What ipykernel offers itself, and in which of its modules.
_NAMES = {
    "__version__": "_version",
    "version_info": "_version",
    "kernel_protocol_version": "_version",
    "kernel_protocol_version_info": "_version",
    "connect_qtconsole": "connect",
    "get_connection_file": "connect",
    "get_connection_info": "connect",
}


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
    """The package without what it imports, which takes longer than a stage's start.

    Its modules are there for whoever imports them, and its own names for whoever reads them. No
    other name is looked for: pickle and inspect read names of every module that is imported.
    """
    module = types.ModuleType(name)
    spec = importlib.util.find_spec(name)
    if spec is None:
        return module

    def read(attribute: str) -> Any:
        if attribute not in _NAMES:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(importlib.import_module(f"{name}.{_NAMES[attribute]}"), attribute)

    module.__spec__, module.__file__ = spec, spec.origin
    module.__path__ = spec.submodule_search_locations or []
    module.__getattr__ = read  # type: ignore[method-assign]
    return module
