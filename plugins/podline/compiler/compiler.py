"""A notebook's cells and tags become a graph of stages: the way from a file to a `Pipeline`.

What every part of the compiler works for: the stages, each in a process of its own and some of
them side by side, leave the values that the notebook leaves when it is run from top to bottom.
Where that cannot be known beforehand, the notebook does not compile. So the order of the cells
counts, and tags only say which cells belong together and what else is to be waited for::

    step:load            rows = read()
    step:train prev:     model = fit(rows)     # waits for load, though its tag says for nothing

The cells are followed in order (`_Compiler.read_cells`), then the stages are linked: names that
nobody binds (`undefined_names`), what waits for what (`stage_graph`). An error is noted, and the
compiler goes on: a user gets all errors of a notebook at once.
"""

import ast
import glob
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from podline.compiler import inside_frames, module_state, own_magics
from podline.compiler.ast_queries import walk_all
from podline.compiler.bounds import MalformedBounds, read_bounds
from podline.compiler.cell_parser import Statements, parse_cell
from podline.compiler.dag_id import name_problems
from podline.compiler.dataflow import Flow
from podline.compiler.function_effects import Function
from podline.compiler.metadata import read_settings
from podline.compiler.namespace import KNOWN_NAMES, Effects, Place, Trouble
from podline.compiler.notebook import (
    ERROR,
    WARNING,
    Cell,
    Document,
    Notes,
    Problem,
    read_document,
)
from podline.compiler.parameters import BACKEND_PARAM, Parameter, read_parameters
from podline.compiler.pipeline import Pipeline, Stage, counts_of, seeds
from podline.compiler.places import Places
from podline.compiler.preamble import (
    CarriedStatement,
    carry_cell,
    carry_imports,
    has_future_annotations,
    note_modules,
)
from podline.compiler.stage_graph import link
from podline.compiler.tags import (
    MAY_RAISE,
    CellTags,
    Kind,
    StageSettings,
    parse_defaults,
    parse_tags,
)
from podline.compiler.undefined_names import find_undefined
from podline.exceptions import NotebookError
from podline.text import lines_of

# What may be part of a path upwards; what changes the directory.
_UPWARDS = ("..", ".parent", "pardir", "dirname")
_MOVES = re.compile(r"chdir|^\s*%?cd\b|'cd'", re.MULTILINE)


def compile_notebook(path: Path) -> Pipeline:
    """Compile a notebook; nothing of it is run.

    Raises:
        NotebookError: it does not compile; the message lists all of its errors.
    """
    pipeline = check_notebook(path)
    if pipeline.errors:
        text = "\n".join(problem.render(path.name) for problem in pipeline.errors)
        raise NotebookError(text)
    return pipeline


def check_notebook(path: Path, draft: bytes | None = None) -> Pipeline:
    """Compile a notebook as far as it goes; what is wrong is in the result's `problems`.

    Args:
        path: its file.
        draft: what is compiled in place of the file, as an editor has it.
    """
    document, problems = read_document(path, draft)
    compiler = _Compiler(document, problems)
    compiler.read_cells()
    return compiler.link()


class _Compiler:
    """Goes through the cells in order, then links the stages.

    Attributes:
        carried: the statements of imports, functions and parameters cells so far.
        functions, modules: the functions, and the root modules, that names stand for by now.
        imported: the names that stand for a module by now.
        flow: follows the cells of the last stage.
        leading: cells before the first stage, which will run them.
        last_kind: of the last imports, functions or parameters cell; none: there was none yet.
        places: the paths that names stand for by now.
        upwards: a cell so far may lead to what is above the notebook's folder.
        insides: a cell so far may look inside frames.
        moved: a cell so far changes the directory.
        counts: the numbers in the brackets beside the cells.
        magics: of the magics registered by now, the stage (none: the preamble) and the cell.
        kinds: of the cells so far, by number.
    """

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems
        self.notes = Notes(document, problems)
        self.stages: list[Stage] = []
        self.parameters: list[Parameter] = []
        self.parameter_cells: set[int] = set()
        self.carried: list[CarriedStatement] = []
        self.functions: dict[str, Function] = {}
        self.modules: dict[str, str] = {}
        self.imported: set[str] = set()
        self.flow = Flow(0, {})
        self.leading: list[tuple[Cell, Statements]] = []
        self.last_kind = ""
        self.places = Places()
        self.upwards = self.insides = False
        self.moved = False
        self.magics: dict[str, tuple[str, int]] = {}
        self.counts = counts_of(document)
        self.kinds: dict[int, Kind] = {}
        self.defaults = self._defaults()
        self.settings, found = read_settings(document.metadata)
        self.problems += found + name_problems(document.path)

    def _defaults(self) -> StageSettings:
        """Read the settings that Kale's extension keeps for all steps of a notebook."""
        tags = self.document.kale_defaults
        if not isinstance(tags, list):
            return StageSettings()
        settings, problems = parse_defaults(tags)
        self.problems += [Problem(p.message, p.fix, severity=p.severity) for p in problems]
        return settings

    # -- cells

    def read_cells(self) -> None:
        if not self.document.cells and not self._has_errors():
            self.notes.add("has no cells", "write some, and tag them step:NAME")
        for cell in self.document.code_cells:
            tags, problems = parse_tags(cell.tags)
            for problem in problems:
                self.notes.add(problem.message, problem.fix, cell, severity=problem.severity)
            if tags.kind == "skip":
                self.kinds[cell.number] = "skip"
                continue
            broken = any(problem.severity == ERROR for problem in problems)
            if broken and tags.stage is None and not self.stages:
                # A stand-in for the stage, so that one error does not bring others.
                tags = replace(tags, stage=f"cell_{cell.number}")
            statements, found = parse_cell(cell)
            if not tags.may_raise:  # also an error of syntax may be what the cell is to show
                self.problems += found
            try:
                self._check_outside(cell, statements)
                self.insides = self.insides or inside_frames.may_look(cell.source)
                self._place(cell, tags, statements)
            except RecursionError:
                self.notes.add(
                    "nests an expression too deeply to follow",
                    "divide it: give its parts names, or build it in a loop",
                    cell,
                )
        if not self.stages and not self._has_errors():
            self.notes.add("has no stage", "tag at least one cell step:NAME")

    def _has_errors(self) -> bool:
        return any(problem.severity == ERROR for problem in self.problems)

    def _check_named(self) -> None:
        """Refuse a name in the metadata that is no parameter, once all parameters are known."""
        names = [parameter.name for parameter in self.parameters]
        sizes = self.settings.sizes.parameters if self.settings.sizes else set()
        for key, named in (("sizes", sizes), ("bounds", {*self.settings.bounds})):
            for name in sorted(named.difference(names)):
                self.notes.add(
                    f"names {name!r} in its metadata podline.{key}, and has no such parameter",
                    f"name one of its parameters: {', '.join(names) or 'it has none'}",
                )

    def _check_outside(self, cell: Cell, statements: Statements) -> None:
        """Refuse what is above the notebook's folder: a path that is there, or to list or enter it.

        A path that is not there, such as `"../out.csv"` before the first run, is none. Once the
        notebook has changed its directory, `".."` may be in its folder.
        """
        self.upwards = self.upwards or any(word in cell.source for word in _UPWARDS)
        self.places.learn(statements.body)
        for statement in statements.body if self.upwards else ():
            for node, place, verb in self.places.outside(statement):
                lines = lines_of(statements.text)[: node.lineno]
                above = "\n".join([*lines[:-1], lines[-1][: node.col_offset]])
                moved = self.moved or _MOVES.search(above)
                if self._is_there(place) if verb == "names" else not moved:
                    self.notes.add(
                        f"{verb} {place!r}, which is outside the notebook's folder: a stage gets "
                        "only what is in it",
                        "move the file beside the notebook, or read it from the store",
                        cell,
                        node.lineno,
                    )
        if "cd" in cell.source or "chdir" in cell.source:
            self.moved = self.moved or bool(_MOVES.search(cell.source))

    def _is_there(self, place: str) -> bool:
        """Whether a path or pattern above the folder, with a name in it, is one of files."""
        folder = glob.escape(str(self.document.path.parent))
        try:
            return bool(re.search(r"\w", place) and glob.glob(f"{folder}/{place}"))
        except (OSError, ValueError, re.error):
            return False  # no path at all

    def _place(self, cell: Cell, tags: CellTags, statements: Statements) -> None:
        """Give the cell to its stage, or carry it.

        A cell without a tag goes on as the one above it: before the first stage as imports,
        functions or parameters, afterwards always as the last stage, whatever stands between.
        """
        kind = tags.kind
        if kind == "stage" and tags.stage is None and not self.stages and self.last_kind:
            kind = self.last_kind  # type: ignore[assignment]
        self.kinds[cell.number] = kind
        if kind in ("imports", "functions", "parameters"):
            self.last_kind = kind
            self._carry(cell, kind, statements)
            return
        if tags.stage is not None:
            self._start_stage(cell, tags)
        if not self.stages:
            self.leading.append((cell, statements))
            return
        stage = self.stages[-1]
        self._add(stage, cell, statements)
        if kind == "metrics":
            stage.metrics = list(dict.fromkeys([*stage.metrics, *_metric_names(statements)]))

    def _carry(self, cell: Cell, kind: str, statements: Statements) -> None:
        """Take a cell's statements apart; a parameter that is set again has the last default."""
        if kind == "parameters":
            found = [self._bounded(cell, p) for p in read_parameters(statements)]
            names = {parameter.name for parameter in found}
            self.parameters = [p for p in self.parameters if p.name not in names] + found
            self.parameter_cells.add(cell.number)
            self._check_parameters(cell, found)
        for statement in carry_cell(cell.number, statements, self.functions, self.modules):
            self._check_carried(cell, statement)
            self.carried.append(statement)
            self._note_imported(statement.effects)
            self._report_troubles(statement.effects.troubles)
        self._note_magics(cell, statements, "")
        self._check_insides(cell, statements, Effects())
        self._check_seeds(cell, statements)

    def _bounded(self, cell: Cell, parameter: Parameter) -> Parameter:
        """Give a parameter the bounds of the metadata, or else those of its comment."""
        told = self.settings.bounds.get(parameter.name)
        text = parameter.description if told is None else f"{told}:"
        try:
            return replace(parameter, bounds=read_bounds(text, parameter.default))
        except ValueError as error:  # a comment that only looks so is no reason to refuse
            self.notes.add(
                f"the bounds of the parameter {parameter.name!r} are {text.rstrip(':')!r}: {error}",
                "write them before a colon, such as 1..10: or one of a, b: in the comment, or give "
                "a default within them",
                cell,
                parameter.line,
                severity=WARNING if isinstance(error, MalformedBounds) else ERROR,
            )
            return parameter

    def _check_parameters(self, cell: Cell, found: Iterable[Parameter]) -> None:
        """Refuse a parameter of the name that a run has for its own."""
        for parameter in found:
            if parameter.name == BACKEND_PARAM:
                self.notes.add(
                    f"the parameter {BACKEND_PARAM!r} is podline's own: a run's parameter of that "
                    "name says where its stages run",
                    f"give the notebook's another name, such as my_{BACKEND_PARAM}",
                    cell,
                    parameter.line,
                )

    def _check_carried(self, cell: Cell, statement: CarriedStatement) -> None:
        """Refuse a carried statement that reads what a stage binds.

        It would run at the start of a stage, before the stage's data is there, and in stages
        that do not wait for the one that binds the name.
        """
        for name, place in statement.effects.reads.items():
            binder = next((stage for stage in self.stages if name in stage.effects.may_bind), None)
            if binder and not any(name in other.carried.binds for other in self.carried):
                self.notes.add(
                    f"reads {name!r}, which the stage {binder.name!r} binds; but imports and "
                    "functions run in every stage that needs them, also before that",
                    "pass it as an argument, or move the line into a step",
                    cell,
                    place.line,
                )

    def _start_stage(self, cell: Cell, tags: CellTags) -> None:
        """Start a stage, or go on with the last one where a cell has its name again."""
        assert tags.stage is not None
        same = next((stage for stage in self.stages if stage.name == tags.stage), None)
        if same is not None and same is self.stages[-1]:
            same.prev = tags.prev if same.prev is None else same.prev + (tags.prev or ())
            same.settings = tags.settings.over(same.settings)
            return
        if same is not None:
            self.notes.add(
                f"the stage {tags.stage!r} starts a second time; it began in cell "
                f"{same.start.number}, and others stand between",
                "give this one another name, or move its cells together",
                cell,
            )
            return
        self.flow = Flow(cell.number, self.functions)
        settings = tags.settings.over(self.defaults)
        stage = Stage(tags.stage, len(self.stages), tags.prev, settings, self.flow.effects)
        self.stages.append(stage)
        for before, statements in self.leading:
            if statements.body:
                self.notes.add(
                    f"has no tag and stands before the first stage: {stage.name!r} runs it",
                    "tag it step:NAME, imports, functions, parameters or skip",
                    before,
                    severity=WARNING,
                )
            self._add(stage, before, statements)
        self.leading = []

    def _add(self, stage: Stage, cell: Cell, statements: Statements) -> None:
        """Add a cell to a stage, and follow what it does.

        All cells of a stage share one flow: what the ones above bind is not read from before.
        """
        stage.cells.append(cell)
        flow = self.flow
        flow.cell = cell.number
        flow.future_annotations |= has_future_annotations(self.modules)
        flow.known = dict(self.functions)
        troubles = len(flow.effects.troubles)
        flow.run_cell(statements.body, may_raise=MAY_RAISE in cell.tags)
        if statements.body and isinstance(statements.body[-1], ast.Expr):
            flow.effects.shown.add(f"_{self.counts[cell.number]}")
        note_modules(statements.body, self.modules)
        self._report_troubles(flow.effects.troubles[troubles:])
        self._note_imported(flow.effects)
        self._check_modules(cell, statements, flow)
        self._check_magics(cell, statements, stage.name)
        if stage.order:  # what the first one writes, all below it have
            self._check_insides(cell, statements, flow.effects)
        self._check_seeds(cell, statements)
        self.functions = dict(flow.known)
        stage.imports += carry_imports(cell.number, statements)
        stage.changes = flow.effects.changes - self.imported  # `np.sort(x)` does not change numpy
        stage.reseeds = stage.reseeds or seeds(cell)

    def _note_imported(self, effects: Effects) -> None:
        """Know which names stand for a module now: an `import` may be rebound further down."""
        self.imported = (self.imported - effects.may_bind) | effects.modules

    def _check_modules(self, cell: Cell, statements: Statements, flow: Flow) -> None:
        """Refuse what a stage changes in a module: it lives in that stage's process alone."""
        found = [
            *module_state.attributes(flow.effects, cell.number, self.modules, self.imported),
            *module_state.accessors(statements.body),
        ]
        if "register" in cell.source or "copyreg" in cell.source:
            found += module_state.registered(statements.body, self.modules, flow.known)
        for line, what, module in found:
            self.notes.add(
                f"{what}, a part of {module!r}, which other stages import afresh and would not see",
                "move the line into an imports or functions cell: those run in every stage",
                cell,
                line,
            )

    def _note_magics(self, cell: Cell, statements: Statements, stage: str) -> None:
        if "magic" in cell.source:
            for found in own_magics.registered(statements.body):
                self.magics[found.name] = stage, cell.number

    def _check_magics(self, cell: Cell, statements: Statements, stage: str) -> None:
        """Refuse a magic that another stage registers; the preamble's is run where it is used."""
        self._note_magics(cell, statements, stage)
        for found in own_magics.used(cell.source, statements.body) if self.magics else ():
            other, number = self.magics.get(found.name, (stage, 0))
            place = Place(cell.number, found.line)
            if not other:
                self.flow.read_perhaps(own_magics.trigger_of(found.name), place)
            elif other != stage:
                self.notes.add(
                    f"uses the magic %{found.name}, which the stage {other!r} registers (cell "
                    f"{number}) with the IPython of its own process",
                    "move its definition into a cell tagged functions",
                    *place,
                )

    def _check_seeds(self, cell: Cell, statements: Statements) -> None:
        """Refuse a seed for polars, whose generator tells nobody where it stands."""
        if "set_random_seed" not in cell.source:
            return
        for node in walk_all(statements.body):
            match node:
                case ast.Call(ast.Attribute(ast.Name(name), "set_random_seed")):
                    if self.modules.get(name) == "polars":
                        self.notes.add(
                            "seeds the generator of polars, and where that stands cannot be "
                            "handed on to the next stages",
                            "give seed= to the calls that draw",
                            cell,
                            node.lineno,
                        )

    def _check_insides(self, cell: Cell, statements: Statements, effects: Effects) -> None:
        """Refuse to look past pandas at what frames share inside."""
        if not self.insides or "pandas" not in self.modules.values():
            return
        own = (effects.bound - effects.reads.keys()) | self.imported
        for found in inside_frames.looks(statements.body, self.places.values, own):
            self.notes.add(found.what, found.fix, cell, found.line)

    def _report_troubles(self, troubles: Iterable[Trouble]) -> None:
        for trouble in troubles:
            self.notes.add(trouble.message, trouble.fix, *trouble.place)

    # -- the result

    def link(self) -> Pipeline:
        """Link the stages, and return what was compiled.

        A `from module import *` may bind any name that nobody else does, so it is run in every
        stage that reads one of these.
        """
        self._check_named()
        unresolved = find_undefined(self.stages, self.carried, self.notes)
        link(self.stages, self.carried, self.notes)
        carried = []
        for s in [*self.carried, *(s for stage in self.stages for s in stage.imports)]:
            triggers = (*s.carried.triggers, *(sorted(unresolved) if s.star else ()))
            carried.append(replace(s.carried, triggers=triggers))
        carried.sort(key=lambda c: (c.cell, c.line))
        reads = {name for function in self.functions.values() for name in function.reads}
        for stage in self.stages:
            reads |= stage.effects.deferred.keys()
        self.problems.sort(key=lambda p: (p.severity != ERROR, p.cell or 0, p.line or 0))
        return Pipeline(
            self.document,
            self.parameters,
            self.parameter_cells,
            self.stages,
            carried,
            self.problems,
            reads,
            self.modules,
            self.settings,
            self.kinds,
        )


def _metric_names(statements: Statements) -> list[str]:
    """The names that a metrics cell binds; where it binds none, those that it shows or prints."""
    flow = Flow(0, {})
    flow.run(statements.body)
    return sorted(flow.effects.may_bind) or sorted(flow.effects.reads.keys() - KNOWN_NAMES)
