"""A cell's source as Python statements: Python directly, magics through IPython's own rules.

The analysis knows only Python. A magic or shell line reads and binds names as well, so it is
turned into the call that IPython would make of it, on the same line::

    files = !ls {folder}      files = get_ipython().getoutput('ls {folder}')
    %time model.fit(rows)     get_ipython().run_line_magic('time', 'model.fit(rows)')

`magic_call` finds these calls again, and `dataflow` reads the names in their texts. Most cells
are plain Python, and most magics plain too: IPython, whose import alone takes 0.1 s of each
parsing of a DAG file, is asked only for the rest.
"""

import ast
import re
import sys
import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

from podline.compiler.ast_queries import walk_all
from podline.compiler.newer_syntax import newer_syntax
from podline.compiler.notebook import Cell, Problem
from podline.text import lines_of

# IPython lets a cell await at its top level.
_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

# Cell magics whose body is Python that runs in the notebook's own namespace.
PYTHON_CELL_MAGICS = {"time", "timeit", "capture", "prun", "debug", "memit", "mprun", "lprun"}
_WITH_OUTPUT = {"bash", "sh", "script", "writefile", "html", "javascript", "js", "latex", "svg"}
# Magics that change names unseen, and what to do instead.
_UNSUPPORTED = {
    "run": "import the script's functions from a module beside the notebook",
    "reset": "leave names alone, or delete them with del",
    "reset_selective": "delete the names with del",
    "store": "let podline carry the variable to the stages that read it",
    "load": "paste the code into the cell",
    "macro": "write a function",
    "rerun": "write a function",
    "recall": "write a function",
    "autocall": "write the parentheses",
    "autoindent": "remove the magic",
    "cython": "put the code into a module of its own",
    "xdel": "delete the name with del",
    "pylab": "import what is used: import numpy as np; import matplotlib.pyplot as plt",
}
# Magics that look at every name or cell, and what to do instead.
_LOOKING = {
    **dict.fromkeys(("who", "who_ls", "whos"), "print the names that matter"),
    **dict.fromkeys(("history", "hist", "notebook"), "remove it: the executed notebook is stored"),
}


@dataclass(frozen=True)
class Statements:
    """A cell's statements.

    Attributes:
        text: what the line numbers of `body` count in.
        body: the statements; none where the cell has an error.
        whole: a cell magic (`%%time`) holds the cell together: it cannot be taken apart.
    """

    text: str
    body: list[ast.stmt]
    whole: bool


# Names that IPython takes for magics where they stand alone in a cell of one line.
_AUTOMAGIC = re.compile(
    r"\s*(?:alias|cat|cd|clear|conda|cp|env|history|less|ll|ls|lsmagic|mamba|man|matplotlib|mkdir|"
    r"more|mv|pip|pwd|quickref|rm|rmdir|time|timeit|uv|who|who_ls|whos)(?:\s+[^=\s(.,\[].*)?\s*"
)

# Pasted from a session: Python would take the first for an annotation of In[1].
_PROMPT = re.compile(r"\s*(In \[\d+\]: |>>> )")


def parse_cell(cell: Cell) -> tuple[Statements, list[Problem]]:
    """Parse a code cell, magics and shell lines included; the second result is what is wrong.

    Python is tried first: `%` within a text or an expression is none of IPython's business.
    """
    if "\n" not in cell.source.strip() and _AUTOMAGIC.fullmatch(cell.source):
        cell = replace(cell, source=f"%{cell.source.strip()}")
    if _PROMPT.match(cell.source):
        cell = replace(cell, source=_by_ipython(cell.source))
    try:
        return Statements(cell.source, _parse(cell.source), whole=False), []
    except SyntaxError as error:
        text, first_error = _transform(cell.source), error
    magic = re.match(r"\s*%%(\w+)(.*)\n?", cell.source)
    try:
        if magic:
            body, problems = _cell_magic(cell, magic.group(1), magic.group(2))
            return Statements(cell.source, body, whole=True), problems
        body = _parse(text)
    except SyntaxError as error:
        return Statements("", [], whole=False), [_syntax_problem(cell, error, first_error)]
    return Statements(text, body, whole=False), _magic_problems(cell, body)


def _parse(source: str) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run's own
        try:
            tree = compile(source, "<cell>", "exec", _FLAGS, dont_inherit=True)
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, deep nesting
            raise SyntaxError(str(error) or "too deeply nested for Python's parser") from None
    assert isinstance(tree, ast.Module)
    return tree.body


# A line that is a magic or a shell command, and nothing that would need more than a look.
_WHOLE_LINE = re.compile(r"^([ \t]*)(?:%([A-Za-z_]\w*)[ \t]*|!(?!!))([^\n]*)$", re.MULTILINE)


def _plain_magics(source: str) -> str | None:
    """Write the calls for plain magic and shell lines; None: that takes IPython's own rules.

    These know where a line goes on, where a text begins and ends, and what `?` asks for.
    """
    if any(mark in source for mark in ('"""', "'''", "\\\n", "%%", "??", "\t")):
        return None

    def call(match: re.Match[str]) -> str:
        indent, magic, rest = match.groups()
        if rest.rstrip().endswith("?"):
            return match[0]
        if magic is None:
            return f"{indent}get_ipython().system({rest!r})"
        return f"{indent}get_ipython().run_line_magic({magic!r}, {rest.rstrip()!r})"

    text = _WHOLE_LINE.sub(call, source)
    try:
        _parse(text)
    except SyntaxError:
        return None
    return text


def _transform(source: str) -> str:
    """Return the source with magics as calls, line for line."""
    plain = _plain_magics(source)
    return _by_ipython(source) if plain is None else plain


def _by_ipython(source: str) -> str:
    # Importing it takes 0.1 s.
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell(source))  # type: ignore[no-untyped-call]
    except SyntaxError:
        return source


def _cell_magic(cell: Cell, name: str, line: str) -> tuple[list[ast.stmt], list[Problem]]:
    """Return the statements of a `%%` cell, its first line standing for itself."""
    if name in _UNSUPPORTED or name in _LOOKING:
        return [], [_unsupported(cell, name, 1)]
    body: list[ast.stmt] = []
    if name in PYTHON_CELL_MAGICS:
        _, _, rest = cell.source.lstrip("\n").partition("\n")
        blank = cell.source[: len(cell.source) - len(cell.source.lstrip("\n"))]
        body = _parse(blank + "\n" + _transform(rest))
        if name == "timeit":
            body = _as_function(body)
        if name == "capture":
            body += [_bind(word) for word in line.split() if not word.startswith("-")][:1]
    else:  # the body is no Python, and IPython puts names into the first line only
        body = [_read_expansions(line)]
        taken = re.findall(r"--(?:out|err|proc)[= ](\w+)", line) if name in _WITH_OUTPUT else []
        body += map(_bind, taken)
    return body, []


def _as_function(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return a function of the body and its call: `%%timeit` reads names and binds none."""
    function, call = ast.parse("def __timeit__(): pass\n__timeit__()").body
    assert isinstance(function, ast.FunctionDef)
    function.body = body or function.body
    return [function, call]


def _bind(name: str) -> ast.stmt:
    return ast.parse(f"{name} = None").body[0]


def expansions(line: str) -> list[str]:
    """Return the names that IPython puts into a magic's line: `$name`, `{expression}`."""
    names = re.findall(r"(?<!\$)\$([A-Za-z_]\w*)", line)
    for expression in re.findall(r"(?<!\{)\{([^{}]+)\}", line):
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except SyntaxError:
            continue
        names += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return names


def _read_expansions(line: str) -> ast.stmt:
    elements: list[ast.expr] = [ast.Name(name, ast.Load()) for name in expansions(line)]
    return ast.fix_missing_locations(ast.Expr(ast.Tuple(elements, ast.Load())))


MAGIC_METHODS = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput"})


class Magic(NamedTuple):
    """IPython's call for a magic or a shell line.

    Attributes:
        method: IPython's method that is called, one of `MAGIC_METHODS`.
        name: the magic's name; none for a shell line.
        line: what stands behind the name.
    """

    method: str
    name: str
    line: str


def magic_call(node: ast.AST) -> Magic | None:
    """Return what a call stands for if it is one of IPython's for a magic or a shell line."""
    match node:
        case ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), str(method)), arguments):
            match method, arguments:
                case (
                    "run_line_magic" | "run_cell_magic",
                    [ast.Constant(str(name)), ast.Constant(str(line)), *_],
                ):
                    return Magic(method, name, line)
                case "system" | "getoutput", [ast.Constant(str(line))]:
                    return Magic(method, "", line)
    return None


def python_in(magic: Magic, line: int) -> list[ast.stmt]:
    """Return the Python that a line magic such as `%time` runs, as if it stood in that line."""
    if magic.method != "run_line_magic" or magic.name not in PYTHON_CELL_MAGICS:
        return []
    source = re.sub(r"^\s*(-\w+\s*\d*\s+)*", "", magic.line)  # without its options
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return []
    for inner in walk_all(body):
        if hasattr(inner, "lineno"):
            inner.lineno = line
    return body


def _magic_problems(cell: Cell, body: list[ast.stmt]) -> list[Problem]:
    return [
        _unsupported(cell, found.name, getattr(node, "lineno", None))
        for node in walk_all(body)
        if (found := magic_call(node)) and (found.name in _UNSUPPORTED or found.name in _LOOKING)
    ] + [
        _in_background(cell, getattr(node, "lineno", None))
        for node in walk_all(body)
        if (found := magic_call(node)) and not found.name and found.line.rstrip().endswith("&")
    ]


def _in_background(cell: Cell, line: int | None) -> Problem:
    message = "starts a process in the background, which IPython's shell lines cannot"
    fix = "leave the & out; or start it by subprocess.Popen, and end it in the same stage"
    return Problem(message, fix, cell.number, line, cell.line(line))


def _unsupported(cell: Cell, name: str, line: int | None) -> Problem:
    fix = _UNSUPPORTED.get(name, "")
    what = "changes names in a way that cannot be seen beforehand"
    if not fix:
        what = "looks at every name or cell of the notebook, and a stage has only its own"
    return Problem(
        f"the magic %{name} {what}",
        fix or _LOOKING[name],
        cell.number,
        line,
        cell.line(line),
    )


def _syntax_problem(cell: Cell, error: SyntaxError, first: SyntaxError) -> Problem:
    # The transformed text has the cell's own lines unless IPython joined some.
    shown = error if error.lineno and cell.line(error.lineno) else first
    line = cell.line(shown.lineno)
    message, fix = f"syntax error: {shown.msg}", "correct the line; the cell must run in Jupyter"
    below = "\n".join(lines_of(cell.source)[(shown.lineno or 1) - 1 :])
    if newer := newer_syntax(below, shown.msg):
        here = f"3.{sys.version_info.minor}"
        message = f"syntax error: {newer}, and podline reads notebooks with Python {here} here"
        fix = f"write it as Python {here} takes it, or run Airflow and podline with the newer one"
    return Problem(message, fix, cell.number, shown.lineno, line)
