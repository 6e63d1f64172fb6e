"""A head start: what a stage's process does while the stages before it still run.

It imports the libraries that the stage's preamble begins with, then waits for its task::

    import numpy as np              # imported ahead
    import tensorflow as tf         # imported ahead
    tf.random.set_seed(1)           # the notebook's own: runs when the task has come,
    import seaborn as sns           # and so does all that stands below it

Only what installed distributions bring is imported, in the notebook's order, before any statement
that could change what an import does or finds. Where the stages before changed what these imports
went by, the process begins anew (`why_void`).
"""

import ast
import importlib
import os
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from podline.contract import Carried, HeadNote, Heap, Json, StagePlan, StageTask
from podline.runner import garbage
from podline.runner.clock import process_age
from podline.runner.heap_needs import needs_of

if TYPE_CHECKING:
    from podline.runner.kernel import Kernel  # it imports IPython

_ANEW_VARIABLE = "PODLINE_ANEW"  # in which a process that began anew finds a `Begun`
# State that libraries may read when they are imported.
_READ_BY_IMPORTS = frozenset({"environ", "sys.path", "warnings", "locale"})
_READ_FILES = frozenset({"matplotlibrc"})  # in the working directory

Import = tuple[str, tuple[str, ...]]  # a module, and the names that are taken from it


@dataclass
class HeadStart:
    """What was done ahead.

    Attributes:
        kernel: the stage's.
        environment, folder: that the process began with.
        imports: what was imported that the preamble names, in order.
        roots: the packages and modules that came in with it.
        failed: the module that could not be imported, and may be there by half; "": none.
        begun, ready: when the process began, and had done all that (epoch).
    """

    kernel: "Kernel"
    environment: dict[str, str]
    folder: str = field(default_factory=os.getcwd)
    imports: tuple[Import, ...] = ()
    roots: frozenset[str] = frozenset()
    failed: str = ""
    begun: float = field(default_factory=lambda: time.time() - process_age())
    ready: float = 0.0

    @property
    def note(self) -> HeadNote:
        """What is to be said of it."""
        return HeadNote(self.begun, self.ready)

    def take(self, plan: StagePlan, libraries: Iterable[str] = ()) -> None:
        """Import what the preamble of a stage begins with, as far as its plan tells.

        Args:
            plan: the stage's.
            libraries: modules that its inputs may ask for: where the notebook imports them there,
                they are imported there.
        """
        before = set(sys.modules)
        preamble = needs_of(plan, Heap()).preamble
        self.imports = tuple(leading_imports(preamble))
        roots = {library.partition(".")[0] for library in libraries}
        asked = (c for c in plan.carried if c in preamble or _imports_any(c, roots))
        for module, names in leading_imports(asked):
            try:
                self.kernel.inside(import_names, module, names)
            except Exception:  # of any kind: the notebook's own import will say so
                self.failed = module
                break
        self.roots = frozenset(name.partition(".")[0] for name in sys.modules.keys() - before)
        self.ready = time.time()

    def why_void(self, preamble: Sequence[Carried], state: Iterable[str], work: Path) -> str:
        """Say why a stage cannot go on from it; "": it can.

        Args:
            preamble: the statements that the stage needs.
            state: names of the interpreter's state that the stages before left.
            work: the stage's working directory, with its files.
        """
        if self.failed:
            return f"{self.failed} could not be imported"
        own = leading_imports(preamble)
        if not all(one in own for one in self.imports):
            return "the stage imports its libraries in another order"
        if changed := _READ_BY_IMPORTS.intersection(state):
            return f"the stages before changed {min(changed)}"
        for path in work.iterdir():
            if path.name.partition(".")[0] in self.roots or path.name in _READ_FILES:
                return f"the file {path.name} goes before what a library would import or read"
        return ""

    def begin_anew(self, task: StageTask, age: float, why: str) -> NoReturn:
        """Replace this process by a fresh one, with the task on its standard input.

        Args:
            task: the stage's.
            age: seconds since it came.
            why: what is wrong with what was done ahead.
        """
        given = os.memfd_create("task")
        with os.fdopen(os.dup(given), "wb") as file:
            file.write(task.to_json().encode())
        os.lseek(given, 0, os.SEEK_SET)
        os.dup2(given, 0)
        os.chdir(self.folder)
        begun = Begun(time.monotonic() - age, replace(self.note, void=why))
        variables = {**self.environment, _ANEW_VARIABLE: begun.to_json()}
        os.execve(sys.executable, [sys.executable, "-m", "podline.runner"], variables)


@dataclass(frozen=True)
class Begun(Json):
    """What a process that began anew knows of the one before it.

    Attributes:
        at: when the task came, on the clock of `time.monotonic`.
        note: what was done before.
    """

    at: float
    note: HeadNote

    @classmethod
    def take(cls) -> "Begun | None":
        """Take it out of the environment; None: this process did not begin anew."""
        text = os.environ.pop(_ANEW_VARIABLE, "")
        return cls.from_json(text) if text else None

    @property
    def age(self) -> float:
        """Seconds since the task came."""
        return time.monotonic() - self.at


@garbage.resting()
def import_names(module: str, names: Sequence[str] = ()) -> None:
    """Import a module, and those of its names that are modules."""
    found = importlib.import_module(module)
    for name in names:
        if hasattr(found, "__path__") and not hasattr(found, name):
            with suppress(ModuleNotFoundError):
                importlib.import_module(f"{module}.{name}")


def is_import(statement: Carried) -> bool:
    """Whether a statement imports installed libraries, and does nothing else."""
    try:
        nodes = ast.parse(statement.source).body
    except SyntaxError:  # a magic
        return False
    return all(_installed_imports(node) for node in nodes)


def _imports_any(statement: Carried, roots: Set[str]) -> bool:
    """Whether a statement is an import of any of these packages."""
    found = list(leading_imports([statement]))
    return any(module.partition(".")[0] in roots for module, _ in found)


def leading_imports(preamble: Iterable[Carried]) -> Iterator[Import]:
    """Yield the imports of installed libraries above the first statement that is none."""
    for statement in preamble:
        try:
            nodes = ast.parse(statement.source).body
        except SyntaxError:  # a magic
            return
        for node in nodes:
            found = _installed_imports(node)
            if found is None:
                return
            yield from found


def _installed_imports(node: ast.stmt) -> list[Import] | None:
    """As `_imports_of`; None: of a module that is not installed, too."""
    found = _imports_of(node)
    if found is None or not all(_is_installed(module) for module, _ in found):
        return None
    return found


def _imports_of(node: ast.stmt) -> list[Import] | None:
    """The imports that a statement is; None: it may do anything, so nothing below it is ahead."""
    match node:
        case ast.Import(names):
            return [(name.name, ()) for name in names]
        case ast.ImportFrom(str(module), names, 0):
            return [(module, tuple(name.name for name in names))]
        case ast.Expr(ast.Constant()):
            return []
        case ast.Assign(targets=[ast.Name()], value=value) if _is_literal(value):
            return []
    return None


def _is_literal(node: ast.expr) -> bool:
    with suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        ast.literal_eval(node)
        return True
    return False


def _is_installed(module: str) -> bool:
    """Whether a module is of Python or an installed distribution, not the notebook's own."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root in sys.builtin_module_names:
        return True
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return False
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    folders = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return bool(places) and all(str(place).startswith(folders) for place in places if place)
