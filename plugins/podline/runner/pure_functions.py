"""Functions that give the same for the same arguments in any process, as far as their code shows.

Nobody can tell what a cache of such a function remembers, but by its counts. So stages side by
side may each have their own:

    @lru_cache
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)

It is one if it reads no other names than its arguments', those of functions like it, of plain
values and of builtins that compute; a doubt counts against it.
"""

import builtins
import dis
import types
from collections.abc import Iterator
from typing import Any

_BUILTINS = """
    abs all any bin bool bytes chr complex dict divmod enumerate filter float format int isinstance
    len list map max min oct ord pow range repr reversed round slice sorted str sum tuple zip
    ArithmeticError IndexError KeyError TypeError ValueError ZeroDivisionError
"""
_COMPUTE = {getattr(builtins, name) for name in _BUILTINS.split()}
_MODULES = frozenset({"cmath", "math", "operator", "re", "string"})
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Imports, changes of globals, and sets, whose order is another in each process.
_IMPURE = ("IMPORT_", "STORE_GLOBAL", "DELETE_GLOBAL", "BUILD_SET", "SET_")


def is_pure(function: Any, seen: frozenset[int] = frozenset()) -> bool:
    """Whether a function, or the one that a cache remembers the results of, is one.

    Args:
        function: it.
        seen: Python's ids of the functions that call it, and are looked at already.
    """
    function = getattr(function, "__wrapped__", function)
    if id(function) in seen:
        return True
    if not isinstance(function, types.FunctionType):
        return False
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if function.__closure__ or not all(map(is_plain, defaults)):
        return False
    seen |= {id(function)}
    return all(
        not step.opname.startswith(_IMPURE)
        and (step.opname != "LOAD_GLOBAL" or _is_pure(step.argval, function.__globals__, seen))
        for step in _steps(function.__code__)
    )


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a text or its like, or a tuple of these."""
    return type(value) in _PLAIN or (type(value) is tuple and all(map(is_plain, value)))


def _is_pure(name: str, namespace: dict[str, Any], seen: frozenset[int]) -> bool:
    value = namespace.get(name, getattr(builtins, name, namespace))
    if isinstance(value, types.ModuleType):
        return value.__name__ in _MODULES
    if isinstance(value, types.BuiltinFunctionType | type):
        return value in _COMPUTE
    return is_plain(value) or is_pure(value, seen)


def _steps(code: types.CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _steps(constant)
