"""A notebook's cells and tags become a graph of stages: the way from a file to a `Pipeline`.

The order of a notebook's cells is the order in which its values are made. So a stage that reads a
name waits for the last stage above it that binds or visibly changes the name, whatever its tags
say; `prev:` adds to that. A stage without a `prev:` follows the stage above it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from podline.contract import Carried, CellSource, StagePlan
from podline.exceptions import NotebookError
from podline.notebooks.carrying import CarriedStatement, carry_cell, carry_imports, note_modules
from podline.notebooks.document import ERROR, Cell, Document, Problem, read_document
from podline.notebooks.metadata import DagSettings, read_settings
from podline.notebooks.names import (
    KNOWN_NAMES,
    Effects,
    Flow,
    Function,
    Place,
    attribute_path,
)
from podline.notebooks.parameters import Parameter, read_parameters, substitute
from podline.notebooks.source import Statements, parse_cell
from podline.notebooks.tags import (
    CellTags,
    StageSettings,
    parse_defaults,
    parse_tags,
)

# Parts of modules whose state goes from stage to stage.
_SETTINGS = frozenset({"environ", "options", "path", "rcParams"})
_SEEDING = ("seed", "set_random_seed", "set_seed", "manual_seed")


@dataclass
class Stage:
    """A stage: its cells, what they do to names, and what it waits for.

    Attributes:
        parents: why it waits, by the name of the stage that it waits for.
        ancestors: the stages whose values it goes on from: all that it waits for, directly or
            not, and that stand above it.
        reads: names that its cells may read from before, with where first.
        deferred: names that functions may read which it uses.
    """

    name: str
    order: int
    prev: tuple[str, ...] | None
    settings: StageSettings
    cells: list[Cell] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    ancestors: set[str] = field(default_factory=set)
    reads: dict[str, Place] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    deferred: dict[str, Place] = field(default_factory=dict)
    may_bind: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    deleted: dict[str, Place] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    imports: list[CarriedStatement] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    reseeds: bool = False

    @property
    def touched(self) -> set[str]:
        """The names that it may bind or visibly change."""
        return self.may_bind | self.changes


@dataclass
class Pipeline:
    """A compiled notebook."""

    document: Document
    parameters: list[Parameter]
    stages: list[Stage]
    carried: list[Carried]
    problems: list[Problem]
    function_reads: set[str]
    modules: dict[str, str]
    settings: DagSettings

    @property
    def name(self) -> str:
        """The notebook's name."""
        return self.document.name

    @property
    def parameter_cells(self) -> set[int]:
        """The numbers of the cells that hold parameters."""
        kinds = {"parameters", "pipeline-parameters"}
        return {cell.number for cell in self.document.code_cells if kinds & set(cell.tags)}

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep it from running."""
        return [problem for problem in self.problems if problem.severity == ERROR]

    def stage(self, name: str) -> Stage:
        """Return the stage of that name.

        Raises:
            KeyError: there is none.
        """
        return next(stage for stage in self.stages if stage.name == name)

    def hands_on(self, stage: Stage) -> set[str]:
        """The names that later stages may read as this stage leaves them."""
        names: set[str] = set()
        for later in self.stages:
            if stage.name in later.ancestors:
                names |= self._read_across(stage, later) | self.function_reads
        imported = {n for s in stage.imports for n in s.carried.binds} - stage.changes
        return (names & self._bound()) - imported

    def guarded(self, stage: Stage) -> dict[str, list[str]]:
        """Names that a later stage reads without waiting for this one, with those stages."""
        names: dict[str, list[str]] = {}
        for later in self.stages[stage.order + 1 :]:
            if stage.name not in later.ancestors:
                for name in (self._read_across(stage, later) & self._bound()) - stage.bound:
                    names.setdefault(name, []).append(later.name)
        return names

    def _later_modules(self, stage: Stage) -> set[str]:
        names = {n for s in self.stages[stage.order + 1 :] for n in (*s.reads, *s.deferred)}
        return {root for name, root in self.modules.items() if name in names}

    def _bound(self) -> set[str]:
        """All names that the notebook binds itself, those of builtins too if it does."""
        names = {name for stage in self.stages for name in stage.touched}
        return names | {name for statement in self.carried for name in statement.binds}

    def _read_across(self, stage: Stage, later: Stage) -> set[str]:
        """Names that `later` reads and no stage between binds anew."""
        names = {*later.reads, *later.deferred}
        for between in self.stages[stage.order + 1 : later.order]:
            names -= between.bound
        return names

    def plan(
        self,
        stage: Stage,
        parameters: dict[str, Any],
        files: dict[str, str],
        files_limit: int,
    ) -> StagePlan:
        """Return what the runner needs to know of a stage.

        Args:
            stage: one of `stages`.
            parameters: values that replace the parameters' defaults.
            files: what is shipped from beside the notebook: sha256 by path.
            files_limit: bytes that the working directory's files may have in all.
        """
        hands_on = self.hands_on(stage)
        cells = tuple(CellSource(cell.number, cell.source) for cell in stage.cells)
        last = cells[-1].number if cells else 0
        own = {cell.number for cell in stage.cells}
        return StagePlan(
            notebook=self.name,
            notebook_sha256=self.document.sha256,
            stage=stage.name,
            order=stage.order,
            ancestors={
                other.name: tuple(sorted(other.ancestors))
                for other in self.stages
                if other.name in stage.ancestors
            },
            cells=cells,
            reads=tuple(sorted({*stage.reads, *stage.deferred} - (KNOWN_NAMES - self._bound()))),
            hands_on=tuple(sorted(hands_on)),
            guarded={name: tuple(who) for name, who in sorted(self.guarded(stage).items())},
            carried=tuple(
                replace(c, source=substitute(c.source, parameters))
                if c.cell in self.parameter_cells
                else c
                for c in self.carried
                if c.cell < last and c.cell not in own
            ),
            later_modules=tuple(sorted(self._later_modules(stage))),
            metrics=tuple(stage.metrics),
            parameters=parameters,
            files=files,
            files_limit=files_limit,
            reseeds=stage.reseeds,
            seeded=any(_seeds(cell) for cell in self.document.code_cells),
            report=bool(stage.settings.report),
        )

    def baseline(self, parameters: dict[str, Any], files: dict[str, str], limit: int) -> StagePlan:
        """Return the plan of the whole notebook as one stage, run from top to bottom."""
        cells = tuple(
            CellSource(
                cell.number,
                substitute(cell.source, parameters)
                if cell.number in self.parameter_cells
                else cell.source,
            )
            for cell in self.document.code_cells
            if "skip" not in cell.tags
        )
        metrics = [name for stage in self.stages for name in stage.metrics]
        return StagePlan(
            self.name, self.document.sha256, "notebook", 0, {}, cells, (), (), {}, (), (),
            tuple(metrics), parameters, files, limit, reseeds=True,
        )  # fmt: skip


def compile_notebook(path: Path) -> Pipeline:
    """Compile a notebook.

    Raises:
        NotebookError: it does not compile; the message lists all of its errors.
    """
    pipeline = check_notebook(path)
    if pipeline.errors:
        text = "\n".join(problem.render(path.name) for problem in pipeline.errors)
        raise NotebookError(text)
    return pipeline


def check_notebook(path: Path) -> Pipeline:
    """Compile a notebook as far as it goes; what is wrong is in the result's `problems`."""
    document, problems = read_document(path)
    compiler = _Compiler(document, problems)
    compiler.read_cells()
    compiler.link()
    return compiler.pipeline()


class _Compiler:
    """Goes through the cells in order, then links the stages."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems
        self.stages: list[Stage] = []
        self.parameters: list[Parameter] = []
        self.carried: list[CarriedStatement] = []
        self.functions: dict[str, Function] = {}
        self.modules: dict[str, str] = {}
        self.imported: set[str] = set()  # names that stand for a module
        self.flows: dict[str, Flow] = {}
        self.last_kind = ""
        self.future_annotations = False
        self.defaults = self._defaults()
        self.settings, found = read_settings(document.metadata)
        self.problems += found

    def _defaults(self) -> StageSettings:
        kale = self.document.metadata.get("kubeflow_notebook")
        tags = kale.get("steps_defaults") if isinstance(kale, dict) else None
        if not isinstance(tags, list):
            return StageSettings()
        settings, problems = parse_defaults(tags)
        self.problems += [Problem(p.message, p.fix, severity=p.severity) for p in problems]
        return settings

    # -- cells

    def read_cells(self) -> None:
        if not self.document.cells and not self.problems:
            self.problem("has no cells", "write some, and tag them step:NAME")
        for cell in self.document.code_cells:
            tags, problems = parse_tags(cell.tags)
            for problem in problems:
                self.problem(problem.message, problem.fix, cell, severity=problem.severity)
            if tags.kind == "skip":
                continue
            statements, found = parse_cell(cell)
            self.problems += found
            if "../" in cell.source:
                self._check_outside(cell, statements)
            self._place(cell, tags, statements)
        if not self.stages and not self.problems:
            self.problem("has no stage", "tag at least one cell step:NAME")

    def _check_outside(self, cell: Cell, statements: Statements) -> None:
        for node in (node for statement in statements.body for node in ast.walk(statement)):
            match node:
                case ast.Constant(value=str(text)) if ".." in text.split("/"):
                    try:
                        exists = (self.document.path.parent / text).is_file()
                    except (OSError, ValueError):
                        continue  # no path at all
                    if exists:
                        self.problem(
                            f"names {text!r}, which is outside the notebook's folder: a stage "
                            "gets only what is in it",
                            "move the file beside the notebook, or read it from the store",
                            cell,
                            node.lineno,
                        )

    def _place(self, cell: Cell, tags: CellTags, statements: Statements) -> None:
        """Give the cell to its stage, or carry it."""
        kind = tags.kind
        if kind == "stage" and tags.stage is None and not self.stages and self.last_kind:
            kind = self.last_kind  # type: ignore[assignment]
        if kind in ("imports", "functions", "parameters"):
            self.last_kind = kind
            self._carry(cell, kind, statements)
            return
        if tags.stage is not None:
            self._start_stage(cell, tags)
        if not self.stages:
            if statements.body:
                self.problem(
                    "belongs to no stage: it stands before the first one and has no tag",
                    "tag it step:NAME, imports, functions, parameters or skip",
                    cell,
                )
            return
        stage = self.stages[-1]
        self._add(stage, cell, statements)
        if kind == "metrics":
            stage.metrics += [
                name for name in _metric_names(statements) if name not in stage.metrics
            ]

    def _carry(self, cell: Cell, kind: str, statements: Statements) -> None:
        if kind == "parameters":
            found = read_parameters(statements)
            names = {parameter.name for parameter in found}
            self.parameters = [p for p in self.parameters if p.name not in names] + found
        self.future_annotations |= _has_future_annotations(statements)
        for statement in carry_cell(
            cell.number, statements, self.functions, self.modules, self.future_annotations
        ):
            self._check_carried(cell, statement)
            self.carried.append(statement)
            self._note_imported(statement.effects)
            self._report_troubles(statement.effects.troubles)

    def _check_carried(self, cell: Cell, statement: CarriedStatement) -> None:
        """A carried statement runs in stages that do not have what other stages bind."""
        for name, place in statement.effects.reads.items():
            binder = self._binding_stage(name)
            if binder and not self._carried_binds(name):
                self.problem(
                    f"reads {name!r}, which the stage {binder.name!r} binds; but imports and "
                    "functions run in every stage that needs them, also before that",
                    "pass it as an argument, or move the line into a step",
                    cell,
                    place.line,
                )

    def _binding_stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if name in stage.may_bind), None)

    def _carried_binds(self, name: str) -> bool:
        return any(name in statement.carried.binds for statement in self.carried)

    def _start_stage(self, cell: Cell, tags: CellTags) -> None:
        assert tags.stage is not None
        same = next((stage for stage in self.stages if stage.name == tags.stage), None)
        if same is self.stages[-1] if self.stages else False:
            stage = self.stages[-1]
            stage.prev = tags.prev if stage.prev is None else stage.prev + (tags.prev or ())
            stage.settings = tags.settings.over(stage.settings)
            return
        if same is not None:
            self.problem(
                f"the stage {tags.stage!r} starts a second time; it began in cell "
                f"{same.cells[0].number}, and others stand between",
                "give this one another name, or move its cells together",
                cell,
            )
            return
        settings = tags.settings.over(self.defaults)
        self.stages.append(Stage(tags.stage, len(self.stages), tags.prev, settings))
        self.flows[tags.stage] = Flow(cell.number, self.functions)

    def _add(self, stage: Stage, cell: Cell, statements: Statements) -> None:
        """Add a cell to a stage, and follow what it does."""
        flow = self.flows[stage.name]
        flow.cell = cell.number
        self.future_annotations |= _has_future_annotations(statements)
        flow.future_annotations = self.future_annotations
        flow.known = dict(self.functions)
        troubles = len(flow.effects.troubles)
        flow.run(statements.body)
        note_modules(statements.body, self.modules)
        self._report_troubles(flow.effects.troubles[troubles:])
        self._note_imported(flow.effects)
        self._check_module_attributes(cell, flow)
        self._check_accessors(cell, statements)
        self.functions = dict(flow.known)
        stage.cells.append(cell)
        stage.imports += carry_imports(cell.number, statements)
        effects = flow.effects
        stage.reads, stage.deferred, stage.guarded = (
            effects.reads,
            effects.deferred,
            effects.guarded,
        )
        # `np.sort(x)` does not change numpy.
        stage.may_bind, stage.bound, stage.changes = (
            effects.may_bind,
            effects.bound,
            effects.changes - self.imported,
        )
        stage.deleted, stage.shown = effects.deleted, effects.shown
        stage.reseeds = stage.reseeds or _seeds(cell)

    def _note_imported(self, effects: Effects) -> None:
        self.imported = (self.imported - effects.may_bind) | effects.modules

    def _check_module_attributes(self, cell: Cell, flow: Flow) -> None:
        for target, place in flow.effects.attributes:
            name, *path = attribute_path(target) or [""]
            of_module = name in self.imported or isinstance(target, ast.Attribute)
            if place.cell != cell.number or name not in self.modules or not of_module:
                continue
            if not {*path[:1]} & _SETTINGS:
                self._afresh(f"sets {'.'.join([name, *path])}", self.modules[name], cell, place)

    def _check_accessors(self, cell: Cell, statements: Statements) -> None:
        for node in statements.body:
            if isinstance(node, ast.ClassDef):
                text = " ".join(map(ast.unparse, node.decorator_list))
                if re.search(r"\bregister_\w+_accessor\b", text):
                    place = Place(cell.number, node.lineno)
                    self._afresh(f"registers the accessor {node.name!r}", "pandas", cell, place)

    def _afresh(self, what: str, module: str, cell: Cell, place: Place) -> None:
        self.problem(
            f"{what}, a part of {module!r}, which other stages import afresh and would not see",
            "move the line into an imports or functions cell: those run in every stage",
            cell,
            place.line,
        )

    def _report_troubles(self, troubles: Iterable[Any]) -> None:
        for trouble in troubles:
            cell = self._cell(trouble.place.cell)
            self.problem(trouble.message, trouble.fix, cell, trouble.place.line)

    # -- the graph

    def link(self) -> None:
        """Find what each stage waits for, and what it reads that nobody binds."""
        self._check_names()
        names = {stage.name for stage in self.stages}
        for stage in self.stages:
            for previous in stage.prev or ():
                if previous in names:
                    stage.parents.setdefault(previous, "prev")
                else:
                    self._unknown_prev(stage, previous, names)
            if stage.prev is None and stage.order:
                stage.parents.setdefault(self.stages[stage.order - 1].name, "order")
        for stage in self.stages:
            for name in sorted({*stage.reads, *stage.deferred}):
                for source in self._sources(stage, name):
                    if stage.parents.get(source.name) in (None, "order"):
                        stage.parents[source.name] = f"reads {name}"
        self._find_ancestors()

    def _sources(self, stage: Stage, name: str) -> Iterator[Stage]:
        """The stages above that may have made what `stage` reads under this name."""
        definitions = [s.carried.cell for s in self.carried if name in s.effects.bound]
        for earlier in reversed(self.stages[: stage.order]):
            first, last = stage.cells[0].number, earlier.cells[-1].number
            if any(last < cell < first for cell in definitions):
                return
            if name in earlier.touched and not self._only_imports(earlier, name):
                yield earlier
            if name in earlier.bound:
                return

    def _only_imports(self, stage: Stage, name: str) -> bool:
        """Whether a stage binds the name by an import alone, which is carried."""
        imported = any(name in statement.carried.binds for statement in stage.imports)
        return imported and name not in stage.changes

    def _unknown_prev(self, stage: Stage, previous: str, names: set[str]) -> None:
        import difflib

        near = difflib.get_close_matches(previous, sorted(names - {stage.name}), n=1)
        known = ", ".join(sorted(names - {stage.name})) or "none"
        fix = f"did you mean prev:{near[0]}?" if near else f"the stages are: {known}"
        message = f"`prev:{previous}`: there is no stage {previous!r}"
        self.problem(message, fix, stage.cells[0])

    def _find_ancestors(self) -> None:
        parents = {stage.name: set(stage.parents) for stage in self.stages}
        done: dict[str, set[str]] = {}
        while len(done) < len(parents):
            ready = [n for n in parents if n not in done and parents[n] <= done.keys()]
            if not ready:
                self._report_cycle(parents, done)
                return
            for name in ready:
                done[name] = parents[name].union(*(done[parent] for parent in parents[name]))
        for stage in self.stages:
            self._inherit(stage)

    def _inherit(self, stage: Stage) -> None:
        """Find the stages whose values this one goes on from.

        A `prev:` to a stage further down makes this one wait, but running from top to bottom it
        would not have seen that stage's values.
        """
        above = [s for s in self.stages[: stage.order] if s.name in stage.parents]
        stage.ancestors = {s.name for s in above}.union(*(s.ancestors for s in above))
        known: set[str] = set().union(*(s.ancestors for s in above))
        # What another parent goes on from needs no edge of its own, unless a tag draws it.
        stage.parents = {
            parent: why
            for parent, why in stage.parents.items()
            if why == "prev" or parent not in known
        }

    def _report_cycle(self, parents: dict[str, set[str]], done: dict[str, set[str]]) -> None:
        name = next(n for n in parents if n not in done)
        path = [name]
        while path.count(path[-1]) < 2:
            path.append(next(p for p in sorted(parents[path[-1]]) if p not in done))
        cycle = path[path.index(path[-1]) :]
        reasons = []
        for child, parent in pairwise(cycle):
            stage = next(s for s in self.stages if s.name == child)
            why = stage.parents[parent]
            reasons.append(f"{child} waits for {parent} ({why})")
        first = next(s for s in self.stages if s.name == cycle[0])
        self.problem(
            "the stages wait for each other in a circle: " + "; ".join(reasons),
            "remove one of the prev: tags, or reorder the cells",
            first.cells[0],
        )

    # -- names that nobody binds

    def _check_names(self) -> None:
        self.unresolved: set[str] = set()
        starred = any(s.star for s in self._all_carried())
        ever = {name for stage in self.stages for name in stage.may_bind}
        ever |= {name for s in self.carried for name in s.carried.binds}
        for statement in self.carried:
            for name, place in statement.effects.reads.items():
                before = self._carried_before(statement.carried)
                if name not in before and not self._binding_stage(name):
                    self._undefined(name, place, statement.effects.guarded, starred, ever)
            for name, place in statement.effects.deferred.items():
                if name not in ever:
                    self._undefined(name, place, statement.effects.guarded, starred, ever)
        available: dict[str, Place | None] = {}
        for stage in self.stages:
            for name, place in stage.reads.items():
                carried = any(
                    name in s.carried.binds for s in self.carried if s.carried.cell < place.cell
                )
                bound_here = name in stage.may_bind or name in stage.shown
                if carried or bound_here or available.get(name, place) is None:
                    continue
                self._undefined(name, place, stage.guarded, starred, ever, available.get(name))
            for name, place in stage.deferred.items():
                if name not in ever:
                    self._undefined(name, place, stage.guarded, starred, ever)
            available.update(dict.fromkeys(stage.may_bind))
            available.update(stage.deleted)

    def _carried_before(self, carried: Carried) -> set[str]:
        position = (carried.cell, carried.line)
        return {
            name
            for s in self.carried
            if (s.carried.cell, s.carried.line) < position
            for name in s.carried.binds
        }

    def _undefined(
        self,
        name: str,
        place: Place,
        guarded: set[str],
        starred: bool,
        ever: set[str],
        deleted: Place | None = None,
    ) -> None:
        if name in KNOWN_NAMES or name in guarded:
            return
        self.unresolved.add(name)
        if starred:
            return
        cell = self._cell(place.cell)
        if name in ("In", "Out", "_ih", "_oh") or not name.strip("_i0123456789"):
            message = f"{name!r} is IPython's memory of cells and outputs, which is not carried"
            fix = "give the value a name"
        elif deleted:
            message = f"{name!r} is deleted in cell {deleted.cell}, before it is read here"
            fix = f"do not delete it there, or bind {name!r} again"
        elif name in ever:
            message = f"{name!r} is read before it is bound: {self._bound_below(name)}"
            fix = "move the cell that binds it up"
        else:
            message = f"undefined name {name!r}"
            fix = self._suggest(name, ever)
        self.problem(message, fix, cell, place.line)

    def _bound_below(self, name: str) -> str:
        cells = [s.carried.cell for s in self.carried if name in s.carried.binds]
        cells += [s.cells[0].number for s in self.stages if name in s.may_bind and s.cells]
        return f"it is bound only from cell {min(cells)} on"

    def _suggest(self, name: str, ever: set[str]) -> str:
        import difflib

        near = difflib.get_close_matches(name, sorted(ever), n=1, cutoff=0.8)
        if near:
            return f"did you mean {near[0]!r}?"
        return "bind or import it in a cell above; is its cell tagged skip?"

    # -- the result

    def _all_carried(self) -> list[CarriedStatement]:
        return [*self.carried, *(s for stage in self.stages for s in stage.imports)]

    def pipeline(self) -> Pipeline:
        """Return what was compiled."""
        carried = []
        for statement in sorted(
            self._all_carried(), key=lambda s: (s.carried.cell, s.carried.line)
        ):
            if statement.star:
                triggers = (*statement.carried.triggers, *sorted(self.unresolved))
                carried.append(replace(statement.carried, triggers=triggers))
            else:
                carried.append(statement.carried)
        reads = {name for function in self.functions.values() for name in function.reads}
        for stage in self.stages:
            reads |= set(stage.deferred)
        order = {ERROR: 0}
        self.problems.sort(key=lambda p: (order.get(p.severity, 1), p.cell or 0, p.line or 0))
        return Pipeline(
            self.document,
            self.parameters,
            self.stages,
            carried,
            self.problems,
            reads,
            self.modules,
            self.settings,
        )

    def problem(
        self,
        message: str,
        fix: str,
        cell: Cell | None = None,
        line: int | None = None,
        severity: str = ERROR,
    ) -> None:
        """Note a problem, once."""
        number = cell.number if cell else None
        quote = cell.line(line) if cell else ""
        found = Problem(message, fix, number, line, quote, severity)
        if found not in self.problems:
            self.problems.append(found)

    def _cell(self, number: int) -> Cell | None:
        return next((cell for cell in self.document.cells if cell.number == number), None)


def _seeds(cell: Cell) -> bool:
    return any(f"{name}(" in cell.source for name in _SEEDING)


def _has_future_annotations(statements: Statements) -> bool:
    return any(
        isinstance(statement, ast.ImportFrom)
        and statement.module == "__future__"
        and any(alias.name == "annotations" for alias in statement.names)
        for statement in statements.body
    )


def _metric_names(statements: Statements) -> list[str]:
    """The names that a metrics cell binds, shows or prints."""
    flow = Flow(0, {})
    flow.run(statements.body)
    names = list(flow.effects.may_bind)
    return sorted(names) or sorted(name for name in flow.effects.reads if name not in KNOWN_NAMES)
