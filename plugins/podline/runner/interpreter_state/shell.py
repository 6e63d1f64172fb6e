"""State of IPython: what `%config`, `%precision` and `%load_ext` set, and what cells hook into."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from podline.runner.interpreter_state.kind import Foreign, Kind

_PLAIN = (bool, int, float, str, type(None))


def _shell() -> Any:
    module = sys.modules["IPython.core.interactiveshell"]
    return module.InteractiveShell.instance() if module.InteractiveShell.initialized() else None


def _configured() -> Iterator[tuple[str, Any]]:
    """The objects that `%config` sets something of, by name; none: there is no shell."""
    if shell := _shell():
        yield "shell", shell
        yield from shell.display_formatter.formatters.items()


def _take_settings(folder: Path) -> Any:
    return {
        f"{name} {trait}": value
        for name, found in _configured()
        for trait in found.trait_names(config=True)
        if isinstance(value := getattr(found, trait), _PLAIN) and trait != "ipython_dir"
    }


def _put_settings(state: Any, folder: Path) -> None:
    for name, found in _configured():
        for trait in found.trait_names(config=True):
            value = state.get(f"{name} {trait}", getattr(found, trait))
            if value != getattr(found, trait):
                setattr(found, trait, value)


def _take_extensions(folder: Path) -> Any:
    shell = _shell()
    return sorted(shell.extension_manager.loaded) if shell else []


def _put_extensions(state: Any, folder: Path) -> None:
    for name in state:
        _shell().extension_manager.load_extension(name)


def _take_aliases(folder: Path) -> Any:
    """What `%alias` made."""
    shell = _shell()
    return sorted(shell.alias_manager.aliases) if shell else []


def _put_aliases(state: Any, folder: Path) -> None:
    aliases = _shell().alias_manager
    for name, _ in set(aliases.aliases) - set(state):
        aliases.undefine_alias(name)
    for name, command in state:
        aliases.define_alias(name, command)


def _take_hooks(folder: Path) -> Any:
    """What is called around each cell or for each output, as far as it is the notebook's own."""
    if not (shell := _shell()):
        return []
    hooks = {f"a callback of {event}": calls for event, calls in shell.events.callbacks.items()}
    hooks["a transformer of cells"] = [
        *shell.input_transformers_cleanup,
        *shell.input_transformers_post,
        *shell.ast_transformers,
    ]
    for mime, formatter in shell.display_formatter.formatters.items():
        printers = [formatter.type_printers, formatter.singleton_printers]
        hooks[f"a formatter for {mime}"] = [call for one in printers for call in one.values()]
    found = [(what, call) for what, calls in hooks.items() for call in calls]
    return [Foreign(what, id(call)) for what, call in found if _is_notebooks(call)]


def _is_notebooks(call: Any) -> bool:
    """Whether a function, or what it belongs to, is the notebook's."""
    roots = {str(getattr(call, "__module__", "")).partition(".")[0]}
    roots.add(type(getattr(call, "__self__", call)).__module__)
    # sympy registers its own when a cell calls `init_printing()`.
    return not roots.isdisjoint({"__main__", "sympy"})


_IPYTHON = "IPython.core.interactiveshell"

KINDS = (
    Kind("IPython extensions", _IPYTHON, _take_extensions, _put_extensions),
    Kind("IPython aliases", _IPYTHON, _take_aliases, _put_aliases, deliberate="alias"),
    Kind("IPython", _IPYTHON, _take_settings, _put_settings),
    Kind("IPython hooks", _IPYTHON, _take_hooks, lambda state, folder: None),
)
