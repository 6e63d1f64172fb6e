"""What is said of code whose effect on names cannot be seen, or that no top level may have.

Such code is an error even where it would run: `exec(text)` may bind a name that a later stage
reads, and nobody would carry the value there.
"""

import ast

from podline.compiler.asked_names import AT_TOP
from podline.compiler.namespace import Place, Trouble

# What of IPython's shell reads or binds any name.
SHELL_NAMES = frozenset({"user_ns", "user_global_ns", "user_module", "history_manager"})
SHELL_NAMES |= {"ev", "ex", "run_cell", "run_cell_async", "safe_execfile"}
SHELL_NAMES |= {"push", "drop_by_id", "del_var", "reset"}


def unseen(place: Place, name: str) -> Trouble:
    """Say that a call of `exec`, `globals` or their like hides names."""
    if name in ("exec", "eval"):
        return Trouble(
            place,
            f"{name}() runs text that is only known at run time: its names cannot be seen",
            "write it as ordinary code, or give it a constant text",
        )
    called = f"{name}()" if name in AT_TOP else name
    return Trouble(
        place,
        f"{called} sees every name of the notebook, and a stage has only those that it reads",
        "write the names out, or keep the values in a dict of your own; to ask for one name "
        "as a text is fine: 'rows' in globals()",
    )


def of_shell(node: ast.Attribute) -> str:
    """Return `get_ipython().push` for one of `SHELL_NAMES`; nothing for another's of that name."""
    match node.value:
        case ast.Call(ast.Name("get_ipython")):
            return f"get_ipython().{node.attr}"
    return node.attr if node.attr == "user_ns" else ""


def misplaced(place: Place, node: ast.AST, where: str) -> Trouble:
    """Say that a statement stands where Python refuses it, though its parser does not mind.

    Args:
        place: where it stands.
        node: the statement, such as a `return`.
        where: outside of what it stands.
    """
    word = type(node).__name__.lower().removesuffix("from")
    message = f"syntax error: {word!r} outside a {where}"
    return Trouble(place, message, "correct the line; the cell must run in Jupyter")
