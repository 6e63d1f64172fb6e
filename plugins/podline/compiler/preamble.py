"""The statements that are run again in every stage that needs them, taken from their cells.

Imports and definitions are needed where one of their names is read. Anything else in an imports
or functions cell runs for its effect: in every stage, or, where it sets up a library, in the
stages that use the library.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from podline.compiler.cell_parser import Statements, magic_call
from podline.compiler.dataflow import Flow
from podline.compiler.function_effects import Function
from podline.compiler.namespace import Effects
from podline.contract import Carried
from podline.text import lines_of

# Setting these up changes nothing for a stage that does not use them.
_SET_UP_ONLY = frozenset({
    "IPython", "altair", "bokeh", "keras", "lightgbm", "matplotlib", "pandas", "plotly",
    "seaborn", "sklearn", "tensorflow", "torch", "xgboost",
})  # fmt: skip
# … unless it seeds, which the generators of other libraries may follow.
SEEDS = frozenset({"seed", "set_random_seed", "set_seed", "manual_seed"})
# What %matplotlib sets up.
_PLOTTING = ("matplotlib", "matplotlib.", "mpl", "plt", "seaborn", "sns")
_IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class CarriedStatement:
    """A carried statement with what the analysis says of it."""

    carried: Carried
    effects: Effects
    star: bool


def carry_cell(
    number: int,
    statements: Statements,
    functions: dict[str, Function],
    modules: dict[str, str],
    future_annotations: bool = False,
) -> list[CarriedStatement]:
    """Take a cell of imports, functions or parameters apart.

    Args:
        number: the cell's number.
        statements: the parsed cell.
        functions: the functions known by name; those of the cell are added.
        modules: the root module that a name was imported from; those of the cell are added.
        future_annotations: whether a cell above has the import of that name.
    """
    if statements.whole:
        groups = [(1, statements.text, statements.body)]
    else:
        groups = list(_groups(statements))
    result = []
    for line, source, body in groups:
        flow = Flow(number, functions, future_annotations)
        flow.run(body)
        functions.clear()
        functions.update(flow.known)
        note_modules(body, modules)
        carried = _carried(number, line, source, body, flow.effects, modules)
        result.append(CarriedStatement(carried, flow.effects, bool(flow.effects.stars)))
    return result


def carry_imports(number: int, statements: Statements) -> list[CarriedStatement]:
    """Take the top-level imports out of a stage's cell: a module cannot be stored."""
    if statements.whole or not any(isinstance(s, _IMPORTS) for s in statements.body):
        return []
    result = []
    for line, source, body in _groups(statements):
        if all(isinstance(statement, _IMPORTS) for statement in body):
            flow = Flow(number, {})
            flow.run(body)
            carried = _carried(number, line, source, body, flow.effects, {})
            result.append(CarriedStatement(carried, flow.effects, bool(flow.effects.stars)))
    return result


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


def _groups(statements: Statements) -> Iterator[tuple[int, str, list[ast.stmt]]]:
    """Yield (first line, text, statements); statements that share a line stay together."""
    lines = lines_of(statements.text)
    group: list[ast.stmt] = []
    first = last = 0
    for statement in statements.body:
        start = _first_line(statement)
        if group and start > last:
            yield first, "\n".join(lines[first - 1 : last]), group
            group = []
        if not group:
            first = start
        group.append(statement)
        last = max(last, statement.end_lineno or start)
    if group:
        yield first, "\n".join(lines[first - 1 : last]), group


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _carried(
    number: int,
    line: int,
    source: str,
    body: list[ast.stmt],
    effects: Effects,
    modules: dict[str, str],
) -> Carried:
    binds = effects.may_bind | (effects.changes - set(modules))
    reads = {*effects.reads, *effects.deferred} - effects.bound
    triggers = set(binds)
    if _is_future(body):
        triggers = set()  # it holds for all cells below
    elif not binds and not effects.stars and all(_sets_up(part, modules) for part in body):
        used = reads & set(modules)
        libraries = {modules[name] for name in used}
        triggers = used | {f"{library}." for library in libraries}
        if not used or "seaborn" in libraries:  # whose themes are matplotlib's settings
            triggers |= set(_PLOTTING)
    triggers |= {f"{library}." for part in body for library in _registers_with(part, modules)}
    computed = any(
        isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and any(isinstance(node, ast.Call) for node in ast.walk(statement))
        for statement in body
    )
    return Carried(
        number,
        line,
        source,
        tuple(sorted(binds)),
        tuple(sorted(reads)),
        tuple(sorted(triggers)),
        computed,
    )


def _registers_with(statement: ast.stmt, modules: dict[str, str]) -> set[str]:
    """The libraries that a definition is made known to: `@pd.api.extensions.register_…`."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return {
        modules[name.id]
        for decorator in decorators
        if "register" in ast.unparse(decorator)
        for name in ast.walk(decorator)
        if isinstance(name, ast.Name) and name.id in modules
    }


def _is_future(body: list[ast.stmt]) -> bool:
    """Whether it is `from __future__ import …`, which holds for all cells below."""
    return any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in body)


def _sets_up(statement: ast.stmt, modules: dict[str, str]) -> bool:
    """Whether a statement only sets up a library, such as `sns.set_theme()`."""
    names: set[str] = set()
    for node in ast.walk(statement):
        if found := magic_call(node):
            return found[0] == "run_line_magic" and found[1] in ("matplotlib", "config")
        if isinstance(node, ast.Attribute) and node.attr in SEEDS:
            return False
        if isinstance(node, ast.Name):
            names.add(node.id)
    roots = {modules.get(name, "") for name in names}
    return bool(roots) and roots <= _SET_UP_ONLY
