"""What a stage needs of the heap: which objects to fetch, which names to bind, what to run first.

A stage gets only what its cells may use. That is the names that they read, the objects that
these stand for, what those objects refer to, and the names that functions among them read in
their turn:

    def scale(x): return x * factor      # stage 1 hands on `scale` and `factor`
    scale(2)                             # stage 2 names `scale` alone, and needs both

Imports and definitions are not in the heap: they are statements that each stage runs again, as
far as it needs them. Where a stage bound the same name later in the notebook, the heap's object
is the one that counts.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from podline.contract import Artifact, Carried, Heap, StagePlan
from podline.runner.object_ids import name_of

# A data frame plots with matplotlib, which its cell need not name.
_PLOTS = re.compile(r"\.(plot|hist|boxplot)\b")


@dataclass
class Needs:
    """What a stage needs: statements of the preamble to run, names to bind, objects to load."""

    preamble: list[Carried]
    names: set[str]
    objects: set[str]

    def artifacts(self, heap: Heap) -> list[Artifact]:
        """What must be fetched: all objects but those that are parts of others."""
        found = [heap.objects[object_id] for object_id in self.objects]
        return [artifact for artifact in found if artifact.shares not in self.objects]


def needs_of(plan: StagePlan, heap: Heap) -> Needs:
    """Find what the stage's cells need, and what that needs in turn.

    The search follows names. What a statement of the preamble reads must be of the preamble as
    well, even where the heap has it: these statements run before any object is loaded.
    """
    latest = {name: c.cell for c in plan.carried for name in c.binds}
    names: set[str] = set()
    objects: set[str] = set()
    run: set[int] = set()
    # What is of the preamble has no guard: each stage makes its own.
    queue = [(name, False) for name in (*plan.reads, *filter(heap.names.get, plan.guarded))]
    if any(_PLOTS.search(cell.source) for cell in plan.cells):
        queue.append(("matplotlib.", False))
    for index, statement in enumerate(plan.carried):
        if not statement.triggers:
            run.add(index)
            queue += [(name, True) for name in statement.reads]
    seen: set[tuple[str, bool]] = set()
    while queue:
        name, by_preamble = queue.pop()
        if (name, by_preamble) in seen:
            continue
        seen.add((name, by_preamble))
        binding = heap.names.get(name)
        if binding and binding.cell > latest.get(name, -1):
            if binding.object:
                names.add(name)
                queue += _require(binding.object, heap, objects)
            if not by_preamble:
                continue
        for index, statement in enumerate(plan.carried):
            if name in statement.triggers and index not in run:
                run.add(index)
                queue += [(n, True) for n in statement.reads]
    # A change of a data frame shows in the arrays that are parts of its memory.
    handed_on = reached(plan.hands_on, heap) & heap.objects.keys()
    objects |= {o for o in handed_on if heap.objects[o].shares in objects}
    return Needs([plan.carried[index] for index in sorted(run)], names, objects)


def _require(object_id: str, heap: Heap, objects: set[str]) -> list[tuple[str, bool]]:
    """Add an object and all that it refers to; return the names that this needs, and whether the
    preamble makes them.
    """
    names: list[tuple[str, bool]] = []
    for new in reached_from([object_id], heap) - objects:
        if new not in heap.objects:
            names.append((name_of(new), True))
            continue
        objects.add(new)
        names += [(name, False) for name in heap.objects[new].names]
        # What sets up a library is wanted wherever the library is.
        roots = [library.partition(".")[0] for library in heap.objects[new].libraries]
        names += [(f"{root}.", False) for root in roots]
    return names


def reached(names: Iterable[str], heap: Heap) -> set[str]:
    """The objects that names stand for, with all that those refer to."""
    bindings = [binding for name in names if (binding := heap.names.get(name))]
    starts = [binding.object for binding in bindings if binding.object]
    return reached_from(starts, heap)


def reached_from(starts: Iterable[str], heap: Heap) -> set[str]:
    """The objects that some lead to, those themselves among them; the preamble's lead no further.

    Args:
        starts: ids of where from.
        heap: has the stored ones.
    """
    return reachable(starts, lambda o: heap.objects[o].requires if o in heap.objects else ())


def reachable(starts: Iterable[str], requires: Callable[[str], Iterable[str]]) -> set[str]:
    """The ids that some ids lead to by references, those themselves among them.

    Args:
        starts: where from.
        requires: gives the ids that an object refers to.
    """
    seen: set[str] = set()
    queue = [*starts]
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue += requires(current)
    return seen
