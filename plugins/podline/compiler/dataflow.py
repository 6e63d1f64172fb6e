"""Follows statements in the order of execution: what they read, bind, change and delete.

The rule that all else rests on: every name that the statements may read from before is among
their reads, or among the deferred reads of a function. One name too many costs time: a stage
waits for another, or loads a value, for nothing. One name too few, and the stage stops with a
NameError or goes on with an old value. So a doubt counts as a read, and never as a binding::

    for row in rows:      # `rows` may be empty …
        total = row
    print(total)          # … so this may read the `total` of an earlier stage

What one kind of node does to names is in the method `run_…` (statements) or `read_…`
(expressions) of that kind. Kinds without a method read what is below them, from left to right.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from podline.compiler import asked_names
from podline.compiler.ast_queries import (
    READING_METHODS,
    always_true,
    catches_name_error,
    changed_by,
    children_of,
    leaves,
    names_in,
    names_in_eval,
    names_in_query,
    names_in_text,
    root_of,
    unpickles_in,
)
from podline.compiler.cell_parser import (
    MAGIC_METHODS,
    Magic,
    expansions,
    magic_call,
    python_in,
)
from podline.compiler.function_effects import (
    Function,
    body_effects,
    evaluated_at_definition,
    type_parameters,
    use,
)
from podline.compiler.namespace import KNOWN_NAMES, Namespace, Place
from podline.compiler.troubles import SHELL_NAMES, misplaced, of_shell, unseen


class _Methods(dict[type[ast.AST], Callable[..., None]]):
    """The method of `Flow` for each kind of node, found once: Airflow parses often."""

    def __missing__(self, kind: type[ast.AST]) -> Callable[..., None]:
        prefix = "run" if issubclass(kind, ast.stmt) else "read"
        self[kind] = getattr(Flow, f"{prefix}_{kind.__name__}", Flow.read_children)
        return self[kind]


_METHODS = _Methods()


class Flow(Namespace):
    """Follows statements of the notebook's top level, and keeps account of names.

    A branch, a loop's body, a handler and a case are followed *apart*, each from the names that
    are bound where it begins, for it may not run. What they bind may be bound below them, and is
    certain only where every way through an `if` or `try` binds it.

    Attributes:
        cell: the number of the cell that is followed.
        future_annotations: annotations are not evaluated, thus read nothing.
        loops: how many loops are around this part.
        spaces: the functions that give the notebook's names here.
    """

    def __init__(
        self, cell: int, functions: dict[str, Function], future_annotations: bool = False
    ) -> None:
        super().__init__(functions)
        self.cell = cell
        self.future_annotations = future_annotations
        self.loops = 0
        self.spaces = asked_names.AT_TOP

    # -- statements

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.read(statement)

    def run_cell(self, body: Iterable[ast.stmt], may_raise: bool = False) -> None:
        """Follow a cell; of one that may raise, any line may be the last."""
        self.name_error_caught += may_raise
        (self.run_apart if may_raise else self.run)(body)
        self.name_error_caught -= may_raise

    def run_apart(self, body: Iterable[ast.stmt]) -> set[str]:
        """Follow a body that may not run; return the names that are bound at its end."""
        before, self.unsure = set(self.effects.bound), self.unsure + 1
        self.run(body)
        found, self.effects.bound, self.unsure = self.effects.bound, before, self.unsure - 1
        return found

    def run_Expr(self, node: ast.Expr) -> None:
        """Read an expression, whose value IPython keeps as `_` if it is the cell's last."""
        self.read(node.value)
        self.effects.shown.update(("_", "__", "___"))

    def run_Assign(self, node: ast.Assign) -> None:
        self.read(node.value)
        for target in node.targets:
            self.assign(target, node.value)

    def run_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Follow `x: int = 1`, and `x: int`, which binds nothing."""
        if not self.future_annotations:
            self.read(node.annotation)
        if node.value is not None:
            self.read(node.value)
            self.assign(node.target, node.value)

    # What a function alone may have, and a loop: parsing does not mind where it stands.

    def run_Return(self, node: ast.AST) -> None:
        self.effects.troubles.append(misplaced(self.place(node), node, "function"))

    run_Nonlocal = read_Yield = read_YieldFrom = run_Return

    def run_Break(self, node: ast.AST) -> None:
        if not self.loops:
            self.effects.troubles.append(misplaced(self.place(node), node, "loop"))

    run_Continue = run_Break

    def run_AugAssign(self, node: ast.AugAssign) -> None:
        """Follow `a += b`, which changes a list in place and binds `a` anew to a number."""
        self.read(node.value)
        if isinstance(node.target, ast.Name):
            self.read_name(node.target.id, self.place(node))
            self.effects.changes.add(node.target.id)
        self.assign(node.target)

    def run_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.delete(target)

    def delete(self, target: ast.expr) -> None:
        """Delete a name; `del a[0]` deletes none and changes `a`, as `a[0] = 1` does."""
        if isinstance(target, ast.Name):
            self.unbind(target.id, self.place(target))
        elif (name := asked_names.asked_item(target, self.spaces)) is not None:
            self.unbind(name, self.place(target))
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self.delete(element)
        else:
            self.assign(target)

    def run_For(self, node: ast.For | ast.AsyncFor) -> None:
        """Follow a loop's body once: what it reads from before, it reads the first time."""
        self.read(node.iter)
        self.loops += 1
        with self.apart():
            self.assign(node.target)
            self.run(node.body)
        self.loops -= 1
        self.run_apart(node.orelse)

    run_AsyncFor = run_For

    def run_While(self, node: ast.While) -> None:
        self.read(node.test)
        self.loops += 1
        self.run_apart(node.body)
        self.loops -= 1
        self.run_apart(node.orelse)

    def run_If(self, node: ast.If) -> None:
        """Follow both branches: a name is bound after them if each binds it that does not leave."""
        self.read(node.test)
        if always_true(node.test):
            self.run(node.body)
            return
        ends = []
        for body in (node.body, node.orelse):
            after = self.run_apart(body)
            if not leaves(body):
                ends.append(after)
        if ends:
            self.effects.bound = set.intersection(*ends)

    def run_With(self, node: ast.With | ast.AsyncWith) -> None:
        """Follow a `with`, whose body is taken to run to its end: `suppress` is not considered."""
        for item in node.items:
            self.read(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars)
        self.run(node.body)

    run_AsyncWith = run_With

    def run_Try(self, node: ast.Try) -> None:
        """Follow a `try`: bound is what its body binds and each handler that does not leave.

        A handler starts from what was bound before, since any line of the body may have failed.
        """
        catches = any(catches_name_error(handler) for handler in node.handlers)
        self.name_error_caught += catches
        ends = [self.run_apart([*node.body, *node.orelse])]
        self.name_error_caught -= catches
        for handler in node.handlers:
            if handler.type is not None:
                self.read(handler.type)
            after = self.run_apart(handler.body)
            if handler.name:
                self.effects.may_bind.add(handler.name)
                after.discard(handler.name)  # Python unbinds it at the handler's end
            if not leaves(handler.body):
                ends.append(after)
        self.effects.bound = set.intersection(*ends)
        self.run(node.finalbody)

    run_TryStar = run_Try

    def run_Match(self, node: ast.Match) -> None:
        """Follow each case apart: perhaps none of them matches."""
        self.read(node.subject)
        for case in node.cases:
            with self.apart():
                for pattern in ast.walk(case.pattern):
                    name = getattr(pattern, "name", None) or getattr(pattern, "rest", None)
                    if isinstance(name, str):
                        self.bind(name)
                    elif isinstance(pattern, ast.expr):
                        self.read(pattern)
                if case.guard is not None:
                    self.read(case.guard)
                self.run(case.body)

    def run_Import(self, node: ast.Import) -> None:
        """Bind modules: `import a.b` binds `a`, and `np.sort(x)` is no change of numpy."""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.bind(name)
            self.effects.modules.add(name)

    def run_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Bind what is imported; which names a `*` binds cannot be seen."""
        if node.module == "__future__":
            self.future_annotations |= any(alias.name == "annotations" for alias in node.names)
        for alias in node.names:
            if alias.name == "*":
                self.effects.stars.append(node.module or ".")
            else:
                self.bind(alias.asname or alias.name)

    # -- definitions

    def run_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Follow what the definition itself evaluates; its body runs where it is called."""
        with self.scope_of(node):
            for expression in evaluated_at_definition(node, not self.future_annotations):
                self.read(expression)
        self.decorate(node)
        self.define(node.name, self.function_of(node), self.place(node))

    run_AsyncFunctionDef = run_FunctionDef

    def run_ClassDef(self, node: ast.ClassDef) -> None:
        """Follow a class: its body runs now, its methods when the class is used.

        One function stands for all of them: whoever reads the class may call any method.
        """
        inner = Flow(self.cell, self.known, self.future_annotations)
        inner.spaces = asked_names.IN_FUNCTIONS  # `locals()` are the class's own
        with self.scope_of(node):
            for part in (*node.decorator_list, *node.bases, *node.keywords):
                self.read(part)
            inner.effects.bound = set(self.effects.bound)
            inner.run(node.body)
        self.decorate(node)
        for name, where in inner.effects.reads.items():
            self.read_name(name, where)
        for name, where in inner.effects.deferred.items():
            if name != node.name:  # which is bound when a method runs
                self.effects.deferred.setdefault(name, where)
        function = Function(reads=set(inner.effects.deferred))
        for method in inner.effects.functions.values():
            function.add(method)
        self.effects.changes |= inner.effects.changes - inner.effects.may_bind
        self.effects.troubles += inner.effects.troubles
        self.define(node.name, function, self.place(node))

    def run_TypeAlias(self, node: Any) -> None:
        """Follow `type Pair = tuple[A, B]`, whose right side is read when it is asked for."""
        function = Function()
        use(node.value, frozenset(type_parameters(node)), function)
        self.define(node.name.id, function, self.place(node))

    @contextmanager
    def scope_of(self, node: ast.AST) -> Iterator[None]:
        """Know a definition's type parameters meanwhile: they are no names of the notebook."""
        own = type_parameters(node) - self.effects.bound
        self.effects.bound |= own
        yield
        self.effects.bound -= own

    def function_of(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Function:
        """Return what a body does when it is called; what cannot be seen in it is a trouble now."""
        function = Function()
        body_effects(node, frozenset(), function)
        for line, name in function.unseen:
            self.effects.troubles.append(unseen(Place(self.cell, line), name))
        return function

    def decorate(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """`@app.route(…)` registers what it decorates with `app`."""
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Attribute) and (root := root_of(called)):
                self.effects.changes.add(root)

    # -- assignments

    def place(self, node: ast.AST) -> Place:
        return Place(self.cell, getattr(node, "lineno", 1))

    def assign(self, target: ast.expr, value: ast.expr | None = None) -> None:
        """Bind a target's names; `a.b = 1` and `a[0] = 1` bind none and change `a`."""
        if isinstance(target, ast.Name):
            self.bind_value(target.id, value)
        elif (name := asked_names.asked_item(target, self.spaces)) is not None:
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
                self.effects.changes.add(root)

    def bind_value(self, name: str, value: ast.expr | None) -> None:
        """Bind a name, and note what using it may do.

        The name of a lambda is a function, so is another name of a function (`g = f`), and
        whoever uses a text such as `"a > @limit"` may read the name in it.
        """
        self.bind(name)
        if isinstance(value, ast.Lambda):
            self.known[name] = self.effects.functions[name] = self.function_of(value)
        elif isinstance(value, ast.Name) and value.id in self.known:
            self.known[name] = self.known[value.id]
        elif isinstance(value, ast.Constant | ast.JoinedStr) and (names := names_in_text(value)):
            self.known[name] = Function(may_read=set(names))

    # -- expressions

    def read_children(self, node: ast.AST) -> None:
        for child in children_of(node):
            _METHODS[type(child)](self, child)

    def read(self, node: ast.AST) -> None:
        """Follow a statement, an expression, or whatever stands in one."""
        _METHODS[type(node)](self, node)

    def read_Name(self, node: ast.Name) -> None:
        """Read a name; that of a function that is bound here still has the function's effects."""
        if node.id not in self.effects.bound or node.id in self.known:
            self.read_name(node.id, self.place(node))

    def read_Subscript(self, node: ast.Subscript) -> None:
        """Follow `rows[0]`; `globals()["rows"]` is another way to write the name.

        So is `Out[3]` for `_3`, where a cell of these statements showed that.
        """
        plain = isinstance(node.value, ast.Name)  # as most are
        output = asked_names.output(node) if plain else ""
        if output in self.effects.shown:
            self.read_name(output, self.place(node))
        elif not plain and (name := asked_names.asked_item(node, self.spaces)):
            self.read_name(name, self.place(node))
        else:
            self.read_children(node)

    def read_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Follow `name := value`, which `and`, `or` and `if` may leave out: it may bind."""
        self.read(node.value)
        self.effects.may_bind.add(node.target.id)
        self.known.pop(node.target.id, None)

    def read_Compare(self, node: ast.Compare) -> None:
        """Follow a comparison; `"rows" in globals()` asks whether there is such a name."""
        if not (isinstance(node.left, ast.Constant) and self.read_asked(node)):
            self.read_children(node)

    read_BinOp = read_Compare  # such as `"%(rows)s" % globals()`

    def read_asked(self, node: ast.expr) -> bool:
        """Follow what asks the namespace for names as texts; False: the node does not."""
        if (found := asked_names.asked(node, self.spaces)) is None:
            return False
        self.ask(found, self.place(node))
        for other in found.others:
            self.read(other)
        return True

    def read_Attribute(self, node: ast.Attribute) -> None:
        """Follow `a.b`; some attributes of IPython's shell are ways to every name."""
        if node.attr in SHELL_NAMES and (name := of_shell(node)):
            self.effects.troubles.append(unseen(self.place(node), name))
        self.read(node.value)

    def read_Lambda(self, node: ast.Lambda) -> None:
        """Follow a lambda as if it were called: it mostly is where it stands."""
        for default in evaluated_at_definition(node):
            self.read(default)
        self.call(self.function_of(node), self.place(node), set())

    def read_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        """Follow a comprehension: its targets are bound inside it, and nowhere else."""
        bound, changes = self.effects.bound, self.effects.changes
        own: set[str] = set()
        for generator in node.generators:
            self.read(generator.iter)
            own |= names_in(generator.target) - bound
            bound |= own
            for condition in generator.ifs:
                self.read(condition)
        own_changes = own - changes
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.read(part)
        bound -= own
        changes -= own_changes

    read_SetComp = read_GeneratorExp = read_DictComp = read_ListComp

    def read_Call(self, node: ast.Call) -> None:
        """Follow a call, with the names that it reads from a text and those that it changes."""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = method or asked_names.called_name(node)
        if method in MAGIC_METHODS and (found := magic_call(node)):
            self.read_magic(node, found)
            if found.method == "system":
                self.effects.shown.add("_exit_code")
            return
        if called in asked_names.ASKING and (self.read_asked(node) or self.read_text(node)):
            return
        self.read_children(node)
        self.effects.changes.update(changed_by(node))
        if method in READING_METHODS:
            for name in names_in_query(node):
                self.read_name(name, self.place(node))
            seen = Function(may_read=set(names_in_eval(node)), unpickles=unpickles_in(node))
            self.may_read(seen, self.place(node))
        space = called in asked_names.AT_TOP and asked_names.is_space(node, self.spaces)
        if (
            (space or called in ("exec", "eval"))
            and not method
            and called not in self.effects.bound
        ):
            self.effects.troubles.append(unseen(self.place(node), called))

    def read_text(self, node: ast.Call) -> bool:
        """Follow the constant text of an `exec` or `eval` as if it stood in the cell."""
        match node:
            case ast.Call(ast.Name("exec" | "eval" as name), [ast.Constant(str(text)), *spaces]):
                given = [*spaces, *(keyword.value for keyword in node.keywords)]
                known = all(asked_names.is_space(each, self.spaces) for each in given)
                if known and name not in self.effects.bound:
                    with suppress(SyntaxError):
                        self.run(ast.parse(text).body)
                        return True
        return False

    def read_magic(self, node: ast.Call, magic: Magic) -> None:
        """Follow a magic or shell line.

        What looks like a name in it may be none: `$HOME` is the shell's, and `{print}` awk's.
        """
        for read in expansions(magic.line):
            if read not in KNOWN_NAMES:
                self.read_perhaps(read, self.place(node))
        body = python_in(magic, node.lineno)
        (self.run_apart if magic.name == "timeit" else self.run)(body)
