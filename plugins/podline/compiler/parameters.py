"""A notebook's parameters: literal assignments of its parameters cells, with comments as help.

Of these two lines::

    rows = 1000  # how many rows to read
    half = rows // 2

`rows` is an integer parameter, and `half` is none, since it is computed. A run's values take the
place of the defaults in the cell's text. Assigned below the cell, as papermill does it, they would
come too late for `half`.
"""

import ast
import json
import math
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from podline.compiler.bounds import Bounds
from podline.compiler.cell_parser import Statements, parse_cell
from podline.compiler.notebook import Cell
from podline.text import lines_of

# A run's values by the parameter's name: whatever JSON can hold.
Values = dict[str, Any]

# A run's own parameters beside the notebook's: where its stages run,
BACKEND_PARAM = "backend"
# and how many are begun ahead; a notebook's own parameter of that name goes before it.
AHEAD_PARAM = "ahead"


@dataclass(frozen=True)
class Parameter:
    """A parameter: its default decides its type, its comment describes it and may bound it."""

    name: str
    default: Any
    description: str
    line: int
    bounds: Bounds | None = None

    @property
    def type(self) -> str:
        """The type's name in JSON Schema; `null` where the default is None."""
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
        return kinds.get(type(self.default), "null" if self.default is None else "object")


def read_parameters(statements: Statements) -> list[Parameter]:
    """Return the literal assignments of a parameters cell, in order."""
    return [parameter for parameter, _ in _literals(statements)]


def substitute(source: str, values: Values) -> str:
    """Return a parameters cell's source with `values` in place of the defaults.

    A cell with a magic among its lines stays as it is: what was parsed is another text.
    """
    statements, problems = parse_cell(Cell(0, "code", source))
    if problems or statements.text != source:
        return source
    lines = lines_of(source)
    # From the end on, so that what comes before stays where it is.
    for parameter, node in reversed(_literals(statements)):
        if parameter.name in values:
            # Python counts columns in bytes.
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            head = lines[first].encode()[: node.col_offset].decode()
            tail = lines[last].encode()[node.end_col_offset or 0 :].decode()
            lines[first : last + 1] = [f"{head}{_literal(values[parameter.name])}{tail}"]
    return "\n".join(lines)


def _literals(statements: Statements) -> list[tuple[Parameter, ast.expr]]:
    """The parameters, each with the node of its default.

    Only a plain value of JSON can be one, since a form and a command line must be able to give
    another: no tuple, no set, no bytes.
    """
    lines = lines_of(statements.text)
    found = []
    for statement in statements.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            default = ast.literal_eval(value)
        except ValueError:
            continue  # computed from others: carried like any assignment
        if _is_json(default):
            comment = _comment(lines, statement)
            found.append((Parameter(name, default, comment, statement.lineno), value))
    return found


def _is_json(value: Any) -> bool:
    """Whether JSON gives the same value back, also through a browser's form.

    It makes lists of tuples and texts of all keys, and a browser rounds from 2**53 on.
    """
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | str | None) or (isinstance(value, int) and abs(value) < 2**53)


def _literal(value: Any) -> str:
    """Return Python's text for a plain value; `inf` and `nan` have no literal."""
    try:
        ast.literal_eval(repr(value))
    except ValueError:
        return f"__import__('json').loads({json.dumps(value)!r})"
    return repr(value)


def _comment(lines: list[str], statement: ast.stmt) -> str:
    """Return the comment after the statement or, failing that, those right above it."""
    end = statement.end_lineno or statement.lineno
    after = lines[end - 1].encode()[statement.end_col_offset or 0 :].decode().strip()
    if after.startswith("#"):
        return after.lstrip("# ").strip()
    above = takewhile(lambda line: line.startswith("#"), reversed(lines[: statement.lineno - 1]))
    return " ".join(line.lstrip("# ").strip() for line in reversed([*above]))
