"""Questions about single nodes of Python's syntax tree, and what calls are known to do.

The analysis never runs the code, so what a call does to an object is known by the method's name
alone. That is enough for the common cases: without `append` among the names below, a stage that
reads `rows` would not wait for the one above it that only says::

    rows.append(1)      # changes `rows`, and binds nothing

A change that nobody sees here is found when the stage runs, by the object's hash: it is stored,
or refused where a stage reads the object that does not wait for this one.
"""

import ast
import re
from collections.abc import Iterable, Iterator

_METHODS = """
    add append appendleft clear compile difference_update discard extend extendleft fill fit
    fit_transform insert intersection_update load_weights partial_fit pop popitem popleft put
    remove resize reverse rotate send set_params set_weights setdefault setflags sort subtract
    symmetric_difference_update train_on_batch update
"""
_FUNCTIONS = """
    copyto delattr fill_diagonal heapify heappop heappush heappushpop heapreplace insort
    insort_left insort_right next place put putmask setattr shuffle
"""
# They change what they are called on: lists, sets, dicts, deques, arrays, models.
CHANGING_METHODS = frozenset(_METHODS.split())
# They change their first argument, also as methods: `random.shuffle(rows)`.
CHANGING_FUNCTIONS = frozenset(_FUNCTIONS.split())
# Methods that may read names which stand in a text or a file.
READING_METHODS = frozenset({"query", "eval", "load", "loads", "Unpickler", "read_pickle"})
_INSIDE = (ast.Attribute, ast.Subscript)  # a part of another object
_AT_NAME = re.compile(r"(?<![\w@])@([^\W\d]\w*)")


def walk_all(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Yield every node of some statements."""
    for statement in body:
        yield from ast.walk(statement)


def attribute_path(node: ast.expr) -> list[str]:
    """Return `["pd", "options", "display"]` for `pd.options.display[…]`, [] for other nodes."""
    path: list[str] = []
    while isinstance(node, _INSIDE):
        if isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
        node = node.value
    return [node.id, *path] if isinstance(node, ast.Name) else []


def root_of(node: ast.expr) -> str | None:
    """Return `x` for `x.a[0].b`, `x.loc[…]`, `x.f().g`: the name whose object may be changed.

    The result of a method counts as a part of its object, as in `x.get("rows").append(1)`; that
    of a function is another object.
    """
    while not isinstance(node, ast.Name):
        if isinstance(node, (_INSIDE, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func
        else:
            return None
    return node.id


def changed_by(node: ast.Call) -> list[str]:
    """Return the names whose object a call is known to change.

    These are `x` in `x.append(1)`, `x.dropna(inplace=True)`, `heappush(x, 1)` and
    `np.add(a, b, out=x)`.
    """
    changed: list[ast.expr] = []
    in_place = False
    for keyword in node.keywords:
        in_place = in_place or keyword.arg in ("inplace", "out", "overwrite_input")
        if keyword.arg == "out":
            changed.append(keyword.value)
    if isinstance(node.func, ast.Attribute):
        method = node.func.attr
        if in_place or method in CHANGING_METHODS:
            changed.append(node.func.value)
    else:
        method = getattr(node.func, "id", "")
    if method in CHANGING_FUNCTIONS:
        changed += node.args[:1]
    return [root for each in changed if (root := root_of(each))] if changed else []


def names_in_query(node: ast.Call) -> list[str]:
    """Return the names that pandas reads from `query("a > @limit")` and `eval`.

    It looks them up in the caller's namespace, so a stage needs them though no code names them.
    """
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("query", "eval"):
        return []
    return [name for argument in node.args for name in names_in_text(argument)]


def names_in_text(node: ast.AST) -> list[str]:
    """Return the names that stand as `@name` in the texts of an expression.

    An address such as `me@example.com` has none: a name's `@` follows no letter.
    """
    texts = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)]
    found = [_AT_NAME.findall(text) for text in texts if isinstance(text, str) and "@" in text]
    return [name for names in found for name in names]


def names_in_eval(node: ast.Call) -> list[str]:
    """Return the names that `pd.eval("a + b")` reads; those of `frame.eval(…)` may be columns."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="pd" | "pandas"), attr="eval"),
            args=[ast.Constant(value=str(text)), *_],
        ):
            return re.findall(r"(?<![\w.])[^\W\d]\w*", text)
    return []


def unpickles_in(node: ast.Call) -> bool:
    """Whether a call may load instances of the notebook's own classes from a file or text.

    A pickle names its classes, and loading it fails in a stage that has no class of the name.
    """
    match node.func:
        case ast.Attribute(value=ast.Name(id=module), attr="load" | "loads" | "Unpickler"):
            return module in ("pickle", "joblib", "dill", "cloudpickle", "skops", "sio", "torch")
        case ast.Attribute(attr="read_pickle"):
            return True
    return False


def names_in(node: ast.AST) -> set[str]:
    """Return all names that stand in an expression or statement, whatever it does to them."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


# Fields that hold no nodes with names in them.
_PLAIN_FIELDS = frozenset({"ctx", "op", "ops", "attr", "id", "kind", "type_comment", "conversion"})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.keyword: ("value",)}


def children_of(node: ast.AST) -> list[ast.AST]:
    """Return the nodes below that may hold names; faster than `ast.iter_child_nodes`."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(f for f in node._fields if f not in _PLAIN_FIELDS)
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if not value or type(value) is ast.Constant:
            continue
        if type(value) is list:
            # It may hold the names of `global`, and None for `**more`.
            found += [n for n in value if type(n) is not ast.Constant and isinstance(n, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def always_true(test: ast.expr) -> bool:
    """Whether a condition holds in a notebook, whatever its variables are.

    Scripts that became notebooks have `if __name__ == "__main__":`, which is true in a kernel:
    without this rule all that they bind below it would be in doubt.
    """
    match test:
        case ast.Constant():
            return bool(test.value)
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]
        ):
            return True
    return False


def leaves(body: list[ast.stmt]) -> bool:
    """Whether a body ends the cell or the loop: nothing below it runs after it.

    So in `if missing: raise …` / `else: rows = 1`, what is bound after it is what `else` binds.
    """
    return bool(body) and isinstance(body[-1], ast.Raise | ast.Return | ast.Break | ast.Continue)


def catches_name_error(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches the error of an unbound name."""
    if handler.type is None:
        return True
    return not names_in(handler.type).isdisjoint({"NameError", "Exception", "BaseException"})
