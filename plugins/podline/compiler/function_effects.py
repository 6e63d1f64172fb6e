"""What calling a function does to the notebook's names: its body has a scope of its own.

A body runs where the function is called, maybe stages below its definition, and there it reads
the notebook's names. So a stage that calls `f` must get what `f` reads, though its own cells
never say it::

    def f(x): return x * scale     # an earlier cell
    y = f(3)                       # reads `f`, and so `scale`

Arguments and what the body assigns to are the function's own, in the whole body (also above the
assignment, where Python raises an UnboundLocalError and reads no global). A change of an argument
(`def f(rows): rows.append(1)`) is seen only when the stage runs.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from podline.compiler.asked_names import IN_FUNCTIONS, asked, asked_item
from podline.compiler.ast_queries import (
    changed_by,
    children_of,
    names_in,
    names_in_eval,
    names_in_query,
    root_of,
    unpickles_in,
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


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

    def add(self, method: "Function") -> None:
        """Do what a method does as well."""
        self.reads |= method.reads
        self.changes |= method.changes
        self.binds |= method.binds
        self.may_read |= method.may_read
        self.unpickles |= method.unpickles


def evaluated_at_definition(node: Definition, annotations: bool = True) -> Iterator[ast.expr]:
    """Yield what a definition evaluates when it is made: decorators, defaults, annotations."""
    yield from getattr(node, "decorator_list", ())
    yield from node.args.defaults
    yield from filter(None, node.args.kw_defaults)
    if annotations and not isinstance(node, ast.Lambda):
        yield from filter(None, (argument.annotation for argument in _arguments(node)))
        if node.returns:
            yield node.returns


def _arguments(node: Definition) -> list[ast.arg]:
    arguments = node.args
    stars = filter(None, (arguments.vararg, arguments.kwarg))
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]


def body_effects(node: Definition, outer: frozenset[str], function: Function) -> None:
    """Add to `function` what a body does to names that are neither its own nor `outer`'s.

    Args:
        node: the definition whose body it is.
        outer: the names of the functions around it: they are not the notebook's either.
        function: takes the effects.
    """
    body: list[ast.stmt] | list[ast.expr] = (
        [node.body] if isinstance(node, ast.Lambda) else node.body
    )
    scope = _Scope(body)
    scope.local |= {argument.arg for argument in _arguments(node)} | type_parameters(node)
    function.binds |= scope.declared_global
    local = frozenset((scope.local | outer) - scope.declared_global)
    for part in body:
        use(part, local, function)


def type_parameters(node: ast.AST) -> set[str]:
    """Return `{"T"}` for `def f[T](x: T)` and `class Box[T]`, which Python has from 3.12 on."""
    return {parameter.name for parameter in getattr(node, "type_params", ())}


class _Scope:
    """The names that a body binds itself, and those that it declares `global`.

    Definitions inside have scopes of their own, and only their name is bound here. So have
    comprehensions, but for `:=`, which binds in the function around them.
    """

    def __init__(self, body: Iterable[ast.AST]) -> None:
        self.local: set[str] = set()
        self.declared_global: set[str] = set()
        for part in body:
            self.collect(part)

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
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                self.local.add(name)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for inner in ast.walk(node):
                    if isinstance(inner, ast.NamedExpr):
                        self.local.add(inner.target.id)
                return
        for child in ast.iter_child_nodes(node):
            self.collect(child)


def use(node: ast.AST, local: frozenset[str], function: Function) -> None:
    """Add what a part of a function's body does to the notebook's names.

    Args:
        node: the part: a statement, an expression, or what stands in one.
        local: names that are not the notebook's here.
        function: takes the effects.
    """
    match node:
        case ast.Compare() | ast.BinOp() | ast.Call() if found := asked(node, IN_FUNCTIONS):
            (function.reads if found.needed else function.may_read).update(found.names)
            function.binds.update(found.names if found.binds else ())
            for other in found.others:
                use(other, local, function)
            return
        case ast.Subscript() if (name := asked_item(node, IN_FUNCTIONS)) is not None:
            (function.reads if isinstance(node.ctx, ast.Load) else function.binds).add(name)
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            for expression in evaluated_at_definition(node):
                use(expression, local | type_parameters(node), function)
            body_effects(node, local, function)
            return
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            use(node.generators[0].iter, local, function)  # it is not in the inner scope
            local = local.union(*(names_in(generator.target) for generator in node.generators))
        case ast.ClassDef():
            # What a class's body binds is its own; its methods do not see that.
            scope = _Scope(node.body)
            local |= type_parameters(node)
            for part in ast.iter_child_nodes(node):
                method = isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                use(part, local if method else local | scope.local, function)
            return
        case ast.Name(ctx=ast.Load()) if node.id not in local:
            function.reads.add(node.id)
            function.lines.setdefault(node.id, node.lineno)
        case ast.Name() if node.id not in local:
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
            _use_call(node, local, function)
    for child in children_of(node):
        use(child, local, function)


def _use_call(node: ast.Call, local: frozenset[str], function: Function) -> None:
    function.changes |= set(changed_by(node)) - local
    function.reads |= set(names_in_query(node)) - local
    function.may_read |= set(names_in_eval(node)) - local
    function.unpickles |= unpickles_in(node)
    match node.func:
        case ast.Name("globals" | "exec" | "eval" as name) if name not in local:
            constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
            if name != "eval" or not constant:
                function.unseen.append((node.lineno, name))
