"""Code that looks past pandas at what frames have inside: whose memory, which very categories.

Frames made of one frame share both, until one of them is written to. By pandas' own ways that
cannot be told, so each stage's frames have their own. Past them, it can::

    a["k"].dtype.categories is b["k"].dtype.categories      # True in one kernel
    x = a["k"].to_numpy(); x.flags.writeable = True; x[0] = 9      # in one kernel, shows in b too
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from podline.compiler.ast_queries import names_in, walk_all

_INSIDE = frozenset({"array", "_values", "_mgr"})
_WORDS = (".array", "_values", "_mgr", "flags", "dtype", "categories")
_DEEPEST = 5  # a name may stand for itself


class Look(NamedTuple):
    """A line that looks inside frames: what it does, and what to do instead."""

    line: int
    what: str
    fix: str


def may_look(source: str) -> bool:
    """Whether a cell may look inside a frame, or give a name to what does."""
    return any(word in source for word in _WORDS)


def looks(
    body: Iterable[ast.stmt], values: Mapping[str, ast.expr], own: Set[str]
) -> Iterator[Look]:
    """Yield the lines of statements that look inside frames that others may share parts with.

    Args:
        body: the statements.
        values: the expressions that names stand for.
        own: names of what was made here.
    """
    for node in walk_all(body):
        match node:
            case ast.Compare(left, [ast.Is() | ast.IsNot()], [right]):
                sides = [_of(left, values), _of(right, values)]
                # What a stage above gave a name is handed on as what it is.
                named = any(isinstance(s, ast.Name) and s.id not in own for s in (left, right))
                if not named and all(
                    _is_type(side) and not names_in(side) <= own for side in sides
                ):
                    yield _identity(node.lineno)
            case ast.Call(ast.Name("id"), [inner]):
                if _is_type(of := _of(inner, values)) and not names_in(of) <= own:
                    yield _identity(node.lineno)
            case ast.Assign(targets, ast.Constant(value)) if value:
                flags = [target for target in targets if "flags" in _attributes(target)]
                if any(not _is_own(target, values, own) for target in flags):
                    yield _write(node.lineno)
            case ast.Call(ast.Attribute(of, "setflags"), arguments, keywords):
                given = [*arguments[:1], *(k.value for k in keywords if k.arg == "write")]
                allowed = any(not isinstance(g, ast.Constant) or g.value for g in given)
                if allowed and not _is_own(of, values, own):
                    yield _write(node.lineno)
        for target in _targets(node):
            if not isinstance(target, ast.Subscript):
                continue
            named = isinstance(target.value, ast.Name) and target.value.id not in own
            if not named and _INSIDE & {*_attributes(_of(target.value, values))}:
                yield _write(target.lineno)


def _identity(line: int) -> Look:
    return Look(
        line,
        "asks whether columns have the very same type, and frames that share one do not share it "
        "from stage to stage",
        "compare with ==, or categories with .equals()",
    )


def _write(line: int) -> Look:
    return Look(
        line,
        "writes into a column's memory past pandas, and frames that share it do not share it from "
        "stage to stage",
        "write into a copy, and assign that to the column: to_numpy(copy=True)",
    )


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.AugAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _of(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """What a name stands for, as far as that is known."""
    for _ in range(_DEEPEST):
        if isinstance(node, ast.Name) and node.id in values:
            node = values[node.id]
    return node


def _is_type(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("categories", "dtype")


def _is_own(node: ast.expr, values: Mapping[str, ast.expr], own: Set[str]) -> bool:
    """Whether an array is a copy, or made of what is `own`."""
    root = node
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    match _of(root, values):
        case ast.Name(name):
            return name in own
        case ast.Call(ast.Attribute(attr="copy")):
            return True
        case ast.Call(keywords=keywords) if any(k.arg == "copy" for k in keywords):
            return True
        case made:
            return names_in(made) <= own


def _attributes(node: ast.expr) -> list[str]:
    """The attributes of an expression; a method's is none."""
    found = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        found += [node.attr] if isinstance(node, ast.Attribute) else []
        node = node.value
    return found
