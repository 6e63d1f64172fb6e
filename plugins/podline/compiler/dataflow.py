"""Which names a run of statements reads, binds, changes and deletes.

The analysis follows the order of execution. A read is *exposed* when the name may not yet be
bound by an earlier statement of the same run. It errs to the safe side: a name too many is read,
never one too few.
"""

import ast
import builtins
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from podline.compiler.ast_queries import (
    READING_METHODS,
    always_true,
    catches_name_error,
    children_of,
    constant_global,
    leaves,
    names_in_eval,
    names_in_query,
    names_in_text,
    note_call,
    root_of,
    target_names,
    unpickles_in,
)
from podline.compiler.cell_parser import MAGIC_METHODS, PYTHON_CELL_MAGICS, expansions, magic_call
from podline.compiler.function_effects import (
    Function,
    body_effects,
    evaluated_at_definition,
    type_parameters,
    use,
)

KNOWN_NAMES = frozenset(dir(builtins)) | {
    "__name__", "__doc__", "__builtins__", "__builtin__", "__debug__",
    "get_ipython", "display", "exit", "quit", "open",
}  # fmt: skip


class Place(NamedTuple):
    """Where something stands: the cell's number and the line in it."""

    cell: int
    line: int


@dataclass(frozen=True)
class Trouble:
    """A construct whose effect on names cannot be seen."""

    place: Place
    message: str
    fix: str


@dataclass
class Effects:
    """The names of a run of statements.

    Attributes:
        reads: names read when they may not have been bound here, with where first.
        guarded: those of `reads` that are only read where a NameError is caught.
        deferred: names that a function or lambda may read when it is called.
        bound: names that are certainly bound at the end.
        may_bind: names that may have been bound.
        changes: names whose object is visibly changed.
        functions: the functions, classes and lambdas bound to names.
        modules: names that an `import` bound last.
        attributes: what is assigned to that is no name, such as `a.b` and `a.b[c]`, with where.
        shown: names under which IPython keeps what a cell showed.
        stars: modules of `from module import *`.
        troubles: constructs that cannot be analysed.
    """

    reads: dict[str, Place] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    deferred: dict[str, Place] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    may_bind: set[str] = field(default_factory=set)
    deleted: dict[str, Place] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)
    functions: dict[str, Function] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    attributes: list[tuple[ast.expr, Place]] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


# The method of `Flow` for each kind of node, found once: Airflow parses often.
_METHODS: dict[type[ast.AST], Callable[..., None]] = {}


class Flow:
    """Follows statements of a module, keeping what is certainly bound so far."""

    def __init__(
        self, cell: int, functions: dict[str, Function], future_annotations: bool = False
    ) -> None:
        self.cell = cell
        self.effects = Effects()
        self.known = dict(functions)  # the functions that names stand for, from before as well
        self.future_annotations = future_annotations
        self.name_error_caught = 0
        self.unsure = 0  # inside a part that may not run
        self.loops = 0  # around this part

    # -- statements

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            _METHODS.get(type(statement), Flow.read)(self, statement)

    def run_apart(self, *bodies: Iterable[ast.stmt]) -> list[set[str]]:
        """Run each body from the names bound now; return what each binds, and bind none."""
        before, results = set(self.effects.bound), []
        self.unsure += 1
        for body in bodies:
            self.effects.bound = set(before)
            self.run(body)
            results.append(self.effects.bound)
        self.unsure -= 1
        self.effects.bound = before
        return results

    def run_Expr(self, node: ast.Expr) -> None:
        self.read(node.value)
        self.effects.shown.update(("_", "__", "___"))

    def run_Assign(self, node: ast.Assign) -> None:
        self.read(node.value)
        for target in node.targets:
            self.assign(target, node.value)

    def run_AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self.future_annotations:
            self.read(node.annotation)
        if node.value is not None:
            self.read(node.value)
            self.assign(node.target, node.value)

    # What a function alone may have, and a loop: parsing does not mind where it stands.

    def run_Return(self, node: ast.AST) -> None:
        self.effects.troubles.append(_misplaced(self.place(node), node, "function"))

    run_Nonlocal = read_Yield = read_YieldFrom = run_Return

    def run_Break(self, node: ast.AST) -> None:
        if not self.loops:
            self.effects.troubles.append(_misplaced(self.place(node), node, "loop"))

    run_Continue = run_Break

    def run_AugAssign(self, node: ast.AugAssign) -> None:
        self.read(node.value)
        if isinstance(node.target, ast.Name):
            self.read_name(node.target.id, self.place(node))
            self.change(node.target.id)
        self.assign(node.target)

    def run_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.delete(target)

    def delete(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.read_name(target.id, self.place(target))
            self.effects.bound.discard(target.id)
            if not self.unsure:
                self.effects.deleted[target.id] = self.place(target)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self.delete(element)
        else:
            self.assign(target)

    def run_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.read(node.iter)
        before = set(self.effects.bound)
        self.unsure += 1
        self.loops += 1
        self.assign(node.target)
        self.run(node.body)
        self.loops -= 1
        self.unsure -= 1
        self.effects.bound = before
        self.run_apart(node.orelse)

    run_AsyncFor = run_For

    def run_While(self, node: ast.While) -> None:
        self.read(node.test)
        self.loops += 1
        self.run_apart(node.body)
        self.loops -= 1
        self.run_apart(node.orelse)

    def run_If(self, node: ast.If) -> None:
        self.read(node.test)
        if always_true(node.test):
            self.run(node.body)
            return
        branches = [body for body in (node.body, node.orelse) if not leaves(body)]
        results = self.run_apart(node.body, node.orelse)
        ends = [
            r for r, body in zip(results, (node.body, node.orelse), strict=True) if body in branches
        ]
        if ends:
            self.effects.bound = set.intersection(*ends)

    def run_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.read(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars)
        self.run(node.body)

    run_AsyncWith = run_With

    def run_Try(self, node: ast.Try) -> None:
        catches = any(catches_name_error(handler) for handler in node.handlers)
        self.name_error_caught += catches
        (after_body,) = self.run_apart([*node.body, *node.orelse])
        self.name_error_caught -= catches
        ends = [after_body]
        for handler in node.handlers:
            if handler.type is not None:
                self.read(handler.type)
            (after,) = self.run_apart(handler.body)
            if handler.name:
                self.effects.may_bind.add(handler.name)
                after.discard(handler.name)
            if not leaves(handler.body):
                ends.append(after)
        self.effects.bound = set.intersection(*ends)
        self.run(node.finalbody)

    run_TryStar = run_Try

    def run_Match(self, node: ast.Match) -> None:
        self.read(node.subject)
        for case in node.cases:
            before = set(self.effects.bound)
            self.unsure += 1
            for pattern in ast.walk(case.pattern):
                name = getattr(pattern, "name", None) or getattr(pattern, "rest", None)
                if isinstance(name, str):
                    self.bind(name)
                elif isinstance(pattern, ast.expr):
                    self.read(pattern)
            if case.guard is not None:
                self.read(case.guard)
            self.run(case.body)
            self.unsure -= 1
            self.effects.bound = before

    def run_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.bind(name)
            self.effects.modules.add(name)

    def run_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "__future__":
            self.future_annotations |= any(alias.name == "annotations" for alias in node.names)
        for alias in node.names:
            if alias.name == "*":
                self.effects.stars.append(node.module or ".")
            else:
                self.bind(alias.asname or alias.name)

    def run_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        with self.scope_of(node):
            for expression in evaluated_at_definition(node, not self.future_annotations):
                self.read(expression)
        self.decorate(node)
        function = Function()
        self.follow_body(node, function)
        self.define(node.name, node, function)

    run_AsyncFunctionDef = run_FunctionDef

    def run_ClassDef(self, node: ast.ClassDef) -> None:
        inner = Flow(self.cell, self.known, self.future_annotations)
        with self.scope_of(node):
            for expression in [
                *node.decorator_list,
                *node.bases,
                *(k.value for k in node.keywords),
            ]:
                self.read(expression)
            inner.effects.bound = set(self.effects.bound)
            inner.run(node.body)
        self.decorate(node)
        function = Function()
        for name, where in inner.effects.reads.items():
            self.read_name(name, where)
        for name, where in inner.effects.deferred.items():
            function.reads.add(name)
            if name != node.name:  # which is bound when a method runs
                self.effects.deferred.setdefault(name, where)
        for method in inner.effects.functions.values():
            function.reads |= method.reads
            function.changes |= method.changes
            function.binds |= method.binds
            function.may_read |= method.may_read
            function.unpickles |= method.unpickles
        self.effects.changes |= inner.effects.changes - inner.effects.may_bind
        self.effects.troubles += inner.effects.troubles
        self.define(node.name, node, function)

    def run_TypeAlias(self, node: Any) -> None:
        """Follow `type Pair = tuple[A, B]`, whose right side is read when it is asked for."""
        function = Function()
        use(node.value, frozenset(type_parameters(node)), function)
        self.define(node.name.id, node, function)

    @contextmanager
    def scope_of(self, node: ast.AST) -> Iterator[None]:
        """Know a definition's type parameters meanwhile."""
        own = type_parameters(node) - self.effects.bound
        self.effects.bound |= own
        yield
        self.effects.bound -= own

    def follow_body(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, function: Function
    ) -> None:
        body_effects(node, frozenset(), function)
        for line, name in function.unseen:
            trouble = _sees_all_names if name == "globals" else _runs_text
            self.effects.troubles.append(trouble(Place(self.cell, line), name))

    def decorate(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """`@app.route(…)` registers what it decorates with `app`."""
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and (root := root_of(called)):
                self.change(root)

    def define(self, name: str, node: ast.AST, function: Function) -> None:
        self.bind(name)
        self.known[name] = self.effects.functions[name] = function
        for read in function.reads - self.effects.bound:
            place = Place(self.cell, function.lines.get(read, getattr(node, "lineno", 1)))
            self.effects.deferred.setdefault(read, place)

    # -- names

    def bind(self, name: str) -> None:
        self.effects.may_bind.add(name)
        self.effects.bound.add(name)
        self.effects.modules.discard(name)
        self.known.pop(name, None)
        if not self.unsure:
            self.effects.deleted.pop(name, None)

    def change(self, name: str) -> None:
        self.effects.changes.add(name)

    def place(self, node: ast.AST) -> Place:
        return Place(self.cell, getattr(node, "lineno", 1))

    def read_name(self, name: str, where: Place) -> None:
        if name not in self.effects.bound:
            if self.name_error_caught:
                self.effects.guarded.add(name)
            elif name in self.effects.guarded and name not in self.effects.may_bind:
                self.effects.guarded.discard(name)
            self.effects.reads.setdefault(name, where)
        if name in self.known:
            self.call(name, where, set())

    def call(self, name: str, where: Place, seen: set[str]) -> None:
        """Using a function may call it: its names are read, changed and bound from here."""
        function = self.known[name]
        seen.add(name)
        for read in function.reads:
            if read not in self.effects.bound:
                self.effects.deferred.setdefault(read, where)
            if read in self.known and read not in seen:
                self.call(read, where, seen)
        self.may_read(function, where)
        self.effects.changes |= function.changes
        self.effects.may_bind |= function.binds

    def may_read(self, function: Function, where: Place) -> None:
        """Read what is read only if there is such a name: nobody misses the others."""
        names = function.may_read | (set(self.known) if function.unpickles else set())
        for name in names - self.effects.bound:
            if name not in self.effects.reads and name not in self.effects.deferred:
                self.effects.guarded.add(name)
            self.effects.deferred.setdefault(name, where)

    def assign(self, target: ast.expr, value: ast.expr | None = None) -> None:
        if isinstance(target, ast.Name):
            self.bind_value(target.id, value)
        elif (name := constant_global(target)) is not None:
            self.bind_value(name, value)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self.assign(element)
        elif isinstance(target, ast.Starred):
            self.assign(target.value)
        else:
            self.read_children(target)
            self.effects.attributes.append((target, self.place(target)))
            if root := root_of(target):
                self.change(root)

    def bind_value(self, name: str, value: ast.expr | None) -> None:
        """Bind a name, and note what using it may do."""
        self.bind(name)
        if isinstance(value, ast.Lambda):
            function = Function()
            self.follow_body(value, function)
            self.known[name] = self.effects.functions[name] = function
        elif isinstance(value, ast.Name) and value.id in self.known:
            self.known[name] = self.known[value.id]
        elif isinstance(value, ast.Constant | ast.JoinedStr) and (names := names_in_text(value)):
            # `condition = "a > @limit"`: whoever uses the text may read the name.
            self.known[name] = Function(may_read=set(names))

    # -- expressions

    def read_children(self, node: ast.AST) -> None:
        for child in children_of(node):
            _METHODS.get(type(child), Flow.read)(self, child)

    def read(self, node: ast.AST) -> None:
        """Follow an expression, or whatever stands in a statement."""
        try:
            method = _METHODS[type(node)]
        except KeyError:
            kind = type(node)
            prefix = "run" if isinstance(node, ast.stmt) else "read"
            method = getattr(Flow, f"{prefix}_{kind.__name__}", Flow.read_children)
            _METHODS[kind] = method
        method(self, node)

    def read_Constant(self, node: ast.Constant) -> None:
        pass

    def read_Name(self, node: ast.Name) -> None:
        name = node.id
        if name not in self.effects.bound or name in self.known:
            self.read_name(name, self.place(node))

    def read_Attribute(self, node: ast.Attribute) -> None:
        self.read(node.value)

    def read_Subscript(self, node: ast.Subscript) -> None:
        if (name := constant_global(node)) is not None:
            self.read_name(name, self.place(node))
        else:
            self.read_children(node)

    def read_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.read(node.value)
        self.effects.may_bind.add(node.target.id)
        self.known.pop(node.target.id, None)

    def read_Compare(self, node: ast.Compare) -> None:
        if not isinstance(node.left, ast.Constant):
            self.read_children(node)
            return
        match node:
            case ast.Compare(
                left=ast.Constant(value=str(name)),
                ops=[ast.In() | ast.NotIn()],
                comparators=[ast.Call(func=ast.Name(id="globals"), args=[])],
            ):
                self.effects.guarded.add(name)
                self.effects.reads.setdefault(name, self.place(node))
            case _:
                self.read_children(node)

    def read_Lambda(self, node: ast.Lambda) -> None:
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self.read(default)
        function = Function()
        self.follow_body(node, function)
        for name in function.reads:
            if name not in self.effects.bound:
                self.effects.deferred.setdefault(name, self.place(node))
            if name in self.known:
                self.call(name, self.place(node), set())
        self.may_read(function, self.place(node))
        self.effects.changes |= function.changes

    def read_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        """Follow a comprehension: its targets are bound inside it, and nowhere else."""
        bound, changes = self.effects.bound, self.effects.changes
        own: set[str] = set()
        for generator in node.generators:
            self.read(generator.iter)
            own |= target_names(generator.target) - bound
            bound |= own
            for condition in generator.ifs:
                self.read(condition)
        own_changes = own - changes
        if isinstance(node, ast.DictComp):
            self.read(node.key)
            self.read(node.value)
        else:
            self.read(node.elt)
        bound -= own
        changes -= own_changes

    read_SetComp = read_GeneratorExp = read_DictComp = read_ListComp

    def read_Call(self, node: ast.Call) -> None:
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method in MAGIC_METHODS and (found := magic_call(node)):
            self.read_magic(node, *found)
            if found[0] == "system":
                self.effects.shown.add("_exit_code")
            return
        self.read_children(node)
        note_call(node, self.change)
        if method in READING_METHODS:
            for name in names_in_query(node):
                self.read_name(name, self.place(node))
            seen = Function(may_read=set(names_in_eval(node)), unpickles=unpickles_in(node))
            self.may_read(seen, self.place(node))
        match node.func:
            case ast.Name(id="exec" | "eval" as name) if name not in self.effects.bound:
                self.read_text(node, name)
            case ast.Name(id="globals" | "locals" | "vars" | "dir" as name) if not node.args:
                self.effects.troubles.append(_sees_all_names(self.place(node), name))

    def read_text(self, node: ast.Call, name: str) -> None:
        match node.args:
            case [ast.Constant(value=str(text))]:
                try:
                    self.run(ast.parse(text).body)
                    return
                except SyntaxError:
                    pass
        self.effects.troubles.append(_runs_text(self.place(node), name))

    def read_magic(self, node: ast.Call, method: str, name: str, line: str) -> None:
        for read in expansions(line):
            if read not in KNOWN_NAMES:
                # A shell's own $HOME and awk's {print} are no names of the notebook.
                self.effects.guarded.add(read)
                self.effects.reads.setdefault(read, self.place(node))
        if method == "run_line_magic" and name in PYTHON_CELL_MAGICS:
            source = re.sub(r"^\s*(-\w+\s*\d*\s+)*", "", line)
            try:
                body = ast.parse(source).body
            except SyntaxError:
                return
            for inner in (inner for statement in body for inner in ast.walk(statement)):
                if hasattr(inner, "lineno"):
                    inner.lineno = node.lineno
            if name == "timeit":
                self.run_apart(body)
            else:
                self.run(body)


def _misplaced(place: Place, node: ast.AST, where: str) -> Trouble:
    word = type(node).__name__.lower().removesuffix("from")
    fix = "correct the line; the cell must run in Jupyter"
    return Trouble(place, f"syntax error: {word!r} outside a {where}", fix)


def _sees_all_names(place: Place, name: str) -> Trouble:
    return Trouble(
        place,
        f"{name}() sees every name of the notebook, and a stage has only those that it reads",
        "write the names out, or keep the values in a dict of your own",
    )


def _runs_text(place: Place, name: str) -> Trouble:
    return Trouble(
        place,
        f"{name}() runs text that is only known at run time: its names cannot be seen",
        "write it as ordinary code, or give it a constant text",
    )
