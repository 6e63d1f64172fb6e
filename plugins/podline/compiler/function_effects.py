"""What calling a function does to the notebook's names: its body has a scope of its own."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from podline.compiler.ast_queries import (
    children_of,
    names_in_eval,
    names_in_query,
    note_call,
    root_of,
    unpickles_in,
)


@dataclass
class Function:
    """What calling a function (or a class's methods) does to the notebook's names.

    Attributes:
        reads, changes: names that it reads, and names whose object it visibly changes.
        binds: names that it binds by a `global` statement.
        lines: where `reads` are read, as the number of a line of the cell.
        may_read: names in a text that pandas may read, if there are such names.
        unpickles: it may load an instance of any class of the notebook.
        unseen: line and name of each call of exec and its like.
    """

    reads: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    may_read: set[str] = field(default_factory=set)
    unpickles: bool = False
    unseen: list[tuple[int, str]] = field(default_factory=list)


def evaluated_at_definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef, annotations: bool = True
) -> Iterator[ast.expr]:
    """Yield what a definition evaluates when it is made: decorators, defaults, annotations."""
    yield from node.decorator_list
    yield from node.args.defaults
    yield from (default for default in node.args.kw_defaults if default)
    if not annotations:
        return
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [a for a in (node.args.vararg, node.args.kwarg) if a]
    yield from (argument.annotation for argument in arguments if argument.annotation)
    if node.returns:
        yield node.returns


def body_effects(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
    outer: frozenset[str],
    function: Function,
) -> None:
    """Add to `function` what the body does to names that are neither its own nor `outer`'s."""
    body: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
    scope = _Scope()
    arguments = node.args
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        scope.local.add(argument.arg)
    scope.local |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
    scope.local |= type_parameters(node)
    for part in body:
        scope.collect(part)
    local = (scope.local - scope.declared_global) | (outer - scope.declared_global)
    function.binds |= scope.declared_global
    for part in body:
        use(part, frozenset(local), function)


def type_parameters(node: ast.AST) -> set[str]:
    """Return `{"T"}` for `def f[T](x: T)` and `class Box[T]`, which Python has from 3.12 on."""
    return {parameter.name for parameter in getattr(node, "type_params", ())}


class _Scope:
    """The names that a function's body binds itself."""

    def __init__(self) -> None:
        self.local: set[str] = set()
        self.declared_global: set[str] = set()

    def collect(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self.local.add(node.name)
                return
            case ast.Lambda():
                return
            case ast.Global():
                self.declared_global |= set(node.names)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                self.local.add(node.id)
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    self.local.add(alias.asname or alias.name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                self.local.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                self.local.add(name)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for inner in ast.walk(node):
                    if isinstance(inner, ast.NamedExpr):
                        self.local.add(inner.target.id)
                return
        for child in ast.iter_child_nodes(node):
            self.collect(child)


def use(node: ast.AST, local: frozenset[str], function: Function) -> None:
    """Add what a part of a function's body does to global names."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for expression in evaluated_at_definition(node):
                use(expression, local | type_parameters(node), function)
            body_effects(node, local, function)
            return
        case ast.Lambda():
            body_effects(node, local, function)
            return
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            targets = {
                inner.id
                for generator in node.generators
                for inner in ast.walk(generator.target)
                if isinstance(inner, ast.Name)
            }
            use(node.generators[0].iter, local, function)  # it is not in the inner scope
            local = local | targets
        case ast.ClassDef():
            # What a class's body binds is its own; its methods do not see that.
            scope = _Scope()
            for statement in node.body:
                scope.collect(statement)
            local |= type_parameters(node)
            for part in ast.iter_child_nodes(node):
                method = isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                use(part, local if method else local | scope.local, function)
            return
        case ast.Name(ctx=ast.Load()) if node.id not in local:
            function.reads.add(node.id)
            function.lines.setdefault(node.id, node.lineno)
        case ast.Name(ctx=ast.Store() | ast.Del()) if node.id not in local:
            function.binds.add(node.id)
        case (
            ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del())
        ):
            if (root := root_of(node)) and root not in local:
                function.changes.add(root)
        case ast.AugAssign(target=ast.Name(id=name)) if name not in local:
            function.reads.add(name)
            function.changes.add(name)
        case ast.Call():
            note_call(node, lambda name: function.changes.add(name) if name not in local else None)
            function.reads |= set(names_in_query(node)) - local
            function.may_read |= set(names_in_eval(node)) - local
            function.unpickles |= unpickles_in(node)
            if isinstance(node.func, ast.Name) and node.func.id not in local:
                if node.func.id == "globals":
                    function.unseen.append((node.lineno, "globals"))
                elif node.func.id == "exec" or (
                    node.func.id == "eval"
                    and not (node.args and isinstance(node.args[0], ast.Constant))
                ):
                    function.unseen.append((node.lineno, node.func.id))
    for child in children_of(node):
        use(child, local, function)
