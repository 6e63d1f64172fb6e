"""A compiled notebook: its stages, what flows between them, and each stage's plan.

A plan is all that a stage's process is told, and the process sees neither the notebook nor the
other stages. So what depends on them is worked out here: which names the stage hands on, since
some later stage may read them, and which it must not change, since a stage beside it reads them::

    step:load                table = load()
    step:left  prev:load     table["x"] = 1       # refused at run time: right reads `table`
    step:right prev:load     print(table)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from podline.compiler.dag_id import dag_id
from podline.compiler.metadata import DagSettings
from podline.compiler.namespace import KNOWN_NAMES, Effects
from podline.compiler.notebook import ERROR, Cell, Document, Problem
from podline.compiler.parameters import Parameter, Values, substitute
from podline.compiler.preamble import SEEDS, CarriedStatement
from podline.compiler.tags import MAY_RAISE, STAGE_WORDS, Kind, StageSettings
from podline.contract import Carried, CellSource, StagePlan


@dataclass
class Stage:
    """A stage: its cells, what they do to names, and what it waits for.

    Attributes:
        name, order: its name, and its place in the notebook from 0.
        prev: the stages that its tags name; none: it follows the one above, unless data say else.
        settings: how it runs.
        effects: what its cells do to names, from the first to the last.
        cells: its cells.
        parents: why it waits, by the name of the stage that it waits for.
        ancestors: the stages whose values it goes on from: all that it waits for, directly or
            not, and that stand above it.
        changes: the names whose object it visibly changes, but for modules.
        imports: its cells' top-level imports, which later stages run again.
        metrics: the names that are metrics.
        reseeds: whether its cells seed a generator.
    """

    name: str
    order: int
    prev: tuple[str, ...] | None
    settings: StageSettings
    effects: Effects
    cells: list[Cell] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    ancestors: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    imports: list[CarriedStatement] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    reseeds: bool = False

    @property
    def start(self) -> Cell:
        """The cell whose tag begins it: others without a tag may stand before."""
        tags = {f"{word}:{self.name}" for word in STAGE_WORDS}
        return next((cell for cell in self.cells if tags & {*map(str, cell.tags)}), self.cells[0])

    @property
    def touched(self) -> set[str]:
        """The names that it may bind or visibly change."""
        return self.effects.may_bind | self.changes


@dataclass
class Pipeline:
    """A compiled notebook.

    Attributes:
        document: the notebook as read.
        parameters: those of the cells numbered `parameter_cells`.
        stages: in the notebook's order.
        carried: the statements that stages run again, in that order too.
        problems: errors first, each kind in the order of the cells.
        function_reads: names that functions read: whichever later stage gets the function, maybe
            as a part of an object, needs them.
        modules: the root module of each name that an import bound.
        settings: what the notebook's metadata says about its DAG.
        kinds: what each code cell is, by its number.
    """

    document: Document
    parameters: list[Parameter]
    parameter_cells: set[int]
    stages: list[Stage]
    carried: list[Carried]
    problems: list[Problem]
    function_reads: set[str]
    modules: dict[str, str]
    settings: DagSettings
    kinds: dict[int, Kind]

    @property
    def name(self) -> str:
        """The name of its DAG and of its runs in the store."""
        return dag_id(self.document.path)

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep it from running."""
        return [problem for problem in self.problems if problem.severity == ERROR]

    def stage(self, name: str) -> Stage:
        """Return the stage of that name.

        Raises:
            KeyError: there is none.
        """
        return {stage.name: stage for stage in self.stages}[name]

    def in_order(self) -> Iterator[Stage]:
        """Yield the stages so that each comes after those that it waits for.

        Of those that are ready it is always the first in the notebook's order.
        """
        done: set[str] = set()
        waiting = list(self.stages)
        while waiting:
            stage = next(s for s in waiting if s.parents.keys() <= done)
            waiting.remove(stage)
            done.add(stage.name)
            yield stage

    def hands_on(self, stage: Stage) -> set[str]:
        """The names that later stages may read as this stage leaves them.

        Not only those that it makes: it may have changed the object of any other name unseen.
        """
        names: set[str] = set()
        for later in self.stages:
            if stage.name in later.ancestors:
                names |= self._read_across(stage, later) | self.function_reads
        imported = {n for s in stage.imports for n in s.carried.binds} - stage.changes
        return (names & self._bound()) - imported

    def guarded(self, stage: Stage) -> dict[str, list[str]]:
        """Names that a later stage reads without waiting for this one, with those stages.

        From top to bottom the later one would see a change of such an object. A name that this
        stage binds anew is another matter: it stands for this stage's own object.
        """
        names: dict[str, list[str]] = {}
        for later in self.stages[stage.order + 1 :]:
            if stage.name not in later.ancestors:
                for name in (self._read_across(stage, later) & self._bound()) - stage.effects.bound:
                    names.setdefault(name, []).append(later.name)
        return names

    def _is_beside(self, one: Stage, other: Stage) -> bool:
        names = {one.name, other.name}
        return len(names) == 2 and not names & (one.ancestors | other.ancestors)

    def _later_modules(self, stage: Stage) -> set[str]:
        names = {n for s in self.stages[stage.order + 1 :] for n in s.effects.all_reads}
        return {root for name, root in self.modules.items() if name in names}

    def _bound(self) -> set[str]:
        """All names that the notebook binds or changes, such as `list` if it takes that name."""
        names = {name for stage in self.stages for name in stage.touched}
        return names | {name for statement in self.carried for name in statement.binds}

    def _read_across(self, stage: Stage, later: Stage) -> set[str]:
        """Names that `later` reads and no stage between binds anew."""
        names = later.effects.all_reads
        for between in self.stages[stage.order + 1 : later.order]:
            names -= between.effects.bound
        return names

    def plan(
        self, stage: Stage, parameters: Values, files: dict[str, str], files_limit: int
    ) -> StagePlan:
        """Return what the runner needs to know of a stage.

        Args:
            stage: one of `stages`.
            parameters: values that replace the parameters' defaults.
            files: what is shipped from beside the notebook: sha256 by path.
            files_limit: bytes that the working directory's files may have in all.
        """
        counts = counts_of(self.document)
        cells = tuple(
            CellSource(c.number, c.source, counts.get(c.number, 0), MAY_RAISE in c.tags)
            for c in stage.cells
        )
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
            reads=tuple(sorted(stage.effects.all_reads - (KNOWN_NAMES - self._bound()))),
            hands_on=tuple(sorted(self.hands_on(stage))),
            guarded={name: tuple(who) for name, who in sorted(self.guarded(stage).items())},
            carried=tuple(
                replace(c, source=self._filled(c.cell, c.source, parameters))
                for c in self.carried
                if c.cell < last and c.cell not in own
            ),
            later_modules=tuple(sorted(self._later_modules(stage))),
            metrics=tuple(stage.metrics),
            parameters=parameters,
            files=files,
            files_limit=files_limit,
            beside=tuple(s.name for s in self.stages if self._is_beside(s, stage)),
            reseeds=stage.reseeds,
            seeded=any(seeds(cell) for cell in self.document.code_cells),
            counts_calls=any("cache_info" in c.source for c in self.document.code_cells),
            last=stage.order >= len(self.stages) - 1,
        )

    def _filled(self, number: int, source: str, values: Values) -> str:
        """Put a run's values into a source that stands in the cell of that number."""
        return substitute(source, values) if number in self.parameter_cells else source

    def baseline(self, parameters: Values, files: dict[str, str], limit: int) -> StagePlan:
        """Return the plan of the whole notebook as one stage, run from top to bottom.

        Args:
            parameters: values that replace the parameters' defaults.
            files: what is shipped from beside the notebook: sha256 by path.
            limit: bytes that the working directory's files may have in all.
        """
        cells = [
            replace(cell, source=self._filled(cell.number, cell.source, parameters))
            for cell in self.document.code_cells
            if "skip" not in cell.tags
        ]
        metrics = [name for stage in self.stages for name in stage.metrics]
        whole = Stage(
            "notebook", 0, None, StageSettings(), Effects(), cells, metrics=metrics, reseeds=True
        )
        alone = replace(self, stages=[], carried=[]).plan(whole, parameters, files, limit)
        return replace(alone, seeded=False)  # no other stage draws from its generators


def counts_of(document: Document) -> dict[int, int]:
    """The number that each cell with code has in the brackets beside it after a run."""
    run = [c.number for c in document.code_cells if "skip" not in c.tags and c.source.strip()]
    return {number: count for count, number in enumerate(run, start=1)}


def seeds(cell: Cell) -> bool:
    """Whether a cell seeds a generator, as far as its text shows."""
    return any(f"{name}(" in cell.source for name in SEEDS)
