"""A notebook's parameters: literal assignments of its parameters cells, with comments as help."""

import ast
from dataclasses import dataclass
from typing import Any

from podline.notebooks.source import Statements


@dataclass(frozen=True)
class Parameter:
    """A parameter: its default decides its type, its comment describes it."""

    name: str
    default: Any
    description: str
    line: int

    @property
    def type(self) -> str:
        """The type's name in JSON Schema; `null` where the default is None."""
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
        return kinds.get(type(self.default), "null" if self.default is None else "object")


def read_parameters(statements: Statements) -> list[Parameter]:
    """Return the literal assignments of a parameters cell, in order."""
    lines = statements.text.splitlines()
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
        if isinstance(default, bool | int | float | str | list | dict | None):
            comment = _comment(lines, statement)
            found.append(Parameter(name, default, comment, statement.lineno))
    return found


def _comment(lines: list[str], statement: ast.stmt) -> str:
    """Return the comment after the statement or, failing that, those right above it."""
    end = statement.end_lineno or statement.lineno
    after = lines[end - 1].encode()[statement.end_col_offset or 0 :].decode().strip()
    if after.startswith("#"):
        return after.lstrip("# ").strip()
    above: list[str] = []
    for line in reversed(lines[: statement.lineno - 1]):
        if not line.startswith("#"):
            break
        above.insert(0, line.lstrip("# ").strip())
    return " ".join(above)
