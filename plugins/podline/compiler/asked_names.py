"""Names that stand as texts, and are asked of the notebook's namespace itself.

A stage has only the names that it reads. A name as a constant text is as good as the name::

    if "rows" not in globals():          may read `rows`
        globals()["rows"] = load()       binds it
    locals().get("limit", 10)            may read `limit`
    "{low} to {high}".format(**vars())   reads `low` and `high`

Whatever else is done with a namespace may read any name: that is a trouble (`troubles.unseen`).
"""

import ast
import re
from collections.abc import Iterable
from string import Formatter
from typing import NamedTuple

# Calls without arguments that give the notebook's names: at its top level, and in a function.
AT_TOP = frozenset({"globals", "locals", "vars", "dir"})
IN_FUNCTIONS = frozenset({"globals"})
# The names of the calls that may do so: most calls are others, and Airflow parses often.
ASKING = frozenset({"get", "pop", "setdefault", "__contains__", "hasattr", "getattr"})
ASKING |= {"format", "format_map", "exec", "eval"}


class Asked(NamedTuple):
    """What an expression asks of the namespace.

    Attributes:
        names: those that it asks for.
        others: what else it evaluates.
        needed: it fails without them.
        binds: it may bind or delete them.
    """

    names: list[str]
    others: list[ast.expr]
    needed: bool = False
    binds: bool = False


def called_name(node: ast.Call) -> str:
    """The last name of what is called; of what has none, ""."""
    name: str = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
    return name


def asked_item(node: ast.AST, spaces: frozenset[str]) -> str | None:
    """Return `x` for `globals()["x"]`, which is another way to write the name.

    Args:
        node: an expression or a target.
        spaces: the functions that give the notebook's names here.
    """
    match node:
        case ast.Subscript(value=space, slice=ast.Constant(value=str(name))):
            return name if is_space(space, spaces) else None
    return None


def output(node: ast.Subscript) -> str:
    """Return `_3` for `Out[3]`, IPython's other way to what the third cell showed; else ""."""
    match node:
        case ast.Subscript(ast.Name("Out" | "_oh"), ast.Constant(int(number))):
            return f"_{number}"
    return ""


def asked(node: ast.expr, spaces: frozenset[str]) -> Asked | None:
    """Return what an expression asks of the namespace, if it asks it for constant texts.

    Args:
        node: the expression.
        spaces: the functions that give the notebook's names here.
    """
    if isinstance(node, ast.Call) and called_name(node) not in ASKING:
        return None
    match node:
        case ast.Compare(ast.Constant(str(name)), [ast.In() | ast.NotIn()], [space]):
            if is_space(_listed(space), spaces):
                return Asked([name], [])
        case ast.Call(
            ast.Attribute(space, "get" | "pop" | "setdefault" | "__contains__" as method),
            [ast.Constant(str(name)), *others],
        ):
            if is_space(space, spaces):
                return Asked([name], others, binds=method in ("pop", "setdefault"))
        case ast.Call(
            ast.Name("hasattr" | "getattr"),
            [ast.Name("__main__"), ast.Constant(str(name)), *others],
        ):
            return Asked([name], others)
        case ast.Call(ast.Attribute(ast.Constant(str(text)), "format"), others, keywords):
            given = [keyword for keyword in keywords if not is_space(keyword.value, spaces)]
            if len(given) < len(keywords):
                names = _in_format(text) - {keyword.arg for keyword in given}
                needed = all(keyword.arg for keyword in given)  # else another may have them
                return Asked(sorted(names), [*others, *(k.value for k in given)], needed)
        case ast.Call(ast.Attribute(ast.Constant(str(text)), "format_map"), [space]):
            if is_space(space, spaces):
                return Asked(sorted(_in_format(text)), [], needed=True)
        case ast.BinOp(ast.Constant(str(text)), ast.Mod(), space):
            if is_space(space, spaces):
                return Asked(re.findall(r"%\((\w+)\)", text), [], needed=True)
    return None


def is_space(node: ast.AST, spaces: Iterable[str]) -> bool:
    """Whether an expression gives the notebook's names.

    Args:
        node: the expression.
        spaces: the functions that give them here.
    """
    match node:
        case ast.Call(ast.Name(name), [], []):
            return name in spaces
        case ast.Call(ast.Name("vars"), [ast.Name("__main__")], []):
            return True
        case ast.Attribute(_, "user_ns") | ast.Attribute(ast.Name("__main__"), "__dict__"):
            return True  # IPython's, and the module's that a notebook is
    return False


def _listed(node: ast.expr) -> ast.expr:
    """What is asked in `"x" in list(globals().keys())`: the namespace itself."""
    match node:
        case ast.Call(ast.Name("list" | "set" | "sorted" | "tuple"), [inner], []):
            return _listed(inner)
        case ast.Call(ast.Attribute(inner, "keys"), [], []):
            return inner
    return node


def _in_format(text: str) -> set[str]:
    """The names in the braces of a format text."""
    try:
        fields = [name for _, name, _, _ in Formatter().parse(text) if name]
    except ValueError:
        return set()
    found = (re.match(r"[^\W\d]\w*", name) for name in fields)
    return {match[0] for match in found if match}
