"""Small questions about nodes of Python's syntax tree."""

import ast
import re
from collections.abc import Callable, Iterator

# Methods and functions that change what they are called on, or their first argument.
CHANGING_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft",
    "fill", "fit", "fit_transform", "insert", "intersection_update", "partial_fit", "pop",
    "popitem",
    "popleft", "put", "remove", "resize", "reverse", "rotate", "setdefault", "setflags", "sort",
    "symmetric_difference_update", "update", "compile", "load_weights", "set_weights",
    "train_on_batch",
    "subtract", "send", "set_params",
})  # fmt: skip
# Methods that may read names which stand in a text or a file.
READING_METHODS = frozenset({"query", "eval", "load", "loads", "Unpickler", "read_pickle"})
CHANGING_FUNCTIONS = frozenset({
    "setattr", "delattr", "next", "shuffle", "heappush", "heappop", "heapify", "heapreplace",
    "heappushpop", "insort", "insort_left", "insort_right", "copyto", "put", "place", "putmask",
    "fill_diagonal",
})  # fmt: skip


def attribute_path(node: ast.expr) -> list[str]:
    """Return `["pd", "options", "display"]` for `pd.options.display[…]`, [] for what is none."""
    path: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
        node = node.value
    return [node.id, *path] if isinstance(node, ast.Name) else []


def root_of(node: ast.expr) -> str | None:
    """Return `x` for `x.a[0].b`, `x.loc[…]`, `x.f().g`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func
        else:
            return None
    return node.id


def note_call(node: ast.Call, change: Callable[[str], object]) -> None:
    """Tell `change` of the names whose object a call is known to change."""
    in_place = bool(node.keywords) and any(
        keyword.arg in ("inplace", "out", "overwrite_input") for keyword in node.keywords
    )
    if isinstance(node.func, ast.Attribute):
        method, root = node.func.attr, root_of(node.func.value)
        if root and (method in CHANGING_METHODS or in_place):
            change(root)
    else:
        method = node.func.id if isinstance(node.func, ast.Name) else ""
    if method in CHANGING_FUNCTIONS and node.args and (root := root_of(node.args[0])):
        change(root)
    for keyword in node.keywords:
        if keyword.arg == "out" and (root := root_of(keyword.value)):
            change(root)


def names_in_query(node: ast.Call) -> list[str]:
    """Return the names that pandas reads from `query("a > @limit")` and `eval`."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("query", "eval"):
        return []
    return [name for argument in node.args for name in names_in_text(argument)]


def names_in_text(node: ast.AST) -> list[str]:
    """Return the names that stand as `@name` in the texts of an expression."""
    inside = [node] if isinstance(node, ast.Constant) else ast.walk(node)
    texts = [inner.value for inner in inside if isinstance(inner, ast.Constant)]
    found = [re.findall(r"(?<![\w@])@([^\W\d]\w*)", t) for t in texts if isinstance(t, str)]
    return [name for names in found for name in names]


def names_in_eval(node: ast.Call) -> list[str]:
    """Return the names that `pd.eval("a + b")` reads."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="pd" | "pandas"), attr="eval"),
            args=[ast.Constant(value=str(text)), *_],
        ):
            return re.findall(r"(?<![\w.])[^\W\d]\w*", text)
    return []


def unpickles_in(node: ast.Call) -> bool:
    """Whether a call may load instances of the notebook's own classes from a file or text."""
    match node.func:
        case ast.Attribute(value=ast.Name(id=module), attr="load" | "loads" | "Unpickler"):
            return module in ("pickle", "joblib", "dill", "cloudpickle", "skops", "sio", "torch")
        case ast.Attribute(attr="read_pickle"):
            return True
    return False


def constant_global(node: ast.AST) -> str | None:
    """Return `x` for `globals()["x"]`, which is another way to write the name."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Call):
        return None
    match node:
        case ast.Subscript(
            value=ast.Call(func=ast.Name(id="globals"), args=[]),
            slice=ast.Constant(value=str(name)),
        ):
            return name
    return None


def target_names(target: ast.expr) -> set[str]:
    """Return the names in what a `for` assigns to."""
    if isinstance(target, ast.Name):
        return {target.id}
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


# Fields that hold no nodes with names in them.
_PLAIN_FIELDS = frozenset({"ctx", "op", "ops", "attr", "id", "kind", "type_comment", "conversion"})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.keyword: ("value",), ast.Constant: ()}


def children_of(node: ast.AST) -> Iterator[ast.AST]:
    """Return the nodes below that may hold names; faster than `ast.iter_child_nodes`."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(f for f in node._fields if f not in _PLAIN_FIELDS)
    for name in fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            yield value
        elif value and type(value) is list:
            for child in value:
                if isinstance(child, ast.AST):
                    yield child


def always_true(test: ast.expr) -> bool:
    """Whether a condition holds in a notebook, whatever its variables are."""
    match test:
        case ast.Constant():
            return bool(test.value)
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]
        ):
            return True
    return False


def leaves(body: list[ast.stmt]) -> bool:
    """Whether the body ends the cell or the loop: what follows does not run after it."""
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Break | ast.Continue)


def catches_name_error(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches the error of an unbound name."""
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"NameError", "Exception", "BaseException"})
