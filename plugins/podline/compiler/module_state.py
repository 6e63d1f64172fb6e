"""What a stage changes in modules: the other stages import them afresh, and would not see it."""

import ast
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from podline.compiler.ast_queries import attribute_path, walk_all
from podline.compiler.namespace import Effects

# Parts of modules whose state the runner takes from stage to stage.
_SETTINGS = frozenset({"environ", "options", "path", "rcParams"})


class Change(NamedTuple):
    """A line that changes a module: what it does, and the module."""

    line: int
    what: str
    module: str


def attributes(
    effects: Effects, number: int, modules: Mapping[str, str], imported: Set[str]
) -> Iterator[Change]:
    """Yield what assigns to a part of a module, such as `pd.DataFrame.peek = f`.

    Args:
        effects: of the stage.
        number: the cell's.
        modules: the root modules that names stand for.
        imported: the names that stand for a module itself.
    """
    for target, place in effects.attributes:
        name, *path = attribute_path(target) or [""]
        of_module = name in imported or isinstance(target, ast.Attribute)
        if place.cell != number or name not in modules or not of_module:
            continue
        if not {*path[:1]} & _SETTINGS:
            yield Change(place.line, f"sets {'.'.join([name, *path])}", modules[name])


def accessors(body: Iterable[ast.stmt]) -> Iterator[Change]:
    """Yield the classes that statements register with pandas."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            text = " ".join(map(ast.unparse, node.decorator_list))
            if re.search(r"\bregister_\w+_accessor\b", text):
                yield Change(node.lineno, f"registers the accessor {node.name!r}", "pandas")


def registered(
    body: Iterable[ast.stmt], modules: Mapping[str, str], functions: Container[str]
) -> Iterator[Change]:
    """Yield what registers a function or class with a module: `Sized.register(C)`.

    Args:
        body: the statements.
        modules: the root modules that names stand for.
        functions: the names of the notebook's functions and classes.
    """
    for node in walk_all(body):
        if not isinstance(node, ast.Call):
            continue
        name, *path = attribute_path(node.func) or [""]
        module = modules.get(name, "atexit")  # what runs at the end changes nothing
        called = path[-1] if path else name if module == "codecs" else ""
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        own = any(isinstance(a, ast.Lambda) or getattr(a, "id", "") in functions for a in given)
        registers = called.startswith("register") and (own or module == "codecs")
        if (registers or (module == "copyreg" and own)) and module != "atexit":
            yield Change(node.lineno, f"calls {'.'.join([name, *path])}()", module)
