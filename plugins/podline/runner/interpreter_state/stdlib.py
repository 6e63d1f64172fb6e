"""State of the interpreter and the standard library."""

import gc
import locale
import os
import random
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from podline.runner.interpreter_state.kind import FOLDER, Kind, module

_START = dict(os.environ)
# Libraries set variables of the environment too; here a cell means to.
_SETS_ENVIRON = r"environ|putenv|%(set_)?env\b|dotenv|Config"
# As do filters of warnings.
_SETS_WARNINGS = r"\b(?:simplefilter|filterwarnings|resetwarnings)\([^)]*\)|\bwarnings\.filters\b"


# -- the environment: only what the notebook changed, so that no secret of ours is stored


def _take_environ(folder: Path) -> dict[str, str | None]:
    changed: dict[str, str | None] = {
        name: value.replace(str(folder), FOLDER)
        for name, value in os.environ.items()
        if _START.get(name) != value
    }
    return changed | dict.fromkeys(_START.keys() - os.environ.keys())


def _put_environ(state: dict[str, str | None], folder: Path) -> None:
    for name, value in state.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value.replace(FOLDER, str(folder))
    if "TZ" in state:
        time.tzset()


def _take_cwd(folder: Path) -> str:
    here = Path.cwd()
    return str(here.relative_to(folder)) if here.is_relative_to(folder) else str(here)


def _put_cwd(state: str, folder: Path) -> None:
    os.chdir(folder / state)


def _take_path(folder: Path) -> list[str]:
    return [entry.replace(str(folder), FOLDER) for entry in sys.path]


def _put_path(state: list[str], folder: Path) -> None:
    sys.path[:] = [entry.replace(FOLDER, str(folder)) for entry in state]


# -- what one call sets and another tells

_CALLS = {
    "recursion limit": ("sys", "getrecursionlimit", "setrecursionlimit"),
    "switch interval": ("sys", "getswitchinterval", "setswitchinterval"),
    "digits of integers": ("sys", "get_int_max_str_digits", "set_int_max_str_digits"),
    "size of threads' stacks": ("threading", "stack_size", "stack_size"),
}


def _call_kind(name: str, of: str, get: str, put: str) -> Kind:
    """A kind of state that a function of a module returns and another one sets.

    Args:
        name: the kind's.
        of: the module.
        get: the name of the function that returns the state.
        put: of the one that sets it.
    """
    return Kind(
        name,
        of,
        lambda folder: getattr(module(of), get)(),
        lambda state, folder: getattr(module(of), put)(state),
    )


def _take_timeout(folder: Path) -> Any:
    return module("socket").getdefaulttimeout() or {}


def _put_timeout(state: Any, folder: Path) -> None:
    module("socket").setdefaulttimeout(state or None)


def _take_start_method(folder: Path) -> Any:
    """The method, if it is another than the system's, which libraries ask for and so settle."""
    processes = module("multiprocessing")
    method = processes.get_start_method(allow_none=True)
    return {} if method in (None, processes.get_all_start_methods()[0]) else method


def _put_start_method(state: Any, folder: Path) -> None:
    module("multiprocessing").set_start_method(state or None, force=True)


def _take_umask(folder: Path) -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _put_umask(state: int, folder: Path) -> None:
    os.umask(state)


def _put_gc(state: Any, folder: Path) -> None:
    enabled, threshold = state
    (gc.enable if enabled else gc.disable)()
    gc.set_threshold(*threshold)


def _put_random(state: Any, folder: Path) -> None:
    random.setstate(state)


def _put_locale(state: str, folder: Path) -> None:
    locale.setlocale(locale.LC_ALL, state)


# -- decimal


def _take_decimal(folder: Path) -> Any:
    decimal = module("decimal")

    def read(context: Any) -> dict[str, object]:
        names = ["prec", "rounding", "Emin", "Emax", "capitals", "clamp"]
        return {name: getattr(context, name) for name in names} | {"traps": dict(context.traps)}

    found = read(decimal.getcontext())
    return {} if found == read(decimal.DefaultContext) else found


def _put_decimal(state: Any, folder: Path) -> None:
    module("decimal").setcontext(module("decimal").Context(**state))


# -- warnings


def _put_warnings(state: Any, folder: Path) -> None:
    main = sys.modules["__main__"]
    warnings.filters[:] = [  # type: ignore[index]
        # A category of the notebook's own is the class that this process has.
        (action, text, getattr(main, category.__name__, category), module, line)
        if category.__module__ == "__main__"
        else (action, text, category, module, line)
        for action, text, category, module, line in state
    ]
    warnings._filters_mutated()  # type: ignore[attr-defined]


# -- classes of files

_TYPES = ("types_map", "common_types", "encodings_map", "suffix_map")


def _take_types(folder: Path) -> dict[str, dict[str, str]]:
    return {name: dict(getattr(module("mimetypes"), name)) for name in _TYPES}


def _put_types(state: dict[str, dict[str, str]], folder: Path) -> None:
    module("mimetypes").init()
    for name, types in state.items():
        getattr(module("mimetypes"), name).update(types)


# -- limits of the process, each by its number


def _take_limits(folder: Path) -> dict[str, int]:
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name))[0] for name in names}


def _put_limits(state: dict[str, int], folder: Path) -> None:
    for name, soft in state.items():
        _, hard = resource.getrlimit(getattr(resource, name))
        resource.setrlimit(getattr(resource, name), (soft, hard))


# -- dialects of CSV

_DIALECT = frozenset(
    {"delimiter", "quotechar", "doublequote", "escapechar", "lineterminator", "quoting"}
) | {"skipinitialspace", "strict"}


def _options(dialect: Any) -> dict[str, Any]:
    read = module("csv").reader((), dialect).dialect
    return {name: getattr(read, name) for name in sorted(_DIALECT)}


def _own_dialects() -> dict[str, dict[str, Any]]:
    csv = module("csv")
    own = {"excel": csv.excel, "excel-tab": csv.excel_tab, "unix": csv.unix_dialect}
    return {name: _options(dialect) for name, dialect in own.items()}


def _take_dialects(folder: Path) -> dict[str, dict[str, Any]]:
    found = {name: _options(name) for name in module("csv").list_dialects()}
    return {} if found == _own_dialects() else found


def _put_dialects(state: dict[str, dict[str, Any]], folder: Path) -> None:
    csv, dialects = module("csv"), state or _own_dialects()
    for name in set(csv.list_dialects()) - dialects.keys():
        csv.unregister_dialect(name)
    for name, options in dialects.items():
        csv.register_dialect(name, **options)


# -- signals: SIGTERM is the stage's own


def _take_signals(folder: Path) -> dict[int, Any]:
    numbers = signal.valid_signals() - {signal.SIGTERM}
    return {int(number): signal.getsignal(number) for number in numbers}


def _put_signals(state: dict[int, Any], folder: Path) -> None:
    for number, handler in state.items():
        if handler is not None and handler != signal.getsignal(number):
            signal.signal(number, handler)


KINDS = (
    Kind("random", "random", lambda folder: random.getstate(), _put_random, generator=True),
    Kind("environ", "os", _take_environ, _put_environ, deliberate=_SETS_ENVIRON),
    Kind("sys.path", "sys", _take_path, _put_path),
    Kind("cwd", "os", _take_cwd, _put_cwd),
    *(_call_kind(name, *call) for name, call in _CALLS.items()),
    Kind("default timeout of sockets", "socket", _take_timeout, _put_timeout),
    Kind(
        "start method of processes",
        "multiprocessing.context",
        _take_start_method,
        _put_start_method,
    ),
    Kind("umask", "os", _take_umask, _put_umask),
    Kind("garbage collection", "gc", lambda folder: (gc.isenabled(), gc.get_threshold()), _put_gc),
    Kind("locale", "locale", lambda folder: locale.setlocale(locale.LC_ALL), _put_locale),
    Kind("decimal", "decimal", _take_decimal, _put_decimal),
    Kind(
        "warnings",
        "warnings",
        lambda folder: list(warnings.filters),
        _put_warnings,
        deliberate=_SETS_WARNINGS,
        concerns="[wW]arn",  # to others it changes no value
    ),
    Kind("mimetypes", "mimetypes", _take_types, _put_types, deliberate="mimetypes"),
    Kind("limits", "resource", _take_limits, _put_limits, split=True),
    Kind("csv dialects", "csv", _take_dialects, _put_dialects),
    Kind("signals", "signal", _take_signals, _put_signals),
)
