"""Paths as code makes them of texts: what is known of them without running it.

An expression becomes a path below the notebook's folder, with `*` for what only the run knows::

    "data/jan.csv"                                  data/jan.csv
    f"data/{month}.csv", "data/" + month + ".csv"   data/*.csv
    Path.cwd() / "data", os.path.join(".", "data")  data
    ROOT = Path.cwd().parent; ROOT / name           ../*
    month                                           nothing is known
"""

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from podline.compiler.ast_queries import attribute_path
from podline.compiler.cell_parser import magic_call

_LISTING = frozenset({"listdir", "scandir", "fwalk", "copytree"})
_PATHS = frozenset({"Path", "PurePath", "PosixPath", "join"})
_SAME = frozenset({"Path", "PurePath", "abspath", "absolute", "as_posix", "expanduser"})
_SAME |= {"fspath", "normpath", "realpath", "resolve", "str"}
_FIELD = re.compile(r"\{[^{}]*\}|%[-#0 +]*\d*(?:\.\d+)?(?:\(\w+\))?[a-zA-Z]")
_DATABASE = re.compile(r"^(?:file:(?://)?|sqlite:///)([^?]+).*")  # as SQLite's addresses have it
_DEEPEST = 20  # a name may stand for itself
OUTSIDE = ".."


class Places:
    """What names stand for, as far as they are paths, and the paths of expressions."""

    def __init__(self) -> None:
        self.values: dict[str, ast.expr] = {}
        self.imported: dict[str, str] = {}

    def learn(self, body: Iterable[ast.AST]) -> None:
        """Know the names that statements bind to an expression, the last for each, or import."""
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self.values[name] = value
                case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                    self.values[name] = value
                case ast.Import(names) | ast.ImportFrom(names=names):
                    self.imported |= {n.asname: n.name for n in names if n.asname}

    def of(self, node: ast.expr) -> str | None:
        """The path of an expression; None: nothing of it is known."""
        place = self._of(node)
        return place and _DATABASE.sub(r"\1", place)

    def _of(self, node: ast.expr, depth: int = 0) -> str | None:
        """See `of`.

        Args:
            node: the expression.
            depth: of names that led here.
        """
        if depth > _DEEPEST:
            return None
        depth += 1
        match node:
            case ast.Constant(str(text)):
                return text
            case ast.Name(name) if name in self.values:
                return self._of(self.values[name], depth)
            case ast.JoinedStr(parts):
                return _in_one([self._or_any(part, depth) for part in parts])
            case ast.FormattedValue(value):
                return self._of(value, depth)
            case ast.BinOp(left, ast.Add(), right):
                return self._known([left, right], _in_one, depth)
            case ast.BinOp(left, ast.Div(), right):
                return self._known([left, right], _joined, depth)
            case ast.BinOp(ast.Constant(str(text)), ast.Mod()) | ast.Call(
                ast.Attribute(ast.Constant(str(text)), "format")
            ):
                return _FIELD.sub("*", text)
            case ast.Attribute(attr="curdir"):
                return "."
            case ast.Attribute(attr="pardir"):
                return OUTSIDE
            case ast.Attribute(inner, "parent"):
                return self._above(inner, 1, depth)
            case ast.Subscript(ast.Attribute(inner, "parents"), ast.Constant(int(steps))):
                return self._above(inner, steps + 1, depth)
            case ast.Call():
                return self._of_call(node, depth)
        return None

    def _of_call(self, node: ast.Call, depth: int) -> str | None:
        match node.func, node.args:
            case ast.Attribute(attr="cwd") | ast.Attribute(attr="getcwd") | ast.Name("getcwd"), []:
                return "."
            case ((ast.Name("Path") | ast.Attribute(attr="Path")), []):
                return "."
            case ast.Attribute(inner, "joinpath"), parts:
                return self._known([inner, *parts], _joined, depth)
            case ((ast.Name("dirname") | ast.Attribute(attr="dirname")), [inner]):
                return self._above(inner, 1, depth)
            case ((ast.Name(name) | ast.Attribute(attr=name)), parts) if parts and name in _PATHS:
                return self._known(parts, _joined, depth)
            case ((ast.Name(name) | ast.Attribute(attr=name)), [inner]) if name in _SAME:
                return self._of(inner, depth)
            case ast.Attribute(inner, name), [] if name in _SAME:
                return self._of(inner, depth)
        return None

    def _above(self, node: ast.expr, steps: int, depth: int) -> str | None:
        place = self._of(node, depth)
        return place and posixpath.normpath(posixpath.join(place, *[OUTSIDE] * steps))

    def _or_any(self, node: ast.expr, depth: int) -> str:
        place = self._of(node, depth)
        return "*" if place is None else place

    def _known(
        self, parts: Sequence[ast.expr], join: Callable[[list[str]], str], depth: int
    ) -> str | None:
        """Put parts together, of which one must be known: a sum of numbers is no path.

        Args:
            parts: the expressions.
            join: puts their texts together.
            depth: of names that led here.
        """
        found = [self._of(part, depth) for part in parts]
        if not any(found):
            return None
        return join(["*" if part is None else part for part in found])

    def looked_at(self, node: ast.Call) -> list[str | None]:
        """The folders and patterns that a call lists; None: one that is not known."""
        path = attribute_path(node.func)
        match [self.imported.get(part, part) for part in path], node:
            case ((["os", "walk"] | ["walk"]), ast.Call(args=parts)):
                return [self.of(parts[0]) if parts else "."]
            case (
                ([("glob" | "iglob")] | ["glob", "glob" | "iglob"]),
                ast.Call(args=[pattern, *_]),
            ):
                return [self.of(pattern)]
            case [*_, name], ast.Call(args=parts) if name in _LISTING:
                return [self.of(parts[0]) if parts else "."]
        match node:
            case ast.Call(ast.Attribute(inner, "iterdir" | "walk"), []):
                return [self.of(inner)]
            case ast.Call(ast.Attribute(inner, "glob" | "rglob" as name), [pattern, *_]):
                deep = [ast.Constant("**")] if name == "rglob" else []
                known = self.of(inner) is not None
                return [self._known([inner, *deep, pattern], _joined, 0) if known else None]
        return []

    def outside(self, node: ast.AST) -> Iterator[tuple[ast.expr, str, str]]:
        """Yield what leads out of the notebook's folder: its path, and what is done with it.

        What is added to `sys.path` is left out: a module may be installed as well.
        """
        if isinstance(node, ast.Call):
            if attribute_path(node.func)[:2] == ["sys", "path"]:
                return
            listed = [(place, "lists") for place in self.looked_at(node)]
            for place, verb in [*listed, *((place, "enters") for place in self._entered(node))]:
                if place is not None and is_outside(place):
                    yield node, place, verb
                    return
        if isinstance(node, ast.expr) and not isinstance(node, ast.Name):
            place = self.of(node)
            if place is not None and is_outside(place):
                yield node, place, "names"
                return
        for child in ast.iter_child_nodes(node):
            yield from self.outside(child)

    def _entered(self, node: ast.Call) -> Iterator[str | None]:
        """The folder that `os.chdir` or `%cd` makes the current one."""
        match node:
            case ast.Call(ast.Name("chdir") | ast.Attribute(_, "chdir"), [place]):
                yield self.of(place)
            case ast.Call(_, [ast.Constant("cd"), ast.Constant(str(place))]) if magic_call(node):
                yield place.strip()


def _in_one(parts: Sequence[str]) -> str:
    """Put texts together; what is unknown beside a `*` is no pattern of folders."""
    text = "".join(parts)
    return re.sub(r"\*+", "*", text) if "*" in parts else text


def _joined(parts: Sequence[str]) -> str:
    return posixpath.normpath(posixpath.join(*parts))


def is_outside(place: str) -> bool:
    """Whether a path leads out of the notebook's folder, upwards."""
    return posixpath.normpath(place).split("/")[0] == OUTSIDE


def is_elsewhere(place: str) -> bool:
    """Whether a path is not below the notebook's folder."""
    return place.startswith(("/", "~")) or is_outside(place)
