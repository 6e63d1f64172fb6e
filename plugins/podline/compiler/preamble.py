"""The preamble of stages: statements that are run again in every stage that needs them.

Modules, functions and classes cannot be stored as data can: a module is state of its process, and
`isinstance` holds only where a class is the same. So the imports and functions cells (and the
imports of steps) are taken apart into statements, and each stage runs those that it needs, in the
notebook's order, before it loads its data::

    import pandas as pd               # runs where `pd` is needed
    pd.set_option("max_rows", 20)     # binds nothing: where pandas is needed
    warnings.simplefilter("ignore")   # any library may mind: in every stage

Where a statement is needed is told by its *triggers*: it runs in a stage that reads one of these
names, or loads an object of the library that they name (`pandas.`); without triggers in every one.
Whole cells instead of statements would be correct too, and slow: each stage would import all that
any stage uses.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from podline.compiler import own_magics
from podline.compiler.ast_queries import attribute_path, names_in
from podline.compiler.cell_parser import Statements, magic_call
from podline.compiler.dataflow import Flow
from podline.compiler.function_effects import Function
from podline.compiler.namespace import Effects
from podline.contract import Carried
from podline.text import lines_of

_LIBRARIES = """
    altair bokeh keras lightgbm matplotlib pandas plotly seaborn sklearn tensorflow torch
    xgboost
"""
# Setting these up changes nothing for a stage that does not use them.
_SET_UP_ONLY = frozenset(_LIBRARIES.split())
# … unless it seeds, which the generators of other libraries may follow.
SEEDS = frozenset({"seed", "set_random_seed", "set_seed", "manual_seed"})
# What %matplotlib sets up.
_PLOTTING = ("matplotlib", "matplotlib.", "mpl", "plt", "seaborn", "sns")
_IMPORTS = (ast.Import, ast.ImportFrom)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)


@dataclass(frozen=True)
class CarriedStatement:
    """A carried statement with what the analysis says of it."""

    carried: Carried
    effects: Effects

    @property
    def star(self) -> bool:
        """Whether it imports all names of a module, whichever these are."""
        return bool(self.effects.stars)


class _Group(NamedTuple):
    """Statements that stay together, from which line on, and their text."""

    line: int
    source: str
    body: list[ast.stmt]


def carry_cell(
    number: int,
    statements: Statements,
    functions: dict[str, Function],
    modules: dict[str, str],
) -> list[CarriedStatement]:
    """Take a cell of imports, functions or parameters apart.

    Args:
        number: the cell's number.
        statements: the parsed cell.
        functions: the functions known by name; those of the cell are added.
        modules: the root module that a name was imported from; those of the cell are added.
    """
    return _carry(number, _groups(statements), functions, modules)


def carry_imports(number: int, statements: Statements) -> list[CarriedStatement]:
    """Take the top-level imports out of a stage's cell: a module cannot be stored."""
    if statements.whole or not any(isinstance(s, _IMPORTS) for s in statements.body):
        return []
    groups = (g for g in _groups(statements) if all(isinstance(s, _IMPORTS) for s in g.body))
    return _carry(number, groups, {}, {})


def _carry(
    number: int,
    groups: Iterable[_Group],
    functions: dict[str, Function],
    modules: dict[str, str],
) -> list[CarriedStatement]:
    result = []
    for group in groups:
        flow = Flow(number, functions, has_future_annotations(modules))
        flow.run(group.body)
        functions.clear()
        functions.update(flow.known)
        note_modules(group.body, modules)
        result.append(_carried(number, group, flow.effects, modules))
    return result


def has_future_annotations(modules: dict[str, str]) -> bool:
    """Whether a cell had `from __future__ import annotations`, which holds for all below it."""
    return modules.get("annotations") == "__future__"


def note_modules(body: list[ast.stmt], modules: dict[str, str]) -> None:
    """Add to `modules` the names that top-level imports bind, with their root module."""
    for statement in body:
        match statement:
            case ast.Import():
                for alias in statement.names:
                    root = alias.name.partition(".")[0]
                    modules[alias.asname or root] = root
            case ast.ImportFrom(module=str(module)):
                for alias in statement.names:
                    modules[alias.asname or alias.name] = module.partition(".")[0]


def _groups(statements: Statements) -> Iterator[_Group]:
    """Yield the statements one by one; those that share a line, or a cell magic, stay together."""
    if statements.whole:
        yield _Group(1, statements.text, statements.body)
        return
    groups: list[list[ast.stmt]] = []
    last = 0
    for statement in statements.body:
        if _first_line(statement) > last:
            groups.append([])
        groups[-1].append(statement)
        last = max(last, statement.end_lineno or statement.lineno)
    lines = lines_of(statements.text)
    for body in groups:
        first, last = _first_line(body[0]), max(s.end_lineno or s.lineno for s in body)
        yield _Group(first, "\n".join(lines[first - 1 : last]), body)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _carried(
    number: int, group: _Group, effects: Effects, modules: dict[str, str]
) -> CarriedStatement:
    binds = effects.may_bind | (effects.changes - set(modules))
    reads = effects.all_reads - effects.bound
    if binds or effects.stars or not all(_sets_up(part, modules) for part in group.body):
        triggers = set() if _is_future(group.body) else set(binds)
    else:
        triggers = _set_up_by(reads, modules)
    known = {*modules, *effects.modules}
    if (binds or effects.stars) and (calls := list(_module_calls(group.body, known))):
        # `import warnings; warnings.simplefilter(…)`: who reads no `warnings` may mind as well.
        only_sets_up = all(_sets_up(call, modules) for call in calls)
        used = {name for call in calls for name in names_in(call)}
        triggers = triggers | _set_up_by(used, modules) if only_sets_up else set()
    triggers |= {f"{library}." for part in group.body for library in _registers_with(part, modules)}
    if triggers and "magic" in group.source:
        triggers |= {own_magics.trigger_of(m.name) for m in own_magics.registered(group.body)}
    computed = any(
        isinstance(statement, _ASSIGNMENTS)
        and any(isinstance(node, ast.Call) for node in ast.walk(statement))
        for statement in group.body
    )
    carried = Carried(
        number,
        group.line,
        group.source,
        binds=tuple(sorted(binds)),
        reads=tuple(sorted(reads)),
        triggers=tuple(sorted(triggers)),
        value=computed,
    )
    return CarriedStatement(carried, effects)


def _module_calls(body: Iterable[ast.AST], modules: set[str]) -> Iterator[ast.Expr]:
    """The calls of modules' functions for their effect, wherever they stand: in a `try` too."""
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            root, *_ = attribute_path(statement.value.func) or [""]
            if root in modules or magic_call(statement.value):
                yield statement
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = ast.iter_child_nodes(statement)
            yield from _module_calls(
                (n for n in inner if isinstance(n, ast.stmt | ast.ExceptHandler)), modules
            )


def _set_up_by(reads: set[str], modules: dict[str, str]) -> set[str]:
    """The triggers of a statement that only sets up the libraries whose names it reads.

    A `%matplotlib` reads no name, and seaborn's themes are matplotlib's settings.
    """
    used = reads & set(modules)
    libraries = {modules[name] for name in used}
    triggers = used | {f"{library}." for library in libraries}
    if not used or "seaborn" in libraries:
        triggers |= set(_PLOTTING)
    return triggers


def _registers_with(statement: ast.stmt, modules: dict[str, str]) -> set[str]:
    """The libraries that a definition is made known to: `@pd.api.extensions.register_…`.

    A stage uses `frame.geo` without ever naming the class `Geo` that made it.
    """
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return {
        modules[name]
        for decorator in decorators
        if "register" in ast.unparse(decorator)
        for name in names_in(decorator) & modules.keys()
    }


def _is_future(body: list[ast.stmt]) -> bool:
    """Whether it is `from __future__ import …`, which holds for all cells below."""
    return any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in body)


def _sets_up(statement: ast.AST, modules: dict[str, str]) -> bool:
    """Whether a statement only sets up a library, such as `sns.set_theme()`.

    A statement that names anything else, such as `warnings.simplefilter(…)`, may set up more.
    """
    for node in ast.walk(statement):
        if found := magic_call(node):
            figures = found.name == "config" and found.line.startswith("InlineBackend")
            return found.method == "run_line_magic" and (found.name == "matplotlib" or figures)
        if isinstance(node, ast.Attribute) and node.attr in SEEDS:
            return False
    roots = {modules.get(name, "") for name in names_in(statement)}
    return bool(roots) and roots <= _SET_UP_ONLY
