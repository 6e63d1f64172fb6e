"""What each stage waits for: its tags' `prev:`, and the stages that make what it reads.

A stage goes on from the values of its *ancestors*: of the stages above it that it waits for, and
theirs. So every stage that may have made a value which it reads must be one of them, or it would
run with an older value, or side by side with the stage that makes the value::

    step:load            rows = [3, 1, 2]
    step:clean           rows.sort()            # binds nothing, and changes `rows`
    step:show prev:load  print(rows[0])         # waits for clean (reads rows): 1, not 3

Edges are as few as can be, so that the branches of a notebook run side by side: what a stage
waits for by one of its parents has no edge of its own. A `prev:` always has: a person drew it.
"""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from podline.compiler.notebook import Notes
from podline.compiler.pipeline import Stage
from podline.compiler.preamble import CarriedStatement
from podline.text import nearest


def link(stages: Sequence[Stage], carried: Sequence[CarriedStatement], notes: Notes) -> None:
    """Find what each stage waits for, and whose values it goes on from.

    A reason that a tag gives stays; that a value is read says more than the order of the cells.

    Args:
        stages: in the notebook's order; their `parents` and `ancestors` are set.
        carried: the statements of imports, functions and parameters cells.
        notes: takes the problems.
    """
    names = {stage.name for stage in stages}
    for stage in stages:
        for previous in stage.prev or ():
            if previous in names:
                stage.parents.setdefault(previous, "prev")
            else:
                _unknown_prev(stage, previous, names, notes)
        if stage.prev is None and stage.order:
            stage.parents.setdefault(stages[stage.order - 1].name, "order")
    for stage in stages:
        for name in sorted(stage.effects.all_reads):
            for source in _sources(stage, name, stages, carried):
                if stage.parents.get(source.name) in (None, "order"):
                    stage.parents[source.name] = f"reads {name}"
    _find_ancestors(stages, notes)


def _sources(
    stage: Stage, name: str, stages: Sequence[Stage], carried: Sequence[CarriedStatement]
) -> Iterator[Stage]:
    """The stages above that may have made what `stage` reads under this name.

    From the nearest upwards: each that may bind the name or visibly changes it, up to the first
    that certainly binds it, or to a carried definition, which each stage runs for itself. A stage
    that only imports the name made nothing: its import is carried.

    Args:
        stage: reads the name.
        name: what it reads.
        stages: all, in the notebook's order.
        carried: the statements of imports, functions and parameters cells.
    """
    definitions = [s.carried.cell for s in carried if name in s.effects.bound]
    for earlier in reversed(stages[: stage.order]):
        first, last = stage.cells[0].number, earlier.cells[-1].number
        if any(last < cell < first for cell in definitions):
            return
        if name in earlier.touched and not _only_imports(earlier, name):
            yield earlier
        if name in earlier.effects.bound:
            return


def _only_imports(stage: Stage, name: str) -> bool:
    """Whether a stage binds the name by an import alone, which is carried."""
    imported = any(name in statement.carried.binds for statement in stage.imports)
    return imported and name not in stage.changes


def _unknown_prev(stage: Stage, previous: str, names: set[str], notes: Notes) -> None:
    others = names - {stage.name}
    near = nearest(previous, others)
    known = ", ".join(sorted(others)) or "none"
    fix = f"did you mean prev:{near}?" if near else f"the stages are: {known}"
    skipped = (c for c in notes.document.code_cells if "skip" in c.tags)
    if cell := next((c for c in skipped if f"step:{previous}" in c.tags), None):
        fix = f"cell {cell.number} begins it, and is tagged skip: remove that tag or this one"
    message = f"`prev:{previous}`: there is no stage {previous!r} for {stage.name!r} to wait for"
    tagged = (cell for cell in stage.cells if f"prev:{previous}" in cell.tags)
    notes.add(message, fix, next(tagged, stage.start))


def _find_ancestors(stages: Sequence[Stage], notes: Notes) -> None:
    try:
        TopologicalSorter({stage.name: stage.parents for stage in stages}).prepare()
    except CycleError as error:
        _report_cycle(error.args[1], stages, notes)
        return
    for stage in stages:
        _inherit(stage, stages)


def _inherit(stage: Stage, stages: Sequence[Stage]) -> None:
    """Find the stages whose values this one goes on from; those above it know theirs already.

    A `prev:` to a stage further down makes this one wait, but running from top to bottom it
    would not have seen that stage's values.
    """
    above = [s for s in stages[: stage.order] if s.name in stage.parents]
    stage.ancestors = {s.name for s in above}.union(*(s.ancestors for s in above))
    known: set[str] = set().union(*(s.ancestors for s in above))
    # What another parent goes on from needs no edge of its own, unless a tag draws it.
    stage.parents = {
        parent: why for parent, why in stage.parents.items() if why == "prev" or parent not in known
    }


def _report_cycle(cycle: list[str], stages: Sequence[Stage], notes: Notes) -> None:
    """Say who waits for whom in a `cycle`, in which each name waits for the one before it."""
    by_name = {stage.name: stage for stage in stages}
    names = cycle[:0:-1]
    start = names.index(next(name for name in by_name if name in names))
    around = [by_name[name] for name in (*names[start:], *names[: start + 1])]
    reasons = [f"{s.name} waits for {p.name} ({s.parents[p.name]})" for s, p in pairwise(around)]
    notes.add(
        "the stages wait for each other in a circle: " + "; ".join(reasons),
        "remove one of the prev: tags, or reorder the cells",
        around[0].start,
    )
