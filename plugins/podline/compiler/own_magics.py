"""Magics that a notebook registers with IPython: the shell of one process knows them.

Of a functions cell, they are registered in each stage that uses them; of a step, in that alone::

    @register_line_magic
    def greet(line): ...
    %greet you
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from podline.compiler.ast_queries import attribute_path, walk_all
from podline.compiler.cell_parser import magic_call

_DECORATORS = frozenset({"register_line_magic", "register_cell_magic", "register_line_cell_magic"})
_METHODS = frozenset({"line_magic", "cell_magic", "line_cell_magic"})


class OwnMagic(NamedTuple):
    """A magic's name, and the line that registers or uses it."""

    name: str
    line: int


def trigger_of(name: str) -> str:
    """What a stage reads that uses a magic of the preamble: no name of the notebook looks so."""
    return f"%{name}"


def registered(body: Iterable[ast.stmt]) -> Iterator[OwnMagic]:
    """Yield the magics that statements register."""
    for node in walk_all(body):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if name := _named(decorator, node.name):
                    yield OwnMagic(name, node.lineno)
        elif (found := magic_call(node)) and found.name == "alias_magic":
            words = [word for word in found.line.split() if not word.startswith("-")]
            yield from (OwnMagic(word, getattr(node, "lineno", 1)) for word in words[:1])
        elif isinstance(node, ast.Call) and _called(node) == "register_magic_function":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            names = [given.get("magic_name"), *node.args[2:], *node.args]
            text = next((_text(name) for name in names if name is not None), "")
            if text:
                yield OwnMagic(text, node.lineno)


def _text(node: ast.expr) -> str:
    return str(getattr(node, "id", "") or getattr(node, "value", ""))


def _named(decorator: ast.expr, function: str) -> str:
    """The magic's name that a decorator gives a function; "": it makes no magic."""
    match decorator:
        case ast.Call(called, [ast.Constant(str(name)), *_]):
            pass
        case ast.Call(called):
            name = function
        case called:
            name = function
    last = (attribute_path(called) or [""])[-1]
    return name if last in _DECORATORS | _METHODS else ""


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def used(source: str, body: Iterable[ast.stmt]) -> Iterator[OwnMagic]:
    """Yield the magics that a cell uses.

    Args:
        source: the cell's text.
        body: its statements.
    """
    if first := re.match(r"\s*%%(\w+)", source):
        yield OwnMagic(first[1], 1 + source[: first.start(1)].count("\n"))
    for node in walk_all(body):
        if (found := magic_call(node)) and found.name:
            yield OwnMagic(found.name, getattr(node, "lineno", 1))
